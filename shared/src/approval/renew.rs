//! New links in place of revoked ones. Plain data to plain data.

use jiff::Timestamp;

use crate::approval::{
    id::RecipientId,
    request::{Recipient, Record, State},
    settings::Revoked,
    trail::Kind,
};

/// The record without the links that are revoked, where their owners may have new ones: what is then due to them is the
/// mail they had. `None`: nobody's are.
///
/// The old links are dead from then on, whatever becomes of the setting.
pub fn renewed(record: &Record, revoked: &Revoked, now: Timestamp) -> Option<Record> {
    let dead: Vec<RecipientId> = record
        .recipients
        .iter()
        .filter(|who| still_asked(record, who, now) && revoked.renews(record, who, now))
        .map(|who| who.id.clone())
        .collect();
    if dead.is_empty() {
        return None;
    }
    let mut next = record.clone();
    next.version += 1;
    for who in next.recipients.iter_mut().filter(|r| dead.contains(&r.id)) {
        who.links.clear();
        who.renewals = who.renewals.saturating_add(1);
        who.review_mails = 0;
        if record.state == State::Open {
            who.mailed_at = None;
        }
    }
    for id in &dead {
        next.note(Kind::Renewed, Some(id), None, now);
    }
    Some(next)
}

/// Whether this person has a mail with a link and is to answer it.
fn still_asked(record: &Record, who: &Recipient, now: Timestamp) -> bool {
    let idle = who.mailing_until.is_none_or(|until| until <= now);
    let asked = match &record.state {
        State::Open => {
            who.mailed_at.is_some()
                && record.vote_of(&who.id).is_none()
                && now < record.request.expires_at
        }
        _ => record.open_review().is_some() && record.may_review(&who.id) && who.review_mails > 0,
    };
    idle && asked && !who.locked()
}
