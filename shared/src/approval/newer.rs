//! Requests that newer executions have overtaken: what is told of them anew, and which of them give way.

use jiff::Timestamp;

use crate::{
    approval::{
        facts::Mode,
        history::{self, History, Past},
        request::{Record, State},
        rules::{WhenNewerWaits, evaluate::Verdict},
        trail::Kind,
    },
    id::ExecutionId,
};

/// In whose name the rule answers where results name an approver; no person is called so, for it is no address.
pub const ANSWERED_BY: &str = "stagewright-rule";
/// How often the past of a request is looked at whose rule does not depend on it, in minutes.
const EVERY: i64 = 5;

/// Whether the past of this request is to be looked at in this minute: each has its turn, so that a round stays short.
pub fn wants_past(record: &Record, now: Timestamp) -> bool {
    if record.state != State::Open || record.request.asker.machine().is_some() {
        return false;
    }
    let waited = now.duration_since(record.request.asked_at).as_mins();
    record.rule.when_newer_waits == WhenNewerWaits::Reject || waited % EVERY == 0
}

/// The record with what the pipeline's past says by now; `None` when that is what it says already.
///
/// Of a busy pipeline the past may no longer reach back to the last release: what was known then stays.
pub fn retold(record: &Record, past: &Past, now: Timestamp) -> Option<Record> {
    let request = &record.request;
    let told = history::retell(&request.target, &request.execution, past)?;
    let known = &request.facts.history;
    let history = if told.current.is_none() && known.current.is_some() {
        History {
            last: told.last.or_else(|| known.last.clone()),
            newer: told.newer,
            ..known.clone()
        }
    } else {
        told
    };
    if history == *known {
        return None;
    }
    let mut next = record.clone();
    next.version += 1;
    next.request.facts.history = history;
    let digest = next.snapshot_digest();
    if digest != record.snapshot_digest() {
        next.note(Kind::Changed, None, Some(digest), now);
    }
    Some(next)
}

/// The newer execution that this request gives way to.
///
/// Only under a rule that says so, and only where the mode lets newer ones overtake: SUPERSEDED, once one waits to enter
/// the stage and may; PARALLEL, once one of the same sources and branches waits at the same action. QUEUED promises every
/// execution its turn. What enough people have agreed to, and waits for its time, gives way to nothing.
pub fn overtaken(record: &Record, past: &Past, now: Timestamp) -> Option<ExecutionId> {
    let request = &record.request;
    if record.state != State::Open || record.rule.when_newer_waits == WhenNewerWaits::Ask {
        return None;
    }
    if matches!(record.evaluate(now).verdict, Verdict::NotYet { .. }) {
        return None;
    }
    match request.facts.mode? {
        Mode::Superseded if !past.shut => {
            let told = history::retell(&request.target, &request.execution, past)?;
            told.newer.into_iter().next().map(|e| e.execution)
        }
        Mode::Parallel => history::beside(&request.target, &request.execution, past),
        Mode::Superseded | Mode::Queued => None,
    }
}
