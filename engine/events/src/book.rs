//! The buses, rules and targets of one account and region, and what EventBridge lets be done with them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    input::Input,
    pattern::Pattern,
    route::{DEFAULT_BUS, Route, Routes, SCHEDULED},
    schedule::Schedule,
    target::{Destination, Target, TargetError},
};

pub mod bus;
mod tag;

/// Rules of one bus (EventBridge quota).
pub const RULES_PER_BUS: usize = 300;
/// Targets of one rule (EventBridge quota).
pub const TARGETS_PER_RULE: usize = 5;
/// Buses beside the default one (EventBridge quota).
pub const BUSES: usize = 100;
/// Tags of one rule or bus.
pub const TAGS: usize = 50;

/// Everything EventBridge remembers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Book {
    /// By name; the default one is always there.
    buses: BTreeMap<String, Bus>,
    /// S3 buckets that tell the default bus of their objects.
    #[serde(default)]
    buckets: BTreeSet<String>,
}

/// Where the book is: part of every ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// 12 digits.
    pub account: String,
    /// Region.
    pub region: String,
}

/// One event bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bus {
    /// When it was made; `None` for the default one.
    pub created: Option<Timestamp>,
    /// What it is for.
    pub description: Option<String>,
    /// Its rules by name.
    pub rules: BTreeMap<String, Rule>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Events it wants, as sent.
    pub pattern: Option<String>,
    /// When it fires by itself, as sent.
    pub schedule: Option<String>,
    /// Whether it acts.
    pub enabled: bool,
    /// What it is for.
    pub description: Option<String>,
    /// Kept and shown, not assumed.
    pub role_arn: Option<String>,
    /// Who gets its events, by id.
    pub targets: BTreeMap<String, Target>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made or changed last: rates count from then.
    pub since: Timestamp,
}

/// What PutRule asks for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// `EventPattern`.
    pub pattern: Option<String>,
    /// `ScheduleExpression`.
    pub schedule: Option<String>,
    /// Absent: enabled.
    pub disabled: bool,
    /// `Description`.
    pub description: Option<String>,
    /// `RoleArn`.
    pub role_arn: Option<String>,
    /// For a new rule only.
    pub tags: BTreeMap<String, String>,
}

/// A refusal in EventBridge's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Denied {
    /// `ResourceNotFoundException`, …; `NotBuilt`: the engine lacks what the message names.
    pub code: &'static str,
    /// The sentence.
    pub message: String,
}

/// The code of what AWS has and the engine has not.
pub const NOT_BUILT: &str = "NotBuilt";

pub(crate) fn denied<T>(code: &'static str, message: impl Into<String>) -> Result<T, Denied> {
    Err(Denied {
        code,
        message: message.into(),
    })
}

fn limit<T>() -> Result<T, Denied> {
    denied(
        "LimitExceededException",
        "The requested resource exceeds the maximum number allowed.",
    )
}

impl Book {
    /// With the default bus alone.
    pub fn new() -> Self {
        let mut book = Self::default();
        book.complete();
        book
    }

    /// Adds the default bus if it is not there.
    pub fn complete(&mut self) {
        self.buses.entry(DEFAULT_BUS.to_owned()).or_insert(Bus {
            created: None,
            description: None,
            rules: BTreeMap::new(),
            tags: BTreeMap::new(),
        });
    }

    /// Whether an S3 bucket tells of its objects.
    pub fn notifies(&self, bucket: &str) -> bool {
        self.buckets.contains(bucket)
    }

    /// PutBucketNotificationConfiguration with or without EventBridge.
    pub fn notify(&mut self, bucket: &str, on: bool) {
        if on {
            self.buckets.insert(bucket.to_owned());
        } else {
            self.buckets.remove(bucket);
        }
    }

    /// PutRule: makes a rule or changes everything of one but its targets and tags.
    ///
    /// # Errors
    /// A pattern or schedule that is none, a bus that is not there, a quota.
    pub fn put_rule(&mut self, bus: &str, wanted: Wanted, now: Timestamp) -> Result<(), Denied> {
        if wanted.pattern.is_none() && wanted.schedule.is_none() {
            return denied(
                "ValidationException",
                "Parameter(s) EventPattern or ScheduleExpression must be specified.",
            );
        }
        if let Some(pattern) = &wanted.pattern
            && let Err(error) = Pattern::compile(pattern)
        {
            return denied("InvalidEventPatternException", error.to_string());
        }
        if let Some(schedule) = &wanted.schedule {
            if bus != DEFAULT_BUS {
                return denied(
                    "ValidationException",
                    "ScheduleExpression is supported only on the default event bus.",
                );
            }
            if let Err(error) = schedule.parse::<Schedule>() {
                return denied("ValidationException", error.to_string());
            }
        }
        let rules = &mut self.bus_mut(bus)?.rules;
        if !rules.contains_key(&wanted.name) && rules.len() >= RULES_PER_BUS {
            return limit();
        }
        let before = rules.remove(&wanted.name);
        let (targets, tags) = before.map_or_else(
            || (BTreeMap::new(), wanted.tags),
            |rule| (rule.targets, rule.tags),
        );
        let rule = Rule {
            pattern: wanted.pattern,
            schedule: wanted.schedule,
            enabled: !wanted.disabled,
            description: wanted.description,
            role_arn: wanted.role_arn,
            targets,
            tags,
            since: now,
        };
        rules.insert(wanted.name, rule);
        Ok(())
    }

