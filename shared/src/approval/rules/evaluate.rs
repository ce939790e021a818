//! Votes to a verdict.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    PersonId, Rule,
    ballots::{Ballots, latest, plural},
    count,
    hours::Closed,
    own_work::own_work,
};

/// One answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Whose.
    pub person: PersonId,
    /// What.
    pub choice: Choice,
    /// Why; breaking the glass needs one.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What somebody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Choice {
    /// No.
    Reject,
    /// Yes.
    Approve,
    /// Yes, alone, in an emergency.
    BreakGlass,
}

/// What is known beside the votes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Who started the execution.
    pub trigger: Actor,
    /// Who wrote what is released, or opened its pull requests. Empty: not known.
    pub authors: Vec<Actor>,
    /// States of the Change Calendars that the rule names, as of now.
    pub calendars: BTreeMap<String, CalendarState>,
    /// Results of the gates that the rule names, as of now.
    pub gates: BTreeMap<String, GateState>,
    /// How many of the groups that the rule escalates to are asked too: they count for every need.
    pub escalated: u8,
}

/// What machines say that a rule asks beside its people, as of now. What is not in it counts as closed or not passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// States of Change Calendars.
    pub calendars: BTreeMap<String, CalendarState>,
    /// Results of gates.
    pub gates: BTreeMap<String, GateState>,
}

impl Conditions {
    /// All open and passed.
    pub fn good(rule: &Rule) -> Self {
        let calendars = rule.change_calendars.iter().cloned();
        let gates = rule.gates.iter().map(|gate| gate.name.clone());
        Self {
            calendars: calendars.map(|c| (c, CalendarState::Open)).collect(),
            gates: gates.map(|g| (g, GateState::Passed)).collect(),
        }
    }
}

/// Who did something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Actor {
    /// It is not known.
    #[default]
    Unknown,
    /// No person: a webhook, a schedule.
    Machine,
    /// Somebody with these names (mail address, user name, ARN), of which any may be an alias.
    Named(Vec<String>),
}

/// What GetCalendarState says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarState {
    /// Changes are allowed.
    Open,
    /// They are not, until the next transition.
    Closed {
        /// `NextTransitionTime`.
        until: Option<Timestamp>,
    },
}

/// How a machine's check stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateState {
    /// It passed.
    Passed,
    /// It did not.
    Failed {
        /// In its own words.
        why: String,
    },
}

/// What votes come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// Where the request stands.
    pub verdict: Verdict,
    /// Votes that do not count, by their index.
    pub refused: BTreeMap<usize, String>,
}

/// Where a request stands under its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// More is needed: each a phrase such as `1 more approval of security (Kim or Lee)`.
    Open {
        /// At least one.
        missing: Vec<String>,
    },
    /// Everything needed is there, but not yet the time.
    NotYet {
        /// When that may be; `None`: not known.
        until: Option<Timestamp>,
        /// A sentence.
        why: String,
    },
    /// The pipeline may go on.
    Approved {
        /// Whose approvals count or would have; with a broken glass, who broke it.
        by: BTreeSet<PersonId>,
        /// Left behind by a broken glass.
        review: Option<Review>,
    },
    /// The action fails.
    Rejected {
        /// Whose rejections did it.
        by: BTreeSet<PersonId>,
        /// A sentence.
        why: String,
    },
}

/// What others must look at afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Who broke the glass.
    pub of: PersonId,
    /// Why.
    pub reason: String,
    /// The group that reviews.
    pub group: String,
    /// Its members but for whoever broke the glass.
    pub by: BTreeSet<PersonId>,
}

/// What the votes come to, now.
///
/// Votes may come in any order; their times say which was first. Rejections come first of all, then a broken glass,
/// then the approvals that count. An approval counts for one need, whoever gives it.
pub fn evaluate(rule: &Rule, facts: &Circumstances, votes: &[Vote], now: Timestamp) -> Evaluation {
    let escalated = rule.escalated(facts.escalated);
    let rule = escalated.as_ref().unwrap_or(rule);
    let mut order: Vec<usize> = (0..votes.len()).collect();
    order.sort_by_key(|i| (votes[*i].at, &votes[*i].person, votes[*i].choice));
    let mut ballots = Ballots {
        rule,
        own: own_work(rule, facts),
        votes,
        refused: BTreeMap::new(),
    };
    let rejecting = ballots.rejections(&order);
    let glass = ballots.broken_glass(&order, &rejecting);
    let approving = ballots.approvals(&order, &rejecting);
    let (counted, left) = if rule.in_order {
        ballots.in_order(&approving, &rejecting)
    } else {
        ballots.in_any_order(&approving, &rejecting)
    };
    let verdict = if let Some(rejected) = ballots.rejected(&rejecting, &approving) {
        rejected
    } else if let Some(review) = glass {
        Verdict::Approved {
            by: BTreeSet::from([review.of.clone()]),
            review: Some(review),
        }
    } else {
        ballots.approved(facts, counted, &left, &rejecting, now)
    };
    Evaluation {
        verdict,
        refused: ballots.refused,
    }
}

