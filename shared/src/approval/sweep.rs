//! What is to be done about a request while nobody looks at it. Plain data to plain data.

use jiff::{SignedDuration, Timestamp};

use crate::{
    approval::{
        chat::room,
        decide::{self, Finding},
        history::Past,
        id::{DecisionId, RecipientId},
        newer, post, renew,
        request::{Decision, Recipient, Record, State, Verdict},
        review,
        rules::{PersonId, evaluate},
        settings::Revoked,
        trail::Kind,
    },
    id::ExecutionId,
};

/// So long an ended request stays on the list: a result that CloudTrail tells of late is still found.
pub const LINGER: SignedDuration = SignedDuration::from_hours(1);
/// CodePipeline ends an action that nobody answered a little before or after the moment it told.
const ABOUT_THE_DEADLINE: SignedDuration = SignedDuration::from_secs(90);

/// One thing to do; the next is asked for once it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Take over the decision whose sender is gone.
    TakeOver,
    /// Write this: the request has ended, or more people are asked.
    Write(Box<Record>),
    /// Tell whoever asked that nobody decided in time, then write this.
    GiveUp(Box<Record>),
    /// Write this and deliver the decision: the time has come for votes given before.
    Decide(Box<Record>, Decision),
    /// Ask for the mails that are due.
    Mail,
    /// Take it off the list of unfinished requests.
    Finish,
    /// Nothing, for now.
    Wait,
}

/// What was looked up about a request before a step.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// How its run stands.
    pub found: Option<Finding>,
    /// What its votes come to under the conditions of now.
    pub verdict: Option<evaluate::Verdict>,
    /// What the pipeline did.
    pub past: Option<Past>,
}

/// Fresh randomness for a step.
pub trait Fresh {
    /// Of a decision.
    fn decision(&mut self) -> DecisionId;
    /// Of a recipient: id and form key.
    fn recipient(&mut self) -> (RecipientId, [u8; 32]);
}

/// What is to be done about this request, as far as was looked up.
pub fn step(
    record: &Record,
    seen: &Seen,
    revoked: &Revoked,
    fresh: &mut impl Fresh,
    now: Timestamp,
) -> Step {
    if let Some(next) = renew::renewed(record, revoked, now) {
        return Step::Write(Box::new(next));
    }
    match &record.state {
        State::Deciding { lease_until, .. } if *lease_until <= now => Step::TakeOver,
        State::Deciding { .. } => Step::Wait,
        State::Open => open(record, seen, fresh, now),
        _ => {
            let mut recipient = || fresh.recipient();
            if let Some(next) = review::step(record, &mut recipient, now) {
                return Step::Write(Box::new(next));
            }
            if wants_mail(record, now) {
                return Step::Mail;
            }
            let over = record
                .ended_at()
                .is_some_and(|at| now.duration_since(at) >= LINGER);
            if over && record.trail.is_empty() && record.open_review().is_none() {
                Step::Finish
            } else {
                Step::Wait
            }
        }
    }
}

fn open(record: &Record, seen: &Seen, fresh: &mut impl Fresh, now: Timestamp) -> Step {
    let found = seen.found.as_ref();
    if let Some(next) = ended(record, found, now) {
        let waits = record.request.asker.machine().is_some() && !found.is_some_and(|f| f.ended);
        let next = Box::new(next);
        return if waits {
            Step::GiveUp(next)
        } else {
            Step::Write(next)
        };
    }
    let verdict = match seen.verdict {
        Some(evaluate::Verdict::Approved { .. }) => Some(Verdict::Approve),
        Some(evaluate::Verdict::Rejected { .. }) => Some(Verdict::Reject),
        _ => None,
    };
    if let Some(verdict) = verdict {
        let mut next = record.clone();
        next.version += 1;
        let decision = decide::deciding(&mut next, fresh.decision(), verdict, now);
        return Step::Decide(Box::new(next), decision);
    }
    if let Some(past) = &seen.past {
        if let Some(next) = newer::retold(record, past, now) {
            return Step::Write(Box::new(next));
        }
        if let Some(execution) = newer::overtaken(record, past, now) {
            let (next, decision) = give_way(record, execution, fresh.decision(), now);
            return Step::Decide(Box::new(next), decision);
        }
    }
    if let Some(next) = escalate(record, fresh, now) {
        return Step::Write(Box::new(next));
    }
    if wants_mail(record, now) {
        return Step::Mail;
    }
    Step::Wait
}

/// The record rejected because this execution waits.
fn give_way(
    record: &Record,
    execution: ExecutionId,
    id: DecisionId,
    now: Timestamp,
) -> (Record, Decision) {
    let mut next = record.clone();
    next.version += 1;
    next.note(Kind::Overtaken, None, Some(execution.to_string()), now);
    let decision = Decision {
        id,
        verdict: Verdict::Reject,
        at: now,
        newer: Some(execution),
    };
    let decision = decide::decided_by(&mut next, decision, now);
    (next, decision)
}

/// The record of an open request that is over, by whoever's doing.
fn ended(record: &Record, found: Option<&Finding>, now: Timestamp) -> Option<Record> {
    let expired = decide::expire(record, now);
    let Some(found) = found.filter(|f| f.ended) else {
        return expired;
    };
    let deadline = record.request.expires_at;
    let unanswered = found.verdict != Some(Verdict::Approve) && found.summary.is_none();
    if unanswered && now >= deadline - ABOUT_THE_DEADLINE {
        let at_deadline = || decide::expire(record, deadline);
        return expired.or_else(at_deadline);
    }
    let mut next = record.clone();
    next.version += 1;
    decide::close(&mut next, found, now);
    Some(next)
}

fn wants_mail(record: &Record, now: Timestamp) -> bool {
    let free = |who: &&Recipient| who.mailing_until.is_none_or(|until| until <= now);
    let mut free = record.recipients.iter().filter(free);
    free.any(|who| post::due(record, who, now).is_some()) || room::due(record, now).is_some()
}

/// The record with the next group asked; `None` when there is none or its time has not come.
fn escalate(record: &Record, fresh: &mut impl Fresh, now: Timestamp) -> Option<Record> {
    let groups = &record.rule.escalate_to;
    let number = usize::from(record.escalated);
    let group = groups.get(number)?;
    if now < escalation_at(record, number, groups.len()) {
        return None;
    }
    let mut next = record.clone();
    next.version += 1;
    next.escalated += 1;
    let mut fresh = || fresh.recipient();
    let asked: Vec<&PersonId> = record.recipients.iter().map(|r| &r.person).collect();
    let more = group.members.iter().filter(|p| !asked.contains(p)).cloned();
    let more: Vec<Recipient> = more
        .filter_map(|person| Recipient::of(&record.rule, person, &mut fresh))
        .collect();
    next.recipients.extend(more);
    next.note(Kind::Escalated, None, Some(group.group.clone()), now);
    Some(next)
}

/// After the last reminder, the time left is shared out among the groups.
fn escalation_at(record: &Record, number: usize, groups: usize) -> Timestamp {
    let last = post::REMINDERS[post::REMINDERS.len() - 1];
    let share = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    post::at_percent(
        record,
        last + (100 - last) * share(number + 1) / share(groups + 1),
    )
}
