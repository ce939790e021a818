//! Which mail is due to whom: invitation, reminders, outcome. Plain data to plain data.

use jiff::{SignedDuration, Timestamp};

use crate::approval::{
    chat::ChatPlace,
    id::RecipientId,
    request::{IssuedLink, Recipient, Record, State},
    trail::Kind,
};

/// How long one delivery has a recipient's mail to itself.
pub const MAIL_LEASE: SignedDuration = SignedDuration::from_secs(20);
/// When reminders go out, in percent of the time between question and deadline.
pub const REMINDERS: [i64; 2] = [50, 80];
/// For so long after its end people are told of it; what SES refused until then stays untold.
const TELL_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// A mail that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The question.
    Invitation,
    /// The question again.
    Reminder {
        /// How many of [`REMINDERS`] are then behind.
        number: u8,
    },
    /// Their links are locked: what to do now.
    Locked,
    /// Somebody decided alone, and others look at it.
    Review {
        /// How many mails about it there then were.
        number: u8,
    },
    /// How it ended.
    Outcome,
}

impl Due {
    /// Whether the mail carries a link and a code.
    pub const fn asks(self) -> bool {
        matches!(
            self,
            Self::Invitation | Self::Reminder { .. } | Self::Review { .. }
        )
    }
}

/// The mail that is due to this recipient, if one is.
pub fn due(record: &Record, who: &Recipient, now: Timestamp) -> Option<Due> {
    match &record.state {
        State::Open if now >= record.request.expires_at => None,
        State::Open if who.mailed_at.is_none() => Some(Due::Invitation),
        State::Open if who.locked() => (!who.lock_told).then_some(Due::Locked),
        State::Open => {
            let number = reminders_by(record, now);
            let answered = record.vote_of(&who.id).is_some();
            (number > who.reminders && !answered).then_some(Due::Reminder { number })
        }
        State::Deciding { .. } => None,
        _ if let Some(number) = review(record, who, now) => Some(Due::Review { number }),
        State::Decided { .. }
        | State::Elsewhere { .. }
        | State::Superseded { .. }
        | State::Expired { .. } => {
            let wants = who.was_mailed() && who.told_at.is_none();
            (wants && !too_late(record, now)).then_some(Due::Outcome)
        }
    }
}

/// The number of the mail about a review that is due to this recipient.
fn review(record: &Record, who: &Recipient, now: Timestamp) -> Option<u8> {
    let number = record.open_review()?.mails_by(now);
    let may = record.may_review(&who.id) && !who.locked();
    (may && number > who.review_mails).then_some(number)
}

/// Whether it ended too long ago for anybody to be told.
pub fn too_late(record: &Record, now: Timestamp) -> bool {
    let ended = record.ended_at();
    ended.is_some_and(|at| now.duration_since(at) > TELL_WITHIN)
}

/// How many reminders are behind at this time.
pub fn reminders_by(record: &Record, now: Timestamp) -> u8 {
    let behind = REMINDERS
        .iter()
        .filter(|percent| now >= at_percent(record, **percent));
    u8::try_from(behind.count()).unwrap_or(u8::MAX)
}

/// The moment at which this much of the time to answer is over.
pub fn at_percent(record: &Record, percent: i64) -> Timestamp {
    let request = &record.request;
    let all = request
        .expires_at
        .duration_since(request.asked_at)
        .as_secs()
        .max(0);
    request
        .asked_at
        .saturating_add(SignedDuration::from_secs(all.saturating_mul(percent) / 100))
        .unwrap_or(Timestamp::MAX)
}

/// Gives one delivery the right to send this mail, with a fresh link where it asks; `None` when that is not to be done
/// now.
pub fn issue(
    record: &Record,
    recipient: &RecipientId,
    link: Option<IssuedLink>,
    now: Timestamp,
) -> Option<(Record, Due)> {
    let who = record.recipient(recipient)?;
    let due = due(record, who, now)?;
    if due.asks() != link.is_some() || who.mailing_until.is_some_and(|until| until > now) {
        return None;
    }
    let mut next = record.clone();
    next.version += 1;
    let who = next.recipients.iter_mut().find(|r| r.id == *recipient)?;
    who.links.extend(link);
    who.mailing_until = Some(now + MAIL_LEASE);
    Some((next, due))
}

/// The record once the mail was handed over.
pub fn mailed(record: &Record, recipient: &RecipientId, due: Due, now: Timestamp) -> Record {
    let mut next = record.clone();
    next.version += 1;
    let behind = reminders_by(record, now);
    for who in next.recipients.iter_mut().filter(|r| r.id == *recipient) {
        who.mailing_until = None;
        match due {
            Due::Invitation => {
                who.mailed_at = Some(now);
                who.reminders = behind;
            }
            Due::Reminder { number } => who.reminders = number,
            Due::Locked => who.lock_told = true,
            Due::Review { number } => who.review_mails = number,
            Due::Outcome => who.told_at = Some(now),
        }
    }
    let kind = match due {
        Due::Invitation => Kind::Mailed,
        Due::Reminder { .. } => Kind::Reminded,
        Due::Locked => Kind::LockTold,
        Due::Review { .. } => Kind::ReviewAsked,
        Due::Outcome => Kind::Told,
    };
    next.note(kind, Some(recipient), None, now);
    next
}

/// The record once the question stands in somebody's chat.
pub fn in_chat(record: &Record, recipient: &RecipientId, place: Option<&ChatPlace>) -> Record {
    let mut next = record.clone();
    next.version += 1;
    for who in next.recipients.iter_mut().filter(|r| r.id == *recipient) {
        who.chat = place.cloned();
    }
    next
}
