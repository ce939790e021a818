//! Casting a ballot and delivering a decision: the loop around `shared::approval::decide`.

use shared::{
    approval::{
        decide::{self, Ballot, Refusal, SendAnswer, Then},
        id::ApprovalId,
        port::{ApprovalStore, ResultSender},
        request::{Decision, Record, State},
    },
    port::{Clock, PortError},
};

/// How often a write is tried again after somebody else's.
const WRITES: usize = 64;

/// How a ballot ended.
#[derive(Debug)]
pub enum Voted {
    /// Counted, and sent if it decided.
    Counted,
    /// The code was wrong; so many tries are left.
    WrongCode(u8),
    /// Recorded, but CodePipeline had another answer or waits no longer.
    TooLate,
    /// Not taken.
    Refused(Refusal),
}

/// What voting works with.
#[derive(Debug)]
pub struct Booth<'a, S, R, C> {
    /// Keeps requests.
    pub store: &'a S,
    /// Tells CodePipeline.
    pub sender: &'a R,
    /// Time.
    pub clock: &'a C,
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
                Then::Counted => Voted::Counted,
                Then::Send(decision) => match self.deliver(written, &decision).await {
                    Some(State::Elsewhere { .. } | State::Superseded { .. }) => Voted::TooLate,
                    _ => Voted::Counted,
                },
            });
        }
        Err(PortError::Conflict {
            what: format!("the vote on {}", record.request.id),
        })
    }

    /// Takes over a decision whose sender is gone. Nothing happens while the sender may still be at it.
    ///
    /// # Errors
    /// When the table cannot be reached.
    pub async fn take_over(&self, record: &Record) -> Result<(), PortError> {
        let Some((next, decision)) = decide::take_over(record, self.clock.now()) else {
            return Ok(());
        };
        match self.store.replace(&next).await {
            Ok(()) => {
                tracing::warn!(approval = %next.request.id, decision = %decision.id, "a decision left unsent is sent");
                self.deliver(next, &decision).await;
                Ok(())
            }
            Err(PortError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Tells CodePipeline and answers how it then stands. What fails here leaves the decision with its lease, to be
    /// taken over later.
    async fn deliver(&self, record: Record, decision: &Decision) -> Option<State> {
        let id = record.request.id.clone();
        match self.try_deliver(record, decision).await {
            Ok(state) => state,
            Err(error) => {
                tracing::error!(approval = %id, decision = %decision.id, error = %crate::chain(&error), "the decision is recorded but not delivered yet");
                None
            }
        }
    }

    async fn try_deliver(
        &self,
        mut record: Record,
        decision: &Decision,
    ) -> Result<Option<State>, PortError> {
        let request = record.request.clone();
        let summary = decide::summary(&record, decision);
        let answer = self
            .sender
            .put(&request.target, &request.token, decision.verdict, &summary)
            .await?;
        let found = match answer {
            SendAnswer::NotOpen => Some(self.sender.look(&request).await?),
            SendAnswer::Accepted | SendAnswer::Gone => None,
        };
        for _ in 0..WRITES {
            let now = self.clock.now();
            let Some(next) = decide::settle(&record, decision, answer, found.as_ref(), now) else {
                return Ok(None);
            };
            match self.store.replace(&next).await {
                Ok(()) => {
                    tracing::info!(approval = %request.id, decision = %decision.id, answer = ?answer, "CodePipeline was told");
                    return Ok(Some(next.state));
                }
                Err(PortError::Conflict { .. }) => record = self.reload(&request.id).await?,
                Err(error) => return Err(error),
            }
        }
        Err(PortError::Conflict {
            what: format!("the end of {}", request.id),
        })
    }

    async fn reload(&self, id: &ApprovalId) -> Result<Record, PortError> {
        let record = self.store.load(id).await?;
        record.ok_or_else(|| PortError::NotFound {
            what: format!("the approval {id}"),
        })
    }
}
