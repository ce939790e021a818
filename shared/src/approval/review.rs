//! What a broken glass leaves behind: somebody else looks at it, within some days. Plain data to plain data.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::approval::{
    decide::{self, Ballot, Cast, Refusal, Then},
    id::RecipientId,
    request::{Recipient, Record, State, Verdict},
    rules::{PersonId, evaluate},
    trail::Kind,
};

/// When reviewers are reminded, in percent of the time they have.
const REMINDERS: [i64; 3] = [50, 80, 100];

/// A decision of one person alone, to be looked at by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Who decided alone.
    pub of: PersonId,
    /// Why.
    pub reason: String,
    /// The group that reviews.
    pub group: String,
    /// Its members but for whoever decided.
    pub by: BTreeSet<PersonId>,
    /// When the glass was broken.
    pub opened_at: Timestamp,
    /// Until when it is to be closed.
    pub due_at: Timestamp,
    /// People were told that it was not.
    pub overdue: bool,
    /// Who closed it.
    pub closed: Option<Closed>,
}

/// The end of a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Whose.
    pub by: PersonId,
    /// What they found.
    pub finding: String,
    /// When.
    pub at: Timestamp,
}

impl Review {
    /// How many mails each reviewer has got by now: the question and its reminders.
    pub fn mails_by(&self, now: Timestamp) -> u8 {
        let all = self.due_at.duration_since(self.opened_at).as_secs().max(0);
        let behind = REMINDERS.iter().filter(|percent| {
            let share = SignedDuration::from_secs(all.saturating_mul(**percent) / 100);
            now.duration_since(self.opened_at) >= share
        });
        1 + u8::try_from(behind.count()).unwrap_or_default()
    }
}

impl Record {
    /// The review that nobody has closed yet, of a decision that stands.
    pub fn open_review(&self) -> Option<&Review> {
        let decided = matches!(self.state, State::Decided { .. });
        let review = self.review.as_ref().filter(|_| decided);
        review.filter(|review| review.closed.is_none())
    }

    /// Whether this recipient may close it.
    pub fn may_review(&self, who: &RecipientId) -> bool {
        let person = self.recipient(who).map(|r| &r.person);
        let review = self.open_review().zip(person);
        review.is_some_and(|(review, person)| review.by.contains(person))
    }
}

/// Leaves a review behind where the approval that decides is one person's alone.
pub(super) fn leave(next: &mut Record, verdict: Verdict, now: Timestamp) {
    let evaluated = next.evaluate(now).verdict;
    let (Verdict::Approve, evaluate::Verdict::Approved { review, .. }) = (verdict, evaluated)
    else {
        return;
    };
    let Some((left, glass)) = review.zip(next.rule.break_glass.as_ref()) else {
        return;
    };
    let within = SignedDuration::from_hours(24 * i64::from(glass.within_days));
    let due_at = now.saturating_add(within).unwrap_or(Timestamp::MAX);
    next.review = Some(Review {
        of: left.of,
        reason: left.reason,
        group: left.group,
        by: left.by,
        opened_at: now,
        due_at,
        overdue: false,
        closed: None,
    });
    next.note(Kind::BrokenGlass, None, None, now);
}

/// The record with its reviewers asked, or with the note that they are late; `None`: neither is to be done.
pub(super) fn step(
    record: &Record,
    fresh: &mut impl FnMut() -> (RecipientId, [u8; 32]),
    now: Timestamp,
) -> Option<Record> {
    let review = record.open_review()?;
    let asked: Vec<&PersonId> = record.recipients.iter().map(|r| &r.person).collect();
    let more = review.by.iter().filter(|p| !asked.contains(p)).cloned();
    let more: Vec<Recipient> = more
        .filter_map(|person| Recipient::of(&record.rule, person, fresh))
        .collect();
    let late = now >= review.due_at && !review.overdue;
    if more.is_empty() && !late {
        return None;
    }
    let mut next = record.clone();
    next.version += 1;
    next.recipients.extend(more);
    if late {
        if let Some(review) = &mut next.review {
            review.overdue = true;
        }
        next.note(Kind::ReviewOverdue, None, None, now);
    }
    Some(next)
}

/// Closes the review with what this reviewer found.
pub(super) fn close(record: &Record, ballot: &Ballot, now: Timestamp) -> Result<Cast, Refusal> {
    let closed = record.review.as_ref().and_then(|r| r.closed.as_ref());
    if closed.is_some() {
        return Err(Refusal::AlreadyDecided);
    }
    if !record.may_review(&ballot.recipient) {
        let why = "This review is for somebody else than whoever decided alone.";
        return Err(Refusal::Rule(why.to_owned()));
    }
    if ballot.comment.trim().is_empty() {
        return Err(Refusal::Rule("Say what you found.".to_owned()));
    }
    let mut next = record.clone();
    next.version += 1;
    if let Some(then) = decide::shown(&mut next, ballot, now)? {
        return Ok(Cast {
            write: Some(next),
            then,
        });
    }
    let by = record
        .recipient(&ballot.recipient)
        .map(|r| r.person.clone());
    if let (Some(review), Some(by)) = (&mut next.review, by) {
        review.closed = Some(Closed {
            by,
            finding: ballot.comment.clone(),
            at: now,
        });
    }
    let finding = Some(ballot.comment.clone());
    next.note(Kind::Reviewed, Some(&ballot.recipient), finding, now);
    Ok(Cast {
        write: Some(next),
        then: Then::Counted,
    })
}
