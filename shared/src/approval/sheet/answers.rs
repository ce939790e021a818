//! What people answered so far, and what the rule still lacks.

use jiff::{Timestamp, tz::TimeZone};

use crate::approval::{
    request::{Record, State, Verdict},
    rules::evaluate,
    words,
};

/// One person's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What they are called.
    pub name: String,
    /// Their mail address.
    pub address: String,
    /// `Approved` or `Rejected`.
    pub verdict: &'static str,
    /// Whether it is an approval.
    pub approved: bool,
    /// When, where people are and in UTC.
    pub at: String,
    /// Why, in lines.
    pub comment: String,
}

/// The answers of a record, in order, for people in this zone.
pub(super) fn all(record: &Record, zone: &TimeZone) -> Vec<Answer> {
    let answers = record.votes.iter().map(|vote| {
        let whose = record.recipient(&vote.recipient);
        let name = whose.map_or("", |r| record.rule.called(&r.person));
        Answer {
            name: words::one_line(name, 100),
            address: whose.map_or_else(String::new, |r| r.address.clone()),
            verdict: vote.verdict.past(),
            approved: vote.verdict == Verdict::Approve,
            at: words::local(vote.at, zone),
            comment: words::lines(&vote.comment, 500),
        }
    });
    answers.collect()
}

/// `1 of 2 approvals`, or what a file's rule still lacks.
pub(super) fn tally(record: &Record, now: Timestamp) -> String {
    let (approvals, needed) = (record.approvals(), record.rule.needed());
    if record.rule.is_simple() || record.state != State::Open {
        return format!("{approvals} of {needed} approvals");
    }
    let so_far = match approvals {
        0 => "No approval yet".to_owned(),
        1 => "1 approval".to_owned(),
        many => format!("{many} approvals"),
    };
    format!("{so_far}; {}", missing(record, now))
}

/// What is still needed, in a sentence.
pub fn more(record: &Record, now: Timestamp) -> String {
    if !record.rule.is_simple() {
        return format!("Still needed: {}.", missing(record, now));
    }
    match record.rule.needed().saturating_sub(record.approvals()) {
        1 => "1 more approval is needed.".to_owned(),
        left => format!("{left} more approvals are needed."),
    }
}

fn missing(record: &Record, now: Timestamp) -> String {
    match record.evaluate(now).verdict {
        evaluate::Verdict::Open { missing } => missing.join("; "),
        evaluate::Verdict::NotYet { why, .. } => why,
        evaluate::Verdict::Approved { .. } | evaluate::Verdict::Rejected { .. } => {
            "nothing more".to_owned()
        }
    }
}

/// What an approval does, by this rule.
pub(super) fn approving(record: &Record) -> String {
    let asker = &record.request.asker;
    match record.rule.needed() {
        0 | 1 => asker.when_approved().to_owned(),
        needed => format!(
            "Counts as one of {needed} approvals; with the last of them the {} goes on.",
            asker.noun()
        ),
    }
}

/// What a rejection does, by this rule.
pub(super) fn rejecting(record: &Record) -> String {
    let then = record.request.asker.when_rejected();
    match &record.rule.veto {
        None => then.to_owned(),
        Some(veto) if veto.is_empty() => {
            "Is shown to the others; no rejection decides alone.".to_owned()
        }
        Some(veto) => {
            let names: Vec<&str> = veto.iter().map(|id| record.rule.called(id)).collect();
            let names = words::one_line(&names.join(" or "), 200);
            format!("Decides where {names} rejects: {then}")
        }
    }
}
