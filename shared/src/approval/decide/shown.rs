//! What the sender of a form shows beside the link.

use jiff::Timestamp;

use super::{Ballot, Refusal, Then};
use crate::approval::{
    level::Level,
    request::{CODE_TRIES, IssuedLink, Record},
    trail::Kind,
};

/// Spends the form's nonce and looks at what its sender had to show beside the link: the page as it is, and the code.
/// `Some`: the code was wrong, which is to be written too.
pub(in crate::approval) fn shown(
    next: &mut Record,
    ballot: &Ballot,
    now: Timestamp,
) -> Result<Option<Then>, Refusal> {
    let (snapshot, level) = (next.snapshot_digest(), next.rule.level);
    let who = next
        .recipients
        .iter_mut()
        .find(|r| r.id == ballot.recipient)
        .ok_or(Refusal::ForeignLink)?;
    if who.locked() {
        return Err(Refusal::Locked);
    }
    if who.spent.contains(&ballot.nonce) {
        return Err(Refusal::Replayed);
    }
    if snapshot != ballot.seen {
        return Err(Refusal::Changed);
    }
    who.spent.push(ballot.nonce.clone());
    let typed = |link: &IssuedLink| link.code.matches(&link.id, ballot.code.reveal());
    let link = who.links.iter().find(|l| l.id == ballot.link);
    if level != Level::Code || link.is_some_and(typed) {
        return Ok(None);
    }
    who.wrong_codes += 1;
    let left = CODE_TRIES.saturating_sub(who.wrong_codes);
    let by = Some(&ballot.recipient);
    next.note(Kind::WrongCode, by, Some(left.to_string()), now);
    if left == 0 {
        next.note(Kind::Locked, by, None, now);
    }
    Ok(Some(Then::WrongCode { left }))
}
