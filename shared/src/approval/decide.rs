//! Votes to effects: the whole life of a request as plain functions.
//!
//! `Open → Deciding → Decided | Elsewhere | Superseded`. Every function takes the record as it was read and answers
//! the record to write over exactly that version; whoever's write holds performs the effect.

mod refusal;
mod shown;
mod summary;

use jiff::{SignedDuration, Timestamp};

use crate::approval::{
    id::{DecisionId, LinkId, RecipientId},
    level::{self, Level},
    link::Purpose,
    means::Means,
    request::{Decision, Record, State, Verdict, Vote},
    review,
    rules::evaluate,
    trail::Kind,
};

pub use refusal::Refusal;
pub(in crate::approval) use shown::shown;
pub use summary::summary;

/// How long the sender of a decision has it to itself before anybody may take over.
pub const SEND_LEASE: SignedDuration = SignedDuration::from_secs(30);

/// One POST, its form already checked.
#[derive(Debug, Clone)]
pub struct Ballot {
    /// From the link.
    pub recipient: RecipientId,
    /// From the link.
    pub link: LinkId,
    /// From the link.
    pub purpose: Purpose,
    /// From the link: digest of execution and token.
    pub link_digest: String,
    /// What the form is for.
    pub act: Act,
    /// The choice.
    pub verdict: Verdict,
    /// The reason.
    pub comment: String,
    /// Whether the recipient is signed in.
    pub signed_in: bool,
    /// As typed.
    pub code: crate::secret::Secret,
    /// What [`crate::approval::nonce::check`] answered.
    pub nonce: String,
    /// Digest of what the page showed.
    pub seen: String,
    /// Fresh for every POST.
    pub attempt: DecisionId,
    /// How it came.
    pub means: Means,
}

/// What a form is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Act {
    /// An answer among others.
    #[default]
    Vote,
    /// An approval that decides alone, in an emergency.
    BreakGlass,
    /// The end of somebody else's broken glass.
    Review,
}

/// What a ballot leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cast {
    /// To be written over the version it was decided on; `None`: it is there already.
    pub write: Option<Record>,
    /// What then holds.
    pub then: Then,
}

/// What holds once a cast is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// The code was wrong; so many tries are left.
    WrongCode {
        /// 0: locked.
        left: u8,
    },
    /// Counted; more approvals are needed.
    Counted,
    /// Counted, and it decides; whoever finds it after [`level::HOLD`] sends it.
    Held,
    /// The opposite of what the same person's other link just said: neither counts, and somebody must look.
    Quarantined,
    /// Counted, and it decides: send this to CodePipeline.
    Send(Decision),
}

/// What CodePipeline said to a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendAnswer {
    /// Taken.
    Accepted {
        /// AWS's id of the call, where it tells one.
        request: Option<String>,
    },
    /// `ApprovalAlreadyCompletedException` or `InvalidApprovalTokenException`: somebody answered, perhaps we ourselves, or the action was retried.
    NotOpen,
    /// Pipeline, stage or action is gone.
    Gone,
}

/// What the action's run shows when CodePipeline takes no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finding {
    /// Its summary: ours carries the decision's id.
    pub summary: Option<String>,
    /// How it ended, where it did.
    pub verdict: Option<Verdict>,
    /// The run is over, by whatever cause.
    pub ended: bool,
    /// Who answered, where AWS says.
    pub by: Option<String>,
}

/// Checks that a link belongs to this record: right execution and token, a link we issued to this recipient.
pub fn admit(
    record: &Record,
    recipient: &RecipientId,
    link: &LinkId,
    digest: &str,
) -> Result<(), Refusal> {
    let issued = record
        .recipient(recipient)
        .is_some_and(|r| r.links.iter().any(|l| l.id == *link));
    if issued && record.request.link_digest() == digest {
        Ok(())
    } else {
        Err(Refusal::ForeignLink)
    }
}

