//! Which votes count, for what, and why the others do not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    PersonId, Rule, count,
    evaluate::{Choice, Review, Vote},
    hours::Closed,
    own_work::OwnWork,
};

const TWICE: &str = "You have approved this already; one person counts once.";
const ANSWERED_FOR: &str = "Somebody has answered for the person you stand in for, or stood in for you: nobody counts twice.";

pub(super) struct Ballots<'a> {
    pub(super) rule: &'a Rule,
    pub(super) own: OwnWork,
    pub(super) votes: &'a [Vote],
    pub(super) refused: BTreeMap<usize, String>,
}

impl Ballots<'_> {
    fn refuse(&mut self, vote: usize, why: impl Into<String>) {
        self.refused.entry(vote).or_insert_with(|| why.into());
    }

    /// Persons whose approval a vote may stand for: their own first, then those they stand in for.
    fn seats(&self, person: &PersonId, at: Timestamp) -> Vec<PersonId> {
        let mut seats = vec![person.clone()];
        let stood_for = self.rule.people.keys().filter(|p| *p != person);
        seats.extend(
            stood_for
                .filter(|p| self.rule.stands_in(person, p, at))
                .cloned(),
        );
        seats
    }

    fn is_member(&self, person: &PersonId) -> bool {
        self.rule.needs.iter().any(|n| n.members.contains(person))
    }

    fn has_veto(&self, person: &PersonId, at: Timestamp) -> bool {
        let seats = self.seats(person, at);
        let breaks = self
            .rule
            .break_glass
            .as_ref()
            .is_some_and(|b| b.people.contains(person));
        match &self.rule.veto {
            None => breaks || seats.iter().any(|s| self.is_member(s)),
            Some(veto) => seats.iter().any(|s| veto.contains(s)),
        }
    }

    /// Everybody who rejects, and whether it decides.
    pub(super) fn rejections(&mut self, order: &[usize]) -> BTreeMap<PersonId, bool> {
        let mut rejecting = BTreeMap::new();
        let votes = self.votes;
        for &i in order {
            let vote = &votes[i];
            if vote.choice != Choice::Reject {
                continue;
            }
            let veto = self.has_veto(&vote.person, vote.at);
            let seats = self.seats(&vote.person, vote.at);
            if veto || seats.iter().any(|s| self.is_member(s)) {
                *rejecting.entry(vote.person.clone()).or_insert(false) |= veto;
            } else {
                self.refuse(i, not_asked(self.rule));
            }
        }
        rejecting
    }

    pub(super) fn broken_glass(
        &mut self,
        order: &[usize],
        rejecting: &BTreeMap<PersonId, bool>,
    ) -> Option<Review> {
        let votes = self.votes;
        let mut review = None;
        for &i in order {
            let vote = &votes[i];
            if vote.choice != Choice::BreakGlass {
                continue;
            }
            let glass = self.rule.break_glass.as_ref();
            let Some(glass) = glass.filter(|g| g.people.contains(&vote.person)) else {
                self.refuse(
                    i,
                    "You are not among those who may decide alone in an emergency.",
                );
                continue;
            };
            if rejecting.contains_key(&vote.person) {
                self.refuse(i, "You have rejected this already.");
            } else if vote.reason.trim().is_empty() {
                self.refuse(
                    i,
                    "Deciding alone in an emergency needs a reason: write one.",
                );
            } else if review.is_none() {
                review = Some(Review {
                    of: vote.person.clone(),
                    reason: vote.reason.clone(),
                    group: glass.reviewed_by.clone(),
                    by: glass
                        .reviewers
                        .iter()
                        .filter(|r| **r != vote.person)
                        .cloned()
                        .collect(),
                });
            }
        }
        review
    }

    /// Approvals that may count, one for each person, the first in time.
    pub(super) fn approvals(
        &mut self,
        order: &[usize],
        rejecting: &BTreeMap<PersonId, bool>,
    ) -> Vec<usize> {
        let votes = self.votes;
        let mut taken = Vec::new();
        for &i in order {
            let vote = &votes[i];
            if vote.choice != Choice::Approve {
                continue;
            }
            let seats = self.seats(&vote.person, vote.at);
            let closed = self.closed(vote.at);
            if !seats.iter().any(|s| self.is_member(s)) {
                self.refuse(i, not_asked(self.rule));
            } else if rejecting.contains_key(&vote.person) {
                self.refuse(i, "You have rejected this already.");
            } else if let Some(why) = self.own.of.get(&vote.person).or(self.own.nobody.as_ref()) {
                let why = why.clone();
                self.refuse(i, why);
            } else if let (false, Some(closed)) = (self.rule.approve_ahead, closed) {
                self.refuse(i, closed.sentence());
            } else {
                taken.push(i);
            }
        }
        taken
    }

    /// Why approvals do not count at this time, as far as the file says.
    pub(super) fn closed(&self, at: Timestamp) -> Option<Closed> {
        let hours = self.rule.hours.as_ref().and_then(|h| h.closed(at));
        let freezes = self.rule.freezes.iter().filter_map(|f| f.closed(at));
        latest(hours.into_iter().chain(freezes))
    }

    /// The needs an approval may count for, and for whose seat. Who answers in person is not answered for, and of two
    /// who stand in for the same person the first counts.
    fn options(
        &self,
        vote: &Vote,
        earlier: &[&Vote],
        present: &BTreeSet<&PersonId>,
    ) -> Vec<(usize, PersonId)> {
        let mut options: Vec<(usize, PersonId)> = Vec::new();
        for seat in self.seats(&vote.person, vote.at) {
            let own = seat == vote.person;
            let doubled = earlier
                .iter()
                .any(|e| self.rule.stands_in(&e.person, &seat, e.at));
            if !own && (present.contains(&seat) || doubled) {
                continue;
            }
            for (n, need) in self.rule.needs.iter().enumerate() {
                if need.members.contains(&seat) && options.iter().all(|(o, _)| *o != n) {
                    options.push((n, seat.clone()));
                }
            }
        }
        options
    }

    /// Who counts, and how many approvals each need lacks.
    pub(super) fn in_any_order(
        &mut self,
        approving: &[usize],
        rejecting: &BTreeMap<PersonId, bool>,
    ) -> (BTreeSet<PersonId>, Vec<u32>) {
        let votes = self.votes;
        let mut present: BTreeSet<&PersonId> =
            approving.iter().map(|i| &votes[*i].person).collect();
        present.extend(rejecting.keys());
        let mut earlier: Vec<&Vote> = Vec::new();
        // By person, so that what is missing does not depend on who came first either.
        let mut edges: BTreeMap<PersonId, Vec<usize>> = BTreeMap::new();
        for &i in approving {
            let vote = &votes[i];
            if edges.contains_key(&vote.person) {
                self.refuse(i, TWICE);
                continue;
            }
            let options = self.options(vote, &earlier, &present);
            earlier.push(vote);
            if options.is_empty() {
                self.refuse(i, ANSWERED_FOR);
                continue;
            }
            let needs = options.into_iter().map(|(n, _)| n).collect();
            edges.insert(vote.person.clone(), needs);
        }
        let counted = edges.keys().cloned().collect();
        let edges: Vec<Vec<usize>> = edges.into_values().collect();
        (counted, count::left(&self.rule.needs, &edges))
    }

    /// The same, one need after the other.
    pub(super) fn in_order(
        &mut self,
        approving: &[usize],
        rejecting: &BTreeMap<PersonId, bool>,
    ) -> (BTreeSet<PersonId>, Vec<u32>) {
        let votes = self.votes;
        let needs = &self.rule.needs;
        let mut left: Vec<u32> = needs.iter().map(|n| n.approvals).collect();
        let mut counted = BTreeSet::new();
        let mut used: BTreeSet<(usize, PersonId)> = BTreeSet::new();
        let rejected: BTreeSet<&PersonId> = rejecting.keys().collect();
        for &i in approving {
            let vote = &votes[i];
            if counted.contains(&vote.person) {
                self.refuse(i, TWICE);
                continue;
            }
            let options: Vec<(usize, PersonId)> = self
                .seats(&vote.person, vote.at)
                .into_iter()
                .filter(|seat| *seat == vote.person || !rejected.contains(seat))
                .flat_map(|seat| {
                    let of = |n: &usize| needs[*n].members.contains(&seat);
                    let at: Vec<usize> = (0..needs.len()).filter(of).collect();
                    at.into_iter().map(move |n| (n, seat.clone()))
                })
                .collect();
            let Some(turn) = left.iter().position(|l| *l > 0) else {
                counted.insert(vote.person.clone());
                continue;
            };
            let here: Vec<&(usize, PersonId)> =
                options.iter().filter(|(n, _)| *n == turn).collect();
            if let Some(seat) = here.iter().find(|o| !used.contains(**o)) {
                used.insert((*seat).clone());
                counted.insert(vote.person.clone());
                left[turn] -= 1;
            } else if !here.is_empty() {
                self.refuse(i, ANSWERED_FOR);
            } else if options.iter().any(|(n, _)| *n > turn) {
                let need = &needs[turn];
                let plural = plural(left[turn]);
                self.refuse(
                    i,
                    format!(
                        "{} answers first and still lacks {} approval{plural}; answer once it is your turn.",
                        need.group, left[turn]
                    ),
                );
            } else {
                counted.insert(vote.person.clone());
            }
        }
        (counted, left)
    }
}

fn not_asked(rule: &Rule) -> String {
    format!(
        "You are not among those whom the rule \"{}\" asks at this time.",
        rule.name
    )
}

/// The one that lasts longest; one without an end outlasts all.
pub(super) fn latest(closed: impl Iterator<Item = Closed>) -> Option<Closed> {
    closed.max_by_key(|c| c.until.unwrap_or(Timestamp::MAX))
}

pub(super) const fn plural(count: u32) -> &'static str {
    if count == 1 { "" } else { "s" }
}
