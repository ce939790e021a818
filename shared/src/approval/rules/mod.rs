//! Who must agree: the rules file, the rule that holds for an action, and votes to a verdict. Plain data to plain data.
//!
//! Reading order: `wire` (the file as written), `check` and `entries` (what it means, or why it is
//! refused), [`pattern`] (which rule
//! holds), [`hours`] (when approvals count), [`evaluate`] with `ballots`, `own_work` and `count` (votes to
//! verdict). `docs/approval-rules.md` is for people.

mod ballots;
mod check;
mod count;
mod entries;
pub mod evaluate;
pub mod gate;
mod glass;
pub mod hours;
mod line;
mod own_work;
pub mod pattern;
mod simple;
pub mod told;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;

use crate::{
    approval::{
        chat::{SlackUser, room::SlackChannel},
        level::Level,
        request::Target,
        rules::{
            gate::Gate,
            hours::{Freeze, Hours},
            pattern::Place,
        },
        settings::Address,
    },
    secret::SecretRef,
};

pub use check::{LARGEST, RulesError};
pub use line::line_of;

/// The short name of a person in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(String);

/// All rules of an install, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    file: wire::File,
    rules: Vec<(Place, Rule)>,
}

/// Who must agree to one action, with everything needed to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name in the file.
    pub name: String,
    /// All of them must be met, by distinct persons.
    pub needs: Vec<Need>,
    /// One after the other instead of in any order.
    pub in_order: bool,
    /// Whose rejection decides; `None`: anybody's who is asked.
    pub veto: Option<BTreeSet<PersonId>>,
    /// Who may not approve their own work.
    pub four_eyes: FourEyes,
    /// When approvals count.
    pub hours: Option<Hours>,
    /// When nothing is released.
    pub freezes: Vec<Freeze>,
    /// SSM Change Calendars that must be open.
    pub change_calendars: Vec<String>,
    /// Approvals are taken while hours or freezes are closed, and hold from the next opening.
    pub approve_ahead: bool,
    /// Checks that must have passed beside the people.
    pub gates: Vec<Gate>,
    /// Who is asked too when time runs out, one group after the other; they then count for every need.
    pub escalate_to: Vec<Escalation>,
    /// Who may decide alone in an emergency.
    pub break_glass: Option<BreakGlass>,
    /// What becomes of the request once a newer execution waits.
    pub when_newer_waits: WhenNewerWaits,
    /// What an approver must show beside the link.
    pub level: Level,
    /// Everybody in the file.
    pub people: BTreeMap<PersonId, Person>,
    /// Where groups are asked together.
    channels: BTreeMap<String, SlackChannel>,
    /// The file with this rule alone: what is stored with a request.
    source: String,
    /// Made by [`RuleSet::simple`].
    simple: bool,
}

/// What becomes of a request once a newer execution waits behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenNewerWaits {
    /// People are told, and asked on.
    #[default]
    Ask,
    /// It is rejected, for what it asks is out of date.
    Reject,
}

/// N of the members of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The group.
    pub group: String,
    /// Who is in it.
    pub members: BTreeSet<PersonId>,
    /// How many of them, at least 1.
    pub approvals: u32,
}

/// A group that is asked when time runs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// The group.
    pub group: String,
    /// Who is in it.
    pub members: BTreeSet<PersonId>,
}

/// Nobody approves their own work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FourEyes {
    /// Not whoever started the execution.
    pub trigger: bool,
    /// Not whoever wrote a commit or opened its pull request.
    pub authors: bool,
    /// Approvals are taken although it is not known who that is.
    pub unknown_allowed: bool,
}

/// One person decides alone in an emergency, and others look at it afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlass {
    /// Who may.
    pub people: BTreeSet<PersonId>,
    /// The group that reviews it.
    pub reviewed_by: String,
    /// Its members.
    pub reviewers: BTreeSet<PersonId>,
    /// How many days they have.
    pub within_days: u8,
}

/// Somebody the file knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// For people.
    pub name: String,
    /// Where they are asked; who is only known as an author has none.
    pub mail: Option<Address>,
    /// Who they are in Slack.
    pub slack: Option<SlackUser>,
    /// Where the address of their webhook in Teams lies.
    pub teams: Option<SecretRef>,
    /// Every name that stands for them, normal.
    names: BTreeSet<String>,
    /// When they are away.
    pub away: Vec<Absence>,
}

/// A time in which somebody is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// First moment.
    pub from: Timestamp,
    /// First moment after.
    pub until: Timestamp,
    /// Who answers meanwhile.
    pub delegate: Option<PersonId>,
}

/// Why no rule holds: the request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRule {
    /// None matches.
    #[error(
        "no rule holds for {pipeline}/{stage}/{action}: nobody may approve it. Add a rule whose \"for\" matches it"
    )]
    None {
        /// Pipeline.
        pipeline: String,
        /// Stage.
        stage: String,
        /// Action.
        action: String,
    },
    /// Two are equally specific.
    #[error(
        "the rules {first:?} and {second:?} both hold for {place} and neither is more specific: make the \"for\" of one of them so"
    )]
    Two {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// Pipeline, stage and action.
        place: String,
    },
}

impl PersonId {
    /// As stored.
    pub(in crate::approval) fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RuleSet {
    /// Every rule, in the order of the file.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|(_, rule)| rule)
    }

