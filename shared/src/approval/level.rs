//! How sure an answer is the approver's own: three levels, one per rule, and what holds at the lowest of them.

use jiff::{SignedDuration, Timestamp};

use crate::approval::{
    decide::{Ballot, Refusal},
    link::Purpose,
    request::{Record, State, Verdict, Vote},
    rules::evaluate,
    trail::Kind,
};

/// How long a decision of level L1 waits before it is sent. A machine that follows every link of a mail follows both
/// of them within seconds; what it decided is then taken back.
pub const HOLD: SignedDuration = SignedDuration::from_secs(10);

/// What an approver must show beside the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// L1: nothing. One link approves, another rejects; each still asks for the choice. A machine that fills in forms
    /// can decide: not for production.
    Link,
    /// L2: the code that the mail shows and that its link does not hold.
    #[default]
    Code,
    /// L3: a sign-in as the person who is asked.
    SignIn,
}

impl Level {
    /// All of them, the lowest first.
    pub const ALL: [Self; 3] = [Self::Link, Self::Code, Self::SignIn];

    /// As rules files and records write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Link => "L1",
            Self::Code => "L2",
            Self::SignIn => "L3",
        }
    }

    /// The links of a mail.
    pub const fn purposes(self) -> &'static [Purpose] {
        match self {
            Self::Link => &[Purpose::Approve, Purpose::Reject],
            Self::Code | Self::SignIn => &[Purpose::Review],
        }
    }

    /// The level written like this.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// Whether a link of this purpose, opened by somebody signed in or not, may carry this answer at all.
pub(super) fn permits(level: Level, ballot: &Ballot) -> Result<(), Refusal> {
    if !level.purposes().contains(&ballot.purpose) {
        return Err(Refusal::ForeignLink);
    }
    match (ballot.purpose, ballot.verdict) {
        (Purpose::Approve, Verdict::Reject) | (Purpose::Reject, Verdict::Approve) => {
            Err(Refusal::OtherPurpose)
        }
        _ if level == Level::SignIn && !ballot.signed_in => Err(Refusal::NotSignedIn),
        _ => Ok(()),
    }
}

/// The record with both answers of a recipient taken back and the recipient shut out, when this ballot says the
/// opposite of a vote that is still held.
pub(super) fn quarantine(
    record: &Record,
    vote: &Vote,
    ballot: &Ballot,
    now: Timestamp,
) -> Option<Record> {
    let held = record.rule.level == Level::Link && now < vote.at + HOLD;
    let unsent = match &record.state {
        State::Open => true,
        State::Deciding { decision, .. } => decision.at + HOLD > now,
        _ => false,
    };
    if !held || !unsent || vote.verdict == ballot.verdict {
        return None;
    }
    let mut next = record.clone();
    next.version += 1;
    next.votes.retain(|v| v.recipient != ballot.recipient);
    let left = match next.evaluate(now).verdict {
        evaluate::Verdict::Approved { .. } => Some(Verdict::Approve),
        evaluate::Verdict::Rejected { .. } => Some(Verdict::Reject),
        evaluate::Verdict::Open { .. } | evaluate::Verdict::NotYet { .. } => None,
    };
    let stands =
        matches!(&next.state, State::Deciding { decision, .. } if left == Some(decision.verdict));
    if !stands {
        next.state = State::Open;
    }
    for who in &mut next.recipients {
        if who.id == ballot.recipient {
            who.quarantined_at = Some(now);
        }
    }
    next.note(Kind::Quarantined, Some(&ballot.recipient), None, now);
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_one_name_each() {
        for level in Level::ALL {
            assert_eq!(Level::named(level.name()), Some(level));
        }
        assert_eq!(Level::named("l1"), None);
        assert_eq!(Level::default(), Level::Code);
    }
}