/// Decides a ballot.
pub fn cast(record: &Record, ballot: &Ballot, now: Timestamp) -> Result<Cast, Refusal> {
    admit(record, &ballot.recipient, &ballot.link, &ballot.link_digest)?;
    level::permits(record.rule.level, ballot)?;
    if ballot.act == Act::Review {
        return review::close(record, ballot, now);
    }
    if let Some(vote) = record.vote_of(&ballot.recipient) {
        if vote.attempt == ballot.attempt {
            return Ok(already_written(record, &ballot.attempt));
        }
        return match level::quarantine(record, vote, ballot, now) {
            Some(next) => Ok(Cast {
                write: Some(next),
                then: Then::Quarantined,
            }),
            None => Err(refused(&record.state).unwrap_or(Refusal::AlreadyVoted)),
        };
    }
    if let Some(refusal) = refused(&record.state) {
        return Err(refusal);
    }
    if now >= record.request.expires_at {
        return Err(Refusal::Expired);
    }
    let mut next = record.clone();
    next.version += 1;
    if let Some(then) = shown(&mut next, ballot, now)? {
        return Ok(Cast {
            write: Some(next),
            then,
        });
    }
    next.votes.push(Vote {
        recipient: ballot.recipient.clone(),
        verdict: ballot.verdict,
        alone: ballot.act == Act::BreakGlass,
        comment: ballot.comment.clone(),
        at: now,
        attempt: ballot.attempt.clone(),
        means: ballot.means.clone(),
    });
    let seen = Some(ballot.seen.clone());
    next.note(Kind::Voted, Some(&ballot.recipient), seen, now);
    let then = match tally(&next, now)? {
        None => Then::Counted,
        Some(verdict) => {
            let decision = deciding(&mut next, ballot.attempt.clone(), verdict, now);
            sending(&next, decision)
        }
    };
    Ok(Cast {
        write: Some(next),
        then,
    })
}

/// Makes the record one whose decision is to be sent.
pub(super) fn deciding(
    next: &mut Record,
    id: DecisionId,
    verdict: Verdict,
    now: Timestamp,
) -> Decision {
    let decision = Decision {
        id,
        verdict,
        at: now,
        newer: None,
    };
    decided_by(next, decision, now)
}

/// The same for a decision that is made already.
pub(super) fn decided_by(next: &mut Record, decision: Decision, now: Timestamp) -> Decision {
    let verdict = decision.verdict;
    next.state = State::Deciding {
        decision: decision.clone(),
        lease_until: now
            + if next.rule.level == Level::Link {
                level::HOLD
            } else {
                SEND_LEASE
            },
    };
    review::leave(next, verdict, now);
    next.note(Kind::Decided, None, None, now);
    decision
}

/// A decision of the lowest level waits for a contradiction first.
fn sending(record: &Record, decision: Decision) -> Then {
    match record.rule.level {
        Level::Link => Then::Held,
        Level::Code | Level::SignIn => Then::Send(decision),
    }
}

/// What the votes decide, or why the last of them does not count.
fn tally(record: &Record, now: Timestamp) -> Result<Option<Verdict>, Refusal> {
    let evaluation = record.evaluate(now);
    let last = record.votes.len().checked_sub(1);
    if let Some(why) = last.and_then(|last| evaluation.refused.get(&last)) {
        return Err(Refusal::Rule(why.clone()));
    }
    Ok(match evaluation.verdict {
        evaluate::Verdict::Rejected { .. } => Some(Verdict::Reject),
        evaluate::Verdict::Approved { .. } => Some(Verdict::Approve),
        evaluate::Verdict::Open { .. } | evaluate::Verdict::NotYet { .. } => None,
    })
}

/// Takes over a decision whose sender is gone: the record with a new lease, and what to send.
pub fn take_over(record: &Record, now: Timestamp) -> Option<(Record, Decision)> {
    match &record.state {
        State::Deciding {
            decision,
            lease_until,
        } if *lease_until <= now => {
            let mut next = record.clone();
            next.version += 1;
            next.state = State::Deciding {
                decision: decision.clone(),
                lease_until: now + SEND_LEASE,
            };
            Some((next, decision.clone()))
        }
        _ => None,
    }
}

/// The record once CodePipeline answered; `None` when it says so already.
pub fn settle(
    record: &Record,
    decision: &Decision,
    answer: &SendAnswer,
    found: Option<&Finding>,
    now: Timestamp,
) -> Option<Record> {
    match &record.state {
        State::Deciding { decision: held, .. } if held.id == decision.id => {}
        _ => return None,
    }
    let ours = || {
        found
            .and_then(|f| f.summary.as_deref())
            .is_some_and(|s| s.contains(decision.id.as_str()))
    };
    let mut next = record.clone();
    next.version += 1;
    match (answer, found) {
        (SendAnswer::Accepted { request }, _) => {
            next.state = decided(decision, now);
            next.note(Kind::Delivered, None, request.clone(), now);
        }
        (SendAnswer::NotOpen, _) if ours() => {
            next.state = decided(decision, now);
            next.note(Kind::Delivered, None, None, now);
        }
        (SendAnswer::NotOpen, Some(found)) => close(&mut next, found, now),
        (SendAnswer::NotOpen | SendAnswer::Gone, _) => close(&mut next, &Finding::default(), now),
    }
    Some(next)
}

/// Ends a record that is not decided here: elsewhere where somebody answered, else superseded.
pub(super) fn close(next: &mut Record, found: &Finding, now: Timestamp) {
    match found.verdict {
        Some(verdict) => {
            next.state = State::Elsewhere {
                at: now,
                verdict: Some(verdict),
                by: found.by.clone(),
            };
            next.note(Kind::Elsewhere, None, found.by.clone(), now);
        }
        None => {
            next.state = State::Superseded { at: now };
            next.note(Kind::Superseded, None, None, now);
        }
    }
}

