//! What the page says of decisions that one person makes alone, in an emergency.

use jiff::tz::TimeZone;
use shared::approval::{id::RecipientId, request::Record, review::Review, words};

use crate::form::COMMENT_LIMIT;

/// A decision that somebody made alone, and who looked at it.
pub struct ReviewBox {
    /// Whether somebody has.
    pub closed: bool,
    /// `Dana decided alone in an emergency`.
    pub title: String,
    /// Their reason.
    pub reason: String,
    /// Who is to look at it until when, or what they found.
    pub text: String,
}

/// Who reviews, and within how many days, where this person may decide alone.
pub fn may(record: &Record, who: &RecipientId) -> Option<(String, u8)> {
    let person = &record.recipient(who)?.person;
    let glass = record.rule.break_glass.as_ref()?;
    let may = glass.people.contains(person);
    may.then(|| (words::one_line(&glass.reviewed_by, 100), glass.within_days))
}

/// What the page says of a review.
pub fn told(record: &Record, review: &Review, zone: &TimeZone) -> ReviewBox {
    let called = |id| words::one_line(record.rule.called(id), 100);
    let text = match &review.closed {
        Some(closed) => format!(
            "{} looked at it on {}: {}",
            called(&closed.by),
            words::local(closed.at, zone),
            words::one_line(&closed.finding, COMMENT_LIMIT)
        ),
        None => format!(
            "Somebody of {} looks at it until {}.",
            words::one_line(&review.group, 100),
            words::local(review.due_at, zone)
        ),
    };
    ReviewBox {
        closed: review.closed.is_some(),
        title: format!("{} decided alone, in an emergency", called(&review.of)),
        reason: words::one_line(&review.reason, COMMENT_LIMIT),
        text,
    }
}
