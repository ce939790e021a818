//! The rules file, checked whole: every error names the place and what to write instead.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Escalation, FourEyes, Need, Person, PersonId, Rule, RuleSet, WhenNewerWaits, count,
    entries::{channels, freeze, gate, groups, hours, kept, named, people},
    gate::Gate,
    glass,
    hours::{Freeze, Hours},
    pattern::{Pattern, Place},
    wire,
};
use crate::approval::{chat::room::SlackChannel, level::Level};

/// Largest file that is read, in bytes: it is stored with every request, and DynamoDB's items end at 400 KB.
pub const LARGEST: usize = 64 * 1024;
/// The one version of the format.
pub(super) const VERSION: u32 = 1;

/// Why a rules file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct RulesError {
    /// Path in the file, as `rules[0].needs[1].group`.
    pub place: String,
    /// What is wrong and what to write.
    pub problem: String,
}

pub(super) type Checked<V> = Result<V, RulesError>;

impl RuleSet {
    /// Reads and checks a rules file.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Checked<Self> {
        Self::parse_whole(text).map_err(|mut faults| faults.swap_remove(0))
    }

    /// The same for people who mend it.
    ///
    /// # Errors
    /// Everything that is wrong with its entries; where nothing is, everything that is wrong with its rules. A file
    /// of another shape has one fault.
    pub fn parse_whole(text: &str) -> Result<Self, Vec<RulesError>> {
        if text.len() > LARGEST {
            let problem = format!(
                "it has {} bytes; at most {LARGEST} are read: split the install",
                text.len()
            );
            return Err(vec![error("the file", problem)]);
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let file: wire::File = serde_path_to_error::deserialize(&mut reader).map_err(|e| {
            let path = e.path().to_string();
            let place = if path == "." {
                "the file".to_owned()
            } else {
                path
            };
            vec![error(place, e.into_inner().to_string())]
        })?;
        reader.end().map_err(|e| {
            let problem = format!("it goes on after its end: {e}");
            vec![error("the file", problem)]
        })?;
        Self::check(file)
    }

    pub(super) fn check(file: wire::File) -> Result<Self, Vec<RulesError>> {
        if file.version != VERSION {
            let problem = format!("{} is not known; write {VERSION}", file.version);
            return Err(vec![error("version", problem)]);
        }
        let mut faults = Vec::new();
        let people = people(&file, &mut faults);
        let groups = groups(&file, &mut faults);
        let channels = channels(&file, &mut faults);
        let zones = each(&file.calendars, hours, &mut faults);
        let freezes = each(&file.freezes, freeze, &mut faults);
        let gates = each(&file.gates, gate, &mut faults);
        if file.rules.is_empty() {
            faults.push(error("rules", "there is none: write at least one"));
        }
        let parts = Parts {
            file: &file,
            people,
            groups,
            channels,
            hours: zones,
            freezes,
            gates,
        };
        let mut rules: Vec<(Place, Rule)> = Vec::new();
        // On entries that are wrong, rules would be told to be wrong too.
        let sound = faults.is_empty();
        for (at, wire) in file.rules.iter().enumerate().filter(|_| sound) {
            let here = format!("rules[{at}]");
            let Some((place, rule)) = parts.rule(&here, wire, &mut faults) else {
                continue;
            };
            if let Some((_, twin)) = rules.iter().find(|(_, r)| r.name == rule.name) {
                let problem = format!("there are two rules called {:?}: name one anew", twin.name);
                faults.push(error(format!("{here}.name"), problem));
            } else if let Some((_, twin)) = rules.iter().find(|(p, _)| *p == place) {
                let problem = format!(
                    "the rule {:?} holds for exactly the same: join them or make one more specific",
                    twin.name
                );
                faults.push(error(format!("{here}.for"), problem));
            }
            rules.push((place, rule));
        }
        if faults.is_empty() {
            Ok(Self { file, rules })
        } else {
            Err(faults)
        }
    }

    /// The one rule of a file that [`Rule::source`] gave.
    ///
    /// # Errors
    /// When there are more.
    pub fn into_only(self) -> Checked<Rule> {
        let count = self.rules.len();
        match self.rules.into_iter().next() {
            Some((_, rule)) if count == 1 => Ok(rule),
            _ => Err(error("rules", format!("{count} rules where one belongs"))),
        }
    }
}

struct Parts<'a> {
    file: &'a wire::File,
    people: BTreeMap<PersonId, Person>,
    groups: BTreeMap<&'a str, BTreeSet<PersonId>>,
    channels: BTreeMap<String, SlackChannel>,
    hours: BTreeMap<&'a str, Hours>,
    freezes: BTreeMap<&'a str, Freeze>,
    gates: BTreeMap<&'a str, Gate>,
}