/// The record closed because its deadline passed without a decision; `None` when it is not open or not due.
pub fn expire(record: &Record, now: Timestamp) -> Option<Record> {
    if record.state != State::Open || now < record.request.expires_at {
        return None;
    }
    let mut next = record.clone();
    next.version += 1;
    next.state = State::Expired { at: now };
    next.note(Kind::Expired, None, None, now);
    Some(next)
}

fn decided(decision: &Decision, now: Timestamp) -> State {
    State::Decided {
        decision: decision.clone(),
        delivered_at: now,
    }
}

fn refused(state: &State) -> Option<Refusal> {
    match state {
        State::Open => None,
        State::Deciding { .. } | State::Decided { .. } | State::Elsewhere { .. } => {
            Some(Refusal::AlreadyDecided)
        }
        State::Superseded { .. } => Some(Refusal::Superseded),
        State::Expired { .. } => Some(Refusal::Expired),
    }
}

/// A write whose reply was lost did hold: the record carries this very attempt.
fn already_written(record: &Record, attempt: &DecisionId) -> Cast {
    let then = match &record.state {
        State::Deciding { decision, .. } if decision.id == *attempt => {
            sending(record, decision.clone())
        }
        _ => Then::Counted,
    };
    Cast { write: None, then }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::stored;

    /// Dana rejected; the decision is being sent, with a lease until 04:00:30.
    fn deciding() -> (Record, Decision) {
        let record = stored::decode(include_str!("stored.golden.json")).unwrap();
        match record.state.clone() {
            State::Deciding { decision, .. } => (record, decision),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lease_is_taken_over_when_it_is_over() {
        let (record, decision) = deciding();
        let end: Timestamp = "2026-01-02T04:00:30Z".parse().unwrap();
        assert_eq!(take_over(&record, end - SignedDuration::from_secs(1)), None);
        let (next, sent) = take_over(&record, end).unwrap();
        assert_eq!((next.version, &sent), (record.version + 1, &decision));
        assert_eq!(take_over(&next, end), None);
    }

    #[test]
    fn what_codepipeline_says_settles_a_decision() {
        let (record, decision) = deciding();
        let now: Timestamp = "2026-01-02T04:00:01Z".parse().unwrap();
        let found = |summary: &str, verdict| Finding {
            summary: Some(summary.to_owned()),
            verdict,
            ended: true,
            by: Some("arn:aws:iam::123456789012:user/kim".to_owned()),
        };
        let ours = found(&summary(&record, &decision), Some(Verdict::Reject));
        let theirs = found("by hand", Some(Verdict::Approve));
        let done = State::Decided {
            decision: decision.clone(),
            delivered_at: now,
        };
        let accepted = SendAnswer::Accepted {
            request: Some("r-1".to_owned()),
        };
        for (answer, finding, state) in [
            (accepted, None, done.clone()),
            (SendAnswer::NotOpen, Some(&ours), done),
            (
                SendAnswer::NotOpen,
                Some(&theirs),
                State::Elsewhere {
                    at: now,
                    verdict: Some(Verdict::Approve),
                    by: Some("arn:aws:iam::123456789012:user/kim".to_owned()),
                },
            ),
            (SendAnswer::NotOpen, None, State::Superseded { at: now }),
            (SendAnswer::Gone, None, State::Superseded { at: now }),
        ] {
            let next = settle(&record, &decision, &answer, finding, now).unwrap();
            assert_eq!(next.state, state, "{answer:?} {finding:?}");
            assert_eq!(settle(&next, &decision, &answer, finding, now), None);
        }
    }

    #[test]
    fn the_summary_names_who_why_and_which_decision_within_512() {
        let (mut record, decision) = deciding();
        assert_eq!(
            summary(&record, &decision),
            "Rejected in decision CAgICAgICAgICAgI: 2 of 2 needed. By dana@example.com. not today"
        );
        record.votes[0].comment = "x\n".repeat(600);
        let length = summary(&record, &decision).chars().count();
        assert!((500..=512).contains(&length), "{length}");
    }

    #[test]
    fn a_request_expires_only_while_it_is_open() {
        let (mut record, _) = deciding();
        let deadline = record.request.expires_at;
        assert_eq!(expire(&record, deadline), None);
        record.state = State::Open;
        assert_eq!(
            expire(&record, deadline - SignedDuration::from_secs(1)),
            None
        );
        let next = expire(&record, deadline).unwrap();
        assert_eq!(next.state, State::Expired { at: deadline });
    }
}
