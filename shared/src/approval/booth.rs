//! Casting a ballot and delivering a decision: the loop around [`decide`], for every function that does either.

use crate::{
    approval::{
        decide::{self, Ballot, Refusal, SendAnswer, Then},
        id::ApprovalId,
        newer,
        port::{Answer, ApprovalStore, ResultSender},
        request::{Decision, Record, State},
    },
    port::{Clock, PortError},
};

/// How often a write is tried again after somebody else's.
const WRITES: usize = 64;

/// How a ballot ended.
#[derive(Debug)]
pub enum Voted {
    /// Counted; more is needed.
    Counted,
    /// The opposite of what the approver's other link said: neither counts.
    Quarantined,
    /// The code was wrong; so many tries are left.
    WrongCode(u8),
    /// It decided.
    Decided(Delivery),
    /// Not taken.
    Refused(Refusal),
}

/// How far a decision came.
#[derive(Debug)]
pub struct Delivery {
    /// Which.
    pub decision: Decision,
    /// How the request then stands, or why whoever asked was not told. The decision then keeps its lease and is taken
    /// over later.
    pub end: Result<Option<State>, PortError>,
}

/// What voting works with.
#[derive(Debug)]
pub struct Booth<'a, S, R, C> {
    /// Keeps requests.
    pub store: &'a S,
    /// Tells whoever asked.
    pub sender: &'a R,
    /// Time.
    pub clock: &'a C,
}

impl Delivery {
    /// Whoever asked had another answer, or waits no longer.
    pub const fn too_late(&self) -> bool {
        matches!(
            self.end,
            Ok(Some(State::Elsewhere { .. } | State::Superseded { .. }))
        )
    }
}

impl<S: ApprovalStore, R: ResultSender, C: Clock> Booth<'_, S, R, C> {
    /// Casts a ballot on a record as it was read.
    ///
    /// # Errors
    /// When the table cannot be reached: whether the vote was written is then unknown.
    pub async fn cast(&self, mut record: Record, ballot: &Ballot) -> Result<Voted, PortError> {
        for _ in 0..WRITES {
            let cast = match decide::cast(&record, ballot, self.clock.now()) {
                Ok(cast) => cast,
                Err(refusal) => return Ok(Voted::Refused(refusal)),
            };
            let written = match cast.write {
                None => record.clone(),
                Some(next) => match self.store.replace(&next).await {
                    Ok(()) => next,
                    Err(PortError::Conflict { .. }) => {
                        record = self.reload(&record.request.id).await?;
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            return Ok(match cast.then {
                Then::WrongCode { left } => Voted::WrongCode(left),
                Then::Counted | Then::Held => Voted::Counted,
                Then::Quarantined => Voted::Quarantined,
                Then::Send(decision) => Voted::Decided(self.deliver(written, decision).await),
            });
        }
        Err(PortError::Conflict {
            what: format!("the vote on {}", record.request.id),
        })
    }

    /// Takes over a decision whose sender is gone. `None`: the sender may still be at it, or somebody was faster.
    ///
    /// # Errors
    /// When the table cannot be reached.
    pub async fn take_over(&self, record: &Record) -> Result<Option<Delivery>, PortError> {
        match decide::take_over(record, self.clock.now()) {
            Some((next, decision)) => self.send(next, decision).await,
            None => Ok(None),
        }
    }

    /// Writes a record that has just become [`State::Deciding`], and delivers. `None`: somebody else's write was first.
    ///
    /// # Errors
    /// When the table cannot be reached.
    pub async fn send(
        &self,
        next: Record,
        decision: Decision,
    ) -> Result<Option<Delivery>, PortError> {
        match self.store.replace(&next).await {
            Ok(()) => Ok(Some(self.deliver(next, decision).await)),
            Err(PortError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn deliver(&self, record: Record, decision: Decision) -> Delivery {
        let end = self.try_deliver(record, &decision).await;
        Delivery { decision, end }
    }

    async fn try_deliver(
        &self,
        mut record: Record,
        decision: &Decision,
    ) -> Result<Option<State>, PortError> {
        let summary = decide::summary(&record, decision);
        let answer = Answer {
            record: &record,
            decision,
            summary: &summary,
            approver: record
                .decider(decision)
                .or(decision.newer.as_ref().map(|_| newer::ANSWERED_BY)),
            approvers: record.agreeing(decision.verdict),
        };
        let answer = self.sender.put(&answer).await?;
        let found = match answer {
            SendAnswer::NotOpen => Some(self.sender.look(&record.request).await?),
            SendAnswer::Accepted { .. } | SendAnswer::Gone => None,
        };
        for _ in 0..WRITES {
            let now = self.clock.now();
            let Some(next) = decide::settle(&record, decision, &answer, found.as_ref(), now) else {
                return Ok(None);
            };
            match self.store.replace(&next).await {
                Ok(()) => return Ok(Some(next.state)),
                Err(PortError::Conflict { .. }) => record = self.reload(&record.request.id).await?,
                Err(error) => return Err(error),
            }
        }
        Err(PortError::Conflict {
            what: format!("the end of {}", record.request.id),
        })
    }

    async fn reload(&self, id: &ApprovalId) -> Result<Record, PortError> {
        let record = self.store.load(id).await?;
        record.ok_or_else(|| PortError::NotFound {
            what: format!("the approval {id}"),
        })
    }
}
