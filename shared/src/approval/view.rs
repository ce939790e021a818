//! Who opened a request's page, for the audit. Plain data to plain data.
//!
//! Whatever holds a link opens it: mail scanners, previews, people. So an opening counts as the person only where they
//! had signed in; any other says that the link was opened, and no more. A vote says by itself that its page was seen.

use jiff::{SignedDuration, Timestamp};

use crate::approval::{
    id::RecipientId,
    means::Means,
    request::{Record, State},
    trail::{Entry, Kind},
};

/// Of the openings of one link within this time the first is noted.
const EVERY: SignedDuration = SignedDuration::from_hours(1);

/// The record with the note; `None` where there is one lately, or the request is over.
pub fn viewed(
    record: &Record,
    recipient: &RecipientId,
    signed_in: bool,
    means: &Means,
    now: Timestamp,
) -> Option<Record> {
    if record.state != State::Open && record.open_review().is_none() {
        return None;
    }
    let mut next = record.clone();
    next.version += 1;
    let who = next.recipients.iter_mut().find(|r| r.id == *recipient)?;
    let (kind, last) = if signed_in {
        (Kind::Viewed, &mut who.viewed_at)
    } else {
        (Kind::LinkOpened, &mut who.link_opened_at)
    };
    if last.is_some_and(|last| now.duration_since(last) < EVERY) {
        return None;
    }
    *last = Some(now);
    next.trail.push(Entry {
        at: now,
        kind,
        recipient: Some(recipient.clone()),
        detail: None,
        means: Some(means.clone()),
    });
    Some(next)
}