impl Parts<'_> {
    /// The rule, or what is wrong with it.
    fn rule(
        &self,
        here: &str,
        wire: &wire::Rule,
        faults: &mut Vec<RulesError>,
    ) -> Option<(Place, Rule)> {
        let before = faults.len();
        if wire.name.trim().is_empty() || wire.name.len() > 100 {
            let problem = "a name has 1 to 100 characters; approvers read it";
            faults.push(error(format!("{here}.name"), problem));
        }
        let mut pattern = |field: &str, text: &str| {
            let pattern = Pattern::new(text);
            let wrong = |problem| error(format!("{here}.for.{field}"), problem);
            keep(pattern.map_err(wrong), faults)
        };
        let pipeline = pattern("pipeline", &wire.holds_for.pipeline);
        let stage = pattern("stage", &wire.holds_for.stage);
        let action = pattern("action", &wire.holds_for.action);
        let needs = keep(self.needs(here, &wire.needs), faults);
        let veto = wire.veto.as_ref();
        let veto = veto.map(|groups| self.members(&format!("{here}.veto"), groups));
        let veto = keep(veto.transpose(), faults);
        let place = format!("{here}.freezes");
        let freezes = named(&place, "freeze", &wire.freezes, &self.freezes);
        let freezes = keep(freezes, faults);
        let calendar: Vec<String> = wire.hours.iter().cloned().collect();
        let hours = named(&format!("{here}.hours"), "calendar", &calendar, &self.hours);
        let hours = keep(hours, faults);
        if wire.change_calendars.iter().any(|n| n.trim().is_empty()) {
            let problem = "a name is empty: leave the entry out";
            faults.push(error(format!("{here}.changeCalendars"), problem));
        }
        let gates = named(&format!("{here}.gates"), "gate", &wire.gates, &self.gates);
        let gates = keep(gates, faults);
        let escalation = |group: &String| {
            let members = self.members(&format!("{here}.escalateTo"), [group])?;
            Ok(Escalation {
                group: group.clone(),
                members,
            })
        };
        let escalate_to = wire.escalate_to.iter().map(escalation);
        let escalate_to = keep(escalate_to.collect::<Checked<Vec<_>>>(), faults);
        let closes = wire.hours.is_some() || !wire.freezes.is_empty();
        if wire.approve_ahead && !closes && wire.change_calendars.is_empty() {
            faults.push(error(
                format!("{here}.approveAhead"),
                "there is nothing to approve ahead of: name hours, freezes or changeCalendars, or leave it out",
            ));
        }
        let place = format!("{here}.breakGlass");
        let glass = wire.break_glass.as_ref();
        let glass = glass.map(|b| glass::read(&place, b, &self.people, &self.groups));
        let break_glass = keep(glass.transpose(), faults)?;
        if let Some(problem) = break_glass
            .as_ref()
            .and_then(|_| glass::level(level(wire.level)))
        {
            faults.push(error(format!("{here}.level"), problem));
        }
        let rule = Rule {
            name: wire.name.clone(),
            needs: needs?,
            in_order: wire.in_order,
            veto: veto?,
            four_eyes: FourEyes {
                trigger: wire.four_eyes.trigger,
                authors: wire.four_eyes.authors,
                unknown_allowed: wire.four_eyes.unknown == wire::Unknown::Allow,
            },
            hours: hours?.pop(),
            freezes: freezes?,
            change_calendars: wire.change_calendars.clone(),
            approve_ahead: wire.approve_ahead,
            gates: gates?,
            escalate_to: escalate_to?,
            break_glass,
            when_newer_waits: when_newer_waits(wire.when_newer_waits),
            level: level(wire.level),
            people: self.people.clone(),
            channels: self.channels.clone(),
            source: keep(self.alone(wire), faults)?,
            simple: false,
        };
        let mut asked = rule.asked(|_| true);
        asked.extend(rule.escalate_to.iter().flat_map(|e| e.members.clone()));
        asked.extend(rule.break_glass.iter().flat_map(|b| b.reviewers.clone()));
        for id in asked {
            if rule.people.get(&id).is_none_or(|p| p.mail.is_none()) {
                let problem = format!("the rule {:?} asks them, so write where", rule.name);
                faults.push(error(format!("people.{id}.mail"), problem));
            }
        }
        let place = Place {
            pipeline: pipeline?,
            stage: stage?,
            action: action?,
        };
        (faults.len() == before).then_some((place, rule))
    }

    fn needs(&self, here: &str, wire: &[wire::Need]) -> Checked<Vec<Need>> {
        if wire.is_empty() {
            let problem = "nobody is needed: name at least one group and how many of it";
            return Err(error(format!("{here}.needs"), problem));
        }
        let mut needs: Vec<Need> = Vec::new();
        for (at, need) in wire.iter().enumerate() {
            let here = format!("{here}.needs[{at}]");
            let members = self.members(&format!("{here}.group"), [&need.group])?;
            if needs.iter().any(|n| n.group == need.group) {
                let problem = format!("{:?} is named twice: add up the approvals", need.group);
                return Err(error(format!("{here}.group"), problem));
            }
            if need.approvals == 0 || need.approvals as usize > members.len() {
                let problem = format!(
                    "{} of the {} in {:?}: write 1 to {}",
                    need.approvals,
                    members.len(),
                    need.group,
                    members.len()
                );
                return Err(error(format!("{here}.approvals"), problem));
            }
            needs.push(Need {
                group: need.group.clone(),
                members,
                approvals: need.approvals,
            });
        }
        let everybody: BTreeSet<&PersonId> = needs.iter().flat_map(|n| &n.members).collect();
        let can = |id: &PersonId| -> Vec<usize> {
            (0..needs.len())
                .filter(|n| needs[*n].members.contains(id))
                .collect()
        };
        let edges: Vec<Vec<usize>> = everybody.iter().map(|id| can(id)).collect();
        if count::left(&needs, &edges).iter().any(|left| *left > 0) {
            let problem = "these groups share so many people that it can never be met, as one person counts once: ask for less or add people";
            return Err(error(format!("{here}.needs"), problem));
        }
        Ok(needs)
    }

    fn members<'n>(
        &self,
        here: &str,
        groups: impl IntoIterator<Item = &'n String>,
    ) -> Checked<BTreeSet<PersonId>> {
        let mut members = BTreeSet::new();
        for name in groups {
            match self.groups.get(name.as_str()) {
                Some(group) => members.extend(group.iter().cloned()),
                None => return Err(unknown(here, "group", name, self.groups.keys().copied())),
            }
        }
        Ok(members)
    }

    /// The file with this rule alone, and what it does not name left out.
    fn alone(&self, wire: &wire::Rule) -> Checked<String> {
        let mut groups: BTreeSet<&String> = wire.needs.iter().map(|n| &n.group).collect();
        groups.extend(wire.veto.iter().flatten());
        groups.extend(&wire.escalate_to);
        groups.extend(wire.break_glass.iter().map(|b| &b.reviewed_by));
        let file = self.file;
        let alone = wire::File {
            version: VERSION,
            people: file.people.clone(),
            groups: kept(&file.groups, |name| groups.contains(name)),
            channels: kept(&file.channels, |name| groups.contains(name)),
            calendars: kept(&file.calendars, |name| wire.hours.as_ref() == Some(name)),
            freezes: kept(&file.freezes, |name| wire.freezes.contains(name)),
            gates: kept(&file.gates, |name| wire.gates.contains(name)),
            rules: vec![wire.clone()],
        };
        serde_json::to_string(&alone).map_err(|e| error("the file", e.to_string()))
    }
}