    /// DeleteRule; one that is not there is deleted already.
    ///
    /// # Errors
    /// It has targets, or its bus is not there.
    pub fn delete_rule(&mut self, bus: &str, name: &str) -> Result<(), Denied> {
        let rules = &mut self.bus_mut(bus)?.rules;
        if rules.get(name).is_some_and(|rule| !rule.targets.is_empty()) {
            return denied(
                "ValidationException",
                "Rule can't be deleted since it has targets.",
            );
        }
        rules.remove(name);
        Ok(())
    }

    /// EnableRule and DisableRule.
    ///
    /// # Errors
    /// It is not there.
    pub fn set_enabled(
        &mut self,
        bus: &str,
        name: &str,
        enabled: bool,
        now: Timestamp,
    ) -> Result<(), Denied> {
        let rule = self.rule_mut(bus, name)?;
        rule.enabled = enabled;
        rule.since = now;
        Ok(())
    }

    /// PutTargets: adds targets or replaces those of the same id. All or none.
    ///
    /// # Errors
    /// A target or its input is refused, the rule is not there, a quota.
    pub fn put_targets(
        &mut self,
        bus: &str,
        rule: &str,
        targets: Vec<Target>,
    ) -> Result<(), Denied> {
        let ids: BTreeSet<&str> = targets.iter().map(|target| target.id.as_str()).collect();
        if ids.len() != targets.len() {
            return denied(
                "ValidationException",
                "Target Ids must be unique within a request.",
            );
        }
        for target in &targets {
            match Destination::of(&target.arn) {
                Ok(_) => {}
                Err(TargetError::NotBuilt(service)) => {
                    return denied(NOT_BUILT, format!("targets of {service}"));
                }
                Err(error @ TargetError::NoArn(_)) => {
                    return denied("ValidationException", error.to_string());
                }
            }
            if let Err(error) = Input::of(target) {
                return denied("ValidationException", error.to_string());
            }
        }
        let kept = &mut self.rule_mut(bus, rule)?.targets;
        let new = targets
            .iter()
            .filter(|target| !kept.contains_key(&target.id))
            .count();
        if kept.len() + new > TARGETS_PER_RULE {
            return limit();
        }
        kept.extend(
            targets
                .into_iter()
                .map(|target| (target.id.clone(), target)),
        );
        Ok(())
    }

    /// RemoveTargets; ids that are not there are passed over.
    ///
    /// # Errors
    /// The rule is not there.
    pub fn remove_targets(&mut self, bus: &str, rule: &str, ids: &[String]) -> Result<(), Denied> {
        let rule = self.rule_mut(bus, rule)?;
        rule.targets.retain(|id, _| !ids.contains(id));
        Ok(())
    }

    /// One rule.
    ///
    /// # Errors
    /// It or its bus is not there.
    pub fn rule(&self, bus: &str, name: &str) -> Result<&Rule, Denied> {
        let found = self.bus(bus)?.rules.get(name);
        found.map_or_else(|| no_rule(bus, name), Ok)
    }

    fn rule_mut(&mut self, bus: &str, name: &str) -> Result<&mut Rule, Denied> {
        let found = self.bus_mut(bus)?.rules.get_mut(name);
        found.map_or_else(|| no_rule(bus, name), Ok)
    }

    /// The enabled rules with targets, by what they want: their events, the event of their schedule.
    pub fn routes(&self, home: &Home) -> Routes {
        let mut routes = Vec::new();
        for (bus, kept) in &self.buses {
            let acting = |(_, rule): &(&String, &Rule)| rule.enabled && !rule.targets.is_empty();
            for (name, rule) in kept.rules.iter().filter(acting) {
                let arn = home.rule_arn(bus, name);
                let own = rule.pattern.as_deref().map(Pattern::compile);
                let fired = rule
                    .schedule
                    .as_ref()
                    .map(|_| Pattern::compile(&fired_by(&arn)));
                for pattern in own.into_iter().chain(fired).flatten() {
                    let route = Route {
                        rule: name.clone(),
                        arn: arn.clone(),
                        pattern,
                        targets: rule.targets.values().cloned().collect(),
                    };
                    routes.push((bus.clone(), route));
                }
            }
        }
        Routes::new(routes)
    }

    /// The enabled rules with a schedule: name, rule, schedule.
    pub fn schedules(&self) -> Vec<(String, Rule, Schedule)> {
        let rules = self.buses.get(DEFAULT_BUS).map(|bus| &bus.rules);
        let scheduled = |(name, rule): (&String, &Rule)| {
            let schedule = rule.schedule.as_deref()?.parse().ok()?;
            rule.enabled.then(|| (name.clone(), rule.clone(), schedule))
        };
        rules.into_iter().flatten().filter_map(scheduled).collect()
    }
}

/// The pattern of the events that a schedule makes.
fn fired_by(rule_arn: &str) -> String {
    serde_json::json!({
        "source": ["aws.events"],
        "detail-type": [SCHEDULED],
        "resources": [rule_arn],
    })
    .to_string()
}

fn no_rule<T>(bus: &str, name: &str) -> Result<T, Denied> {
    denied(
        "ResourceNotFoundException",
        format!("Rule {name} does not exist on EventBus {bus}."),
    )
}

impl Home {
    /// ARN of a rule.
    pub fn rule_arn(&self, bus: &str, name: &str) -> String {
        let below = if bus == DEFAULT_BUS {
            String::new()
        } else {
            format!("{bus}/")
        };
        self.arn(&format!("rule/{below}{name}"))
    }

    /// ARN of a bus.
    pub fn bus_arn(&self, bus: &str) -> String {
        self.arn(&format!("event-bus/{bus}"))
    }

    fn arn(&self, resource: &str) -> String {
        format!("arn:aws:events:{}:{}:{resource}", self.region, self.account)
    }
}

#[cfg(test)]
mod tests;
