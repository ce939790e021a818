//! The end that a pipeline or a state machine makes of an action: the outside run is stopped, and the ledger says so.
//!
//! It is learnt in three ways: a report is refused because the action is over; EventBridge tells that an action, its
//! execution or a state machine's execution ended; a state machine asks for it. In each the run is found by the note that
//! was made before its first step ([`crate::port::OpenRuns`]), and the ledger's entry says what there is to stop.

use std::time::Duration;

use super::{DriveError, Outside, decide, guard, parameters, run::Run};
use crate::{
    action::{Action, Request, Stop},
    fault::{Fault, FaultKind},
    id::{IdError, JobId},
    job::{ActionState, Job, Origin, Place, RawParameters},
    port::{Clock, Intent, JobSource, Ledger, OpenRun, OpenRuns, PortError, Timer},
    start::{self, Found, Move},
};

pub use super::over::{Over, over};

/// What became of an event that ends something.
#[derive(Debug, Default)]
pub struct Stopped {
    /// The runs it was about.
    pub runs: Vec<EndedRun>,
    /// What went wrong beside it.
    pub warnings: Vec<PortError>,
}

/// One run that its pipeline or machine gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRun {
    /// Its key.
    pub run_key: String,
    /// How it was found.
    pub end: RunEnd,
}

/// How a run that was given up was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// It was going on, and the provider was told to stop it.
    Stopped {
        /// Its id at the provider.
        run: String,
    },
    /// Nothing was started, and nothing will be.
    NeverStarted,
    /// The action had reported its end already.
    AlreadyOver,
    /// It may have been started, and it cannot be found out whether: somebody has to look.
    NotFound {
        /// Where.
        look_at: String,
    },
    /// The action goes on: the event is about an earlier run of it.
    GoesOn,
}

/// For another delivery that is about to note its run's id.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Kept from a stop for what follows it.
const RESERVE: Duration = Duration::from_secs(1);
/// Reads of one run's entry before it is left to a later delivery.
const LOOKS: u32 = 20;

/// Stops what an event says is over. A run that cannot be stopped fails the invocation, so that the event comes again.
pub(super) async fn ended<A: Action, O: Outside>(
    action: &A,
    mut run: Run<'_, O>,
    over: &Over,
) -> Result<Stopped, DriveError> {
    let runs = run.given_up(action, over).await?;
    Ok(Stopped {
        runs,
        warnings: run.warnings,
    })
}