/// Every entry of a table; what is wrong goes to the faults.
fn each<'a, W, V>(
    entries: &'a BTreeMap<String, W>,
    check: impl Fn(&str, &W) -> Checked<V>,
    faults: &mut Vec<RulesError>,
) -> BTreeMap<&'a str, V> {
    let mut checked = |(name, wire): (&'a String, &W)| {
        let value = keep(check(name, wire), faults)?;
        Some((name.as_str(), value))
    };
    entries.iter().filter_map(&mut checked).collect()
}

/// The value; what is wrong goes to the faults.
pub(super) fn keep<V>(checked: Checked<V>, faults: &mut Vec<RulesError>) -> Option<V> {
    checked.map_err(|fault| faults.push(fault)).ok()
}

fn level(wire: Option<wire::Level>) -> Level {
    match wire {
        None => Level::default(),
        Some(wire::Level::L1) => Level::Link,
        Some(wire::Level::L2) => Level::Code,
        Some(wire::Level::L3) => Level::SignIn,
    }
}

fn when_newer_waits(wire: Option<wire::WhenNewerWaits>) -> WhenNewerWaits {
    match wire {
        None | Some(wire::WhenNewerWaits::Ask) => WhenNewerWaits::Ask,
        Some(wire::WhenNewerWaits::Reject) => WhenNewerWaits::Reject,
    }
}

pub(super) fn unknown<'a>(
    here: &str,
    what: &str,
    name: &str,
    all: impl Iterator<Item = &'a str>,
) -> RulesError {
    let all: Vec<&str> = all.collect();
    let choice = if all.is_empty() {
        "there is none yet".to_owned()
    } else {
        format!("write one of {}", all.join(", "))
    };
    error(here, format!("no {what} is called {name:?}: {choice}"))
}

pub(super) fn error(place: impl Into<String>, problem: impl Into<String>) -> RulesError {
    RulesError {
        place: place.into(),
        problem: problem.into(),
    }
}