impl Ballots<'_> {
    fn rejected(
        &self,
        rejecting: &BTreeMap<PersonId, bool>,
        approving: &[usize],
    ) -> Option<Verdict> {
        let vetoed: BTreeSet<PersonId> = rejecting
            .iter()
            .filter(|(_, veto)| **veto)
            .map(|(p, _)| p.clone())
            .collect();
        if !vetoed.is_empty() {
            let why = format!(
                "{} rejected it, and under the rule \"{}\" that decides.",
                self.names(vetoed.iter(), " and "),
                self.rule.name
            );
            return Some(Verdict::Rejected { by: vetoed, why });
        }
        if rejecting.is_empty() || self.can_be_met(rejecting, approving) {
            return None;
        }
        let by: BTreeSet<PersonId> = rejecting.keys().cloned().collect();
        let why = format!(
            "{} rejected it, and without them the rule \"{}\" cannot be met any more.",
            self.names(by.iter(), " and "),
            self.rule.name
        );
        Some(Verdict::Rejected { by, why })
    }

    /// Whether the rule could still be met if everybody who has not rejected it approved.
    fn can_be_met(&self, rejecting: &BTreeMap<PersonId, bool>, approving: &[usize]) -> bool {
        let rule = self.rule;
        let may = |id: &PersonId| {
            let voted = approving.iter().any(|i| self.votes[*i].person == *id);
            voted || !(rejecting.contains_key(id) || self.own.of.contains_key(id))
        };
        let edges: Vec<Vec<usize>> = rule
            .people
            .keys()
            .filter(|id| may(id))
            .map(|id| {
                let stands = |p: &&PersonId| {
                    rule.people[*p]
                        .away
                        .iter()
                        .any(|a| a.delegate.as_ref() == Some(id))
                };
                let mut seats: Vec<&PersonId> = rule.people.keys().filter(stands).collect();
                seats.retain(|s| !rejecting.contains_key(*s));
                seats.push(id);
                let open = |n: &usize| seats.iter().any(|s| rule.needs[*n].members.contains(*s));
                (0..rule.needs.len()).filter(open).collect()
            })
            .collect();
        count::left(&rule.needs, &edges).iter().all(|l| *l == 0)
    }

    fn approved(
        &self,
        facts: &Circumstances,
        by: BTreeSet<PersonId>,
        left: &[u32],
        rejecting: &BTreeMap<PersonId, bool>,
        now: Timestamp,
    ) -> Verdict {
        let rule = self.rule;
        let mut missing: Vec<String> = Vec::new();
        for (need, left) in rule.needs.iter().zip(left).filter(|(_, left)| **left > 0) {
            let may = need.members.iter().filter(|m| {
                !by.contains(*m) && !rejecting.contains_key(*m) && !self.own.of.contains_key(*m)
            });
            let who = match self.names(may, " or ") {
                who if who.is_empty() => "nobody is left who may give it".to_owned(),
                who => who,
            };
            let plural = plural(*left);
            missing.push(format!(
                "{left} more approval{plural} of {} ({who})",
                need.group
            ));
        }
        for gate in rule.gates.iter().map(|gate| &gate.name) {
            match facts.gates.get(gate) {
                Some(GateState::Passed) => {}
                Some(GateState::Failed { why }) => {
                    missing.push(format!("the check \"{gate}\", which failed: {why}"));
                }
                None => missing.push(format!("the check \"{gate}\", whose result is not known")),
            }
        }
        if !missing.is_empty() {
            return Verdict::Open { missing };
        }
        let calendars = rule.change_calendars.iter().filter_map(|name| {
            let (until, is) = match facts.calendars.get(name) {
                Some(CalendarState::Open) => return None,
                Some(CalendarState::Closed { until }) => (*until, "is closed"),
                None => (None, "could not be read, so it counts as closed"),
            };
            Some(Closed {
                until,
                why: format!("The change calendar \"{name}\" {is}"),
            })
        });
        match latest(self.closed(now).into_iter().chain(calendars)) {
            Some(closed) => Verdict::NotYet {
                until: closed.until,
                why: format!("All approvals are there. {}", closed.sentence()),
            },
            None => Verdict::Approved { by, review: None },
        }
    }

    fn names<'p>(&self, people: impl Iterator<Item = &'p PersonId>, and: &str) -> String {
        let names: Vec<String> = people.map(|p| self.rule.called(p).to_owned()).collect();
        match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{}{and}{last}", rest.join(", ")),
            _ => names.join(""),
        }
    }
}