    /// Whether the rule that holds for this action by now may still ask whoever has this address.
    pub fn still_asks(&self, target: &Target, address: &str) -> bool {
        let Ok(rule) = self.select(target) else {
            return false;
        };
        let mut may = rule.asked(|_| true);
        may.extend(rule.escalate_to.iter().flat_map(|e| e.members.clone()));
        may.extend(rule.break_glass.iter().flat_map(|b| b.reviewers.clone()));
        let person = rule.person_named(address);
        person.is_some_and(|person| may.contains(person))
    }

    /// The rule that holds for this action: the most specific of those that match.
    ///
    /// # Errors
    /// When none does, or two do equally.
    pub fn select(&self, target: &Target) -> Result<&Rule, NoRule> {
        let mut best: Option<&(Place, Rule)> = None;
        let mut twin = None;
        for entry in self.rules.iter().filter(|(p, _)| p.matches(target)) {
            let order = best.map(|b| entry.0.specificity().cmp(&b.0.specificity()));
            match order {
                Some(std::cmp::Ordering::Less) => {}
                Some(std::cmp::Ordering::Equal) => twin = Some(entry),
                Some(std::cmp::Ordering::Greater) | None => {
                    best = Some(entry);
                    twin = None;
                }
            }
        }
        let Target {
            pipeline,
            stage,
            action,
        } = target;
        match (best, twin) {
            (Some((_, rule)), None) => Ok(rule),
            (Some((_, first)), Some((_, second))) => Err(NoRule::Two {
                first: first.name.clone(),
                second: second.name.clone(),
                place: format!("{pipeline}/{stage}/{action}"),
            }),
            (None, _) => Err(NoRule::None {
                pipeline: pipeline.to_string(),
                stage: stage.to_string(),
                action: action.to_string(),
            }),
        }
    }
}

impl Rule {
    /// The file with this rule alone; [`RuleSet::parse`] reads it again.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What people are called in sentences.
    pub fn called<'a>(&'a self, id: &'a PersonId) -> &'a str {
        self.people.get(id).map_or(id.as_str(), |p| p.name.as_str())
    }

    /// Whether it is an install's one number of approvers instead of a file's rule.
    pub fn is_simple(&self) -> bool {
        self.simple
    }

    /// Everybody whose answer may count in this time: members, those who stand in for them, vetoers, and who may break
    /// the glass.
    pub fn asked_between(&self, from: Timestamp, until: Timestamp) -> BTreeSet<PersonId> {
        self.asked(|a| a.from < until && from < a.until)
    }

    fn asked(&self, away: impl Fn(&Absence) -> bool) -> BTreeSet<PersonId> {
        let mut asked: BTreeSet<PersonId> =
            self.needs.iter().flat_map(|n| n.members.clone()).collect();
        asked.extend(self.veto.iter().flatten().cloned());
        let delegates: Vec<PersonId> = asked
            .iter()
            .filter_map(|id| self.people.get(id))
            .flat_map(|p| p.away.iter().filter(|a| away(a)))
            .filter_map(|a| a.delegate.clone())
            .collect();
        asked.extend(delegates);
        asked.extend(self.break_glass.iter().flat_map(|b| b.people.clone()));
        asked
    }

    /// The rule once this many groups are asked beside its own; `None`: it is the same.
    fn escalated(&self, groups: u8) -> Option<Self> {
        let more: BTreeSet<PersonId> = self
            .escalate_to
            .iter()
            .take(usize::from(groups))
            .flat_map(|e| e.members.clone())
            .collect();
        if more.is_empty() {
            return None;
        }
        let mut rule = self.clone();
        for need in &mut rule.needs {
            need.members.extend(more.iter().cloned());
        }
        Some(rule)
    }

    /// The channels of the groups that are needed, and of this many that are asked beside them; each once.
    pub fn channels(&self, escalated: u8) -> Vec<&SlackChannel> {
        let needed = self.needs.iter().map(|need| &need.group);
        let more = self.escalate_to.iter().take(usize::from(escalated));
        let groups = needed.chain(more.map(|e| &e.group));
        let mut channels: Vec<&SlackChannel> = Vec::new();
        for channel in groups.filter_map(|group| self.channels.get(group)) {
            if !channels.contains(&channel) {
                channels.push(channel);
            }
        }
        channels
    }

    /// How many approvals are needed in all.
    pub fn needed(&self) -> u32 {
        self.needs.iter().map(|n| n.approvals).sum()
    }

    /// The person that one of these names stands for.
    pub fn person_named(&self, name: &str) -> Option<&PersonId> {
        let name = normal(name);
        self.people
            .iter()
            .find(|(_, p)| p.names.contains(&name))
            .map(|(id, _)| id)
    }

    /// Whether `delegate` answers for `person` at this time.
    fn stands_in(&self, delegate: &PersonId, person: &PersonId, at: Timestamp) -> bool {
        self.people.get(person).is_some_and(|p| {
            p.away
                .iter()
                .any(|a| a.from <= at && at < a.until && a.delegate.as_ref() == Some(delegate))
        })
    }
}

/// The same for every spelling of one name: case, spaces around, and the `+tag` of a mail address dropped.
fn normal(name: &str) -> String {
    let name = name.trim();
    match name.parse::<Address>() {
        Ok(address) => address.person(),
        Err(_) => name.to_lowercase(),
    }
}

#[cfg(test)]
mod tests;