impl<O: Outside> Run<'_, O> {
    /// Stops the runs of what is over.
    pub async fn given_up<A: Action>(
        &mut self,
        action: &A,
        over: &Over,
    ) -> Result<Vec<EndedRun>, DriveError> {
        let Some(table) = self.outside.table() else {
            return Ok(Vec::new());
        };
        let noted = self.ask(table.noted(A::NAME, over.execution())).await;
        let noted = noted.map_err(|error| not_stopped(over.execution(), error.into()))?;
        let mut ended = Vec::new();
        for noted in noted {
            let Some(is_over) = self.concerns(over, &noted).await else {
                continue;
            };
            let run_key = noted.run_key.clone();
            let end = match is_over {
                false => RunEnd::GoesOn,
                true => {
                    let end = self.end_noted(action, noted).await;
                    end.map_err(|fault| not_stopped(&run_key, fault))?
                }
            };
            ended.push(EndedRun { run_key, end });
        }
        Ok(ended)
    }

    /// After a refused report: stops the run when the job's action was given up.
    pub async fn refused<A: Action>(
        &mut self,
        action: &A,
        job: &JobId,
        origin: &Origin,
    ) -> Result<Vec<EndedRun>, DriveError> {
        if !A::STOPS || self.outside.table().is_none() {
            return Ok(Vec::new());
        }
        let place = match origin {
            Origin::Action(place) => Ok(Some(place.clone())),
            Origin::Unsaid => {
                let asked = self.outside.jobs().place(job);
                self.within("GetJobDetails", self.short(), asked).await
            }
            Origin::Machine(_) => Ok(None),
        };
        let place = place.unwrap_or_else(|error| {
            self.warnings.push(error);
            None
        });
        let Some(place) = place else {
            return Ok(Vec::new());
        };
        if self.is_over(&place).await != Some(true) {
            return Ok(Vec::new());
        }
        let over = Over::Action {
            execution: place.execution,
            action_execution: Some(place.action_execution),
        };
        self.given_up(action, &over).await
    }

    /// Whether a noted run is meant, and if so whether it is over.
    async fn concerns(&mut self, over: &Over, noted: &OpenRun) -> Option<bool> {
        let Some(place) = &noted.place else {
            return Some(true);
        };
        match over {
            Over::Action {
                action_execution: Some(id),
                ..
            } => (*id == place.action_execution).then_some(true),
            // Which action, or which of its runs, the event does not say: a retry may go on.
            _ => Some(self.is_over(place).await.unwrap_or_default()),
        }
    }

    /// Whether CodePipeline says that an action execution ended without success; `None` when it does not say.
    async fn is_over(&mut self, place: &Place) -> Option<bool> {
        let asked = self.outside.jobs().state(place);
        match self
            .within("ListActionExecutions", self.short(), asked)
            .await
        {
            Ok(state) => {
                state.map(|state| matches!(state, ActionState::Failed | ActionState::Abandoned))
            }
            Err(error) => {
                self.warnings.push(error);
                None
            }
        }
    }

    async fn end_noted<A: Action>(&mut self, action: &A, noted: OpenRun) -> Result<RunEnd, Fault> {
        let parameters = parameters::kept(&noted.parameters).ok_or_else(|| {
            Fault::new(
                FaultKind::Internal,
                "the noted parameters are not as this function writes them",
            )
        })?;
        let job = Job {
            id: self.outside.new_id().parse().map_err(|error: IdError| {
                Fault::new(FaultKind::Internal, "an id could not be made").because(error)
            })?,
            run_key: noted.run_key,
            parameters,
            inputs: Vec::new(),
            outputs: Vec::new(),
            credentials: None,
            encryption_key: None,
            continuation: None,
            origin: noted.place.map_or(Origin::Unsaid, Origin::Action),
        };
        self.end(action, &job, &job.parameters).await
    }

    /// Ends one run: what was started is stopped, what was not will not be.
    pub async fn end<A: Action>(
        &self,
        action: &A,
        job: &Job,
        parameters: &RawParameters,
    ) -> Result<RunEnd, Fault> {
        let table = self.outside.table().ok_or_else(|| {
            Fault::new(
                FaultKind::Configuration,
                "the function has no table, so it does not know its runs: set STAGEWRIGHT_TABLE",
            )
        })?;
        let key = job.ledger_key(A::NAME);
        let by = self.outside.new_id();
        for _ in 0..LOOKS {
            let now = self.outside.clock().now();
            let claim = Intent {
                at: now,
                until: self.deadline,
                by: by.clone(),
            };
            let entry = self.ask(table.read(&key)).await?;
            let end = match start::decide(entry.as_ref(), &by, now) {
                Move::Over => return Ok(RunEnd::AlreadyOver),
                // Ours: nobody else starts any more.
                Move::Start => RunEnd::NeverStarted,
                Move::Claim => match self.ask(table.intend(&key, &claim)).await {
                    Ok(()) => RunEnd::NeverStarted,
                    Err(PortError::Conflict { .. } | PortError::Unavailable { .. }) => continue,
                    Err(error) => return Err(error.into()),
                },
                Move::Adopt(run) => self.stop(action, parameters, run).await?,
                Move::Wait(left) => {
                    let wait = left.min(LOOK_AGAIN);
                    if self.left() < wait + decide::RESERVE {
                        return Err(Fault::new(
                            FaultKind::Unavailable,
                            "another delivery is starting the run: it cannot be stopped yet",
                        ));
                    }
                    self.outside.timer().sleep(wait).await;
                    continue;
                }
                Move::TakeOver(old) => {
                    match self.find(action, job, parameters).await? {
                        Found::Run(run) => self.stop(action, parameters, run).await?,
                        Found::CannotTell { look_at } => RunEnd::NotFound { look_at },
                        // Nobody may start it from now on.
                        Found::Nothing => match self.ask(table.take_over(&key, &old, &claim)).await
                        {
                            Ok(()) => RunEnd::NeverStarted,
                            Err(PortError::Conflict { .. } | PortError::Unavailable { .. }) => {
                                continue;
                            }
                            Err(error) => return Err(error.into()),
                        },
                    }
                }
            };
            self.ask(table.finished(&key)).await?;
            return Ok(end);
        }
        Err(Fault::new(
            FaultKind::Unavailable,
            "the run's entry in the ledger kept changing",
        ))
    }

    async fn ask<V>(
        &self,
        call: impl Future<Output = Result<V, PortError>> + Send,
    ) -> Result<V, PortError> {
        self.within("the ledger", self.short(), call).await
    }

    async fn stop<A: Action>(
        &self,
        action: &A,
        parameters: &RawParameters,
        run: String,
    ) -> Result<RunEnd, Fault> {
        let budget = self.time();
        let stop = async {
            let params = decide::params(parameters)?;
            let stop = Stop {
                params: &params,
                run: &run,
                now: self.outside.clock().now(),
                budget,
            };
            action.stop(stop).await
        };
        self.bounded(stop, budget).await?;
        Ok(RunEnd::Stopped { run })
    }

    async fn find<A: Action>(
        &self,
        action: &A,
        job: &Job,
        parameters: &RawParameters,
    ) -> Result<Found, Fault> {
        let (budget, delivery) = (self.time(), self.outside.new_id());
        let find = async {
            let params = decide::params(parameters)?;
            let now = self.outside.clock().now();
            let request = Request {
                params: &params,
                progress: None,
                job,
                started_at: now,
                now,
                budget,
                delivery: &delivery,
            };
            action.find(request).await
        };
        self.bounded(find, budget).await
    }

    fn time(&self) -> Duration {
        self.left().saturating_sub(RESERVE)
    }

    async fn bounded<V>(
        &self,
        call: impl Future<Output = Result<V, Fault>> + Send,
        budget: Duration,
    ) -> Result<V, Fault> {
        match guard::bounded(call, self.outside.timer().sleep(budget)).await {
            guard::End::Returned(result) => result,
            guard::End::Panicked => Err(Fault::new(FaultKind::Internal, "stopping panicked")),
            guard::End::Late => Err(Fault::new(
                FaultKind::TimedOut,
                format!("stopping did not end in {:.1} s", budget.as_secs_f32()),
            )),
        }
    }
}

fn not_stopped(run: &str, source: Fault) -> DriveError {
    DriveError::NotStopped {
        run: run.to_owned(),
        source,
    }
}
