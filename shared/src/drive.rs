//! The loop around one action: parse, look in the ledger, step, report exactly once. Safe to repeat.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use self::{
    decide::{Next, StepEnd, Verdict},
    token::Ticket,
};
use crate::{
    action::{Action, Request},
    fault::Fault,
    host,
    id::JobId,
    job::{Job, Report},
    port::{Clock, JobReporter, Ledger, LedgerEntry, PortError, Timer},
    wire::job_event::{JobEventError, job_id},
};

pub mod decide;
mod guard;
pub mod limit;
pub mod token;

/// What the loop needs from outside.
#[derive(Debug)]
pub struct Ports<'a, R, L, C, T> {
    /// Where the report goes.
    pub reporter: &'a R,
    /// What is known of earlier runs; `None` for actions that start nothing and may run without a table.
    pub ledger: Option<&'a L>,
    /// Time.
    pub clock: &'a C,
    /// Waiting.
    pub timer: &'a T,
}

/// How a job ended. `fault` and `warnings` are for the log, with their whole chains.
#[derive(Debug)]
pub struct Ended {
    /// The job.
    pub job: JobId,
    /// The same through all continuations.
    pub run_key: String,
    /// What was decided; `None` when the ledger knew that the run is over and nothing was done. With
    /// [`Delivery::AlreadyThere`] CodePipeline may hold another one, of an earlier delivery.
    pub report: Option<Report>,
    /// How the report arrived.
    pub delivery: Delivery,
    /// Why the step failed, when it did.
    pub fault: Option<Fault>,
    /// What went wrong beside it without changing the outcome.
    pub warnings: Vec<PortError>,
}

/// How a report arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Sent and taken.
    Sent {
        /// Calls it took.
        attempts: u32,
    },
    /// The job had its result already: an earlier delivery of this event, or a call whose reply was lost.
    AlreadyThere,
    /// The ledger knew that the run is finished; nothing was sent.
    AlreadyFinished,
}

/// No outcome was delivered: the invocation must fail, so that Lambda delivers the event again.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// Not an event of any host.
    #[error(transparent)]
    Unknown(#[from] host::UnknownEvent),
    /// A host that is not served.
    #[error("{message}")]
    NotBuilt {
        /// What is not built.
        message: &'static str,
    },
    /// A job event without a readable job id: there is nobody to report to.
    #[error("the job event has no readable job id")]
    NoJobId(#[source] JobEventError),
    /// The report did not reach CodePipeline.
    #[error("the report of job {job} was not delivered")]
    Undelivered {
        /// The job.
        job: JobId,
        /// The last attempt's error.
        #[source]
        source: PortError,
    },
}

/// Serves one event of any host, and ends with exactly one report, or with an error when none could be delivered.
///
/// `deadline` is when the host ends this process; a reserve for reporting is kept before it.
/// A step that blocks its thread cannot be cut off: hashing and unpacking belong on a blocking thread.
/// The event holds credentials: never log it.
pub async fn drive<A, R, L, C, T>(
    action: &A,
    ports: &Ports<'_, R, L, C, T>,
    event: Value,
    deadline: Timestamp,
) -> Result<Ended, DriveError>
where
    A: Action,
    R: JobReporter,
    L: Ledger,
    C: Clock,
    T: Timer,
{
    let kind = host::Kind::of(&event)?;
    if let Some(message) = kind.refusal() {
        return Err(DriveError::NotBuilt { message });
    }
    let id = job_id(&event).map_err(DriveError::NoJobId)?;
    let mut run = Run {
        ports,
        deadline,
        id,
        warnings: Vec::new(),
    };
    let (key, verdict) = match decide::open(event, ports.clock.now()) {
        Err(fault) => (None, Verdict::from(fault)),
        Ok((job, ticket)) => {
            let key = job.ledger_key(A::NAME);
            if run.is_finished(&key).await {
                return Ok(run.ended(ticket.run_key, None, None, Delivery::AlreadyFinished));
            }
            let end = run.step(action, &job, &ticket).await;
            let verdict = decide::conclude(A::NAME, A::FIRST_STEP_CUT_OFF, &ticket, end);
            (Some((key, ticket.run_key)), verdict)
        }
    };
    let Verdict { report, fault } = verdict;
    let (report, delivery) = run.deliver(report).await?;
    let run_key = match key {
        None => run.id.to_string(),
        Some((key, run_key)) => {
            // Only what this delivery ended: a late duplicate's own verdict says nothing about a run that goes on.
            let ours = matches!(delivery, Delivery::Sent { .. });
            if ours && !matches!(report, Report::Continue { .. }) {
                run.finish(&key).await;
            }
            run_key
        }
    };
    Ok(run.ended(run_key, Some(report), fault, delivery))
}

struct Run<'a, R, L, C, T> {
    ports: &'a Ports<'a, R, L, C, T>,
    deadline: Timestamp,
    id: JobId,
    warnings: Vec<PortError>,
}

impl<R: JobReporter, L: Ledger, C: Clock, T: Timer> Run<'_, R, L, C, T> {
    /// Whether an earlier delivery ended this run. When the ledger does not answer, the step is made:
    /// steps may be repeated, and a second report is refused by CodePipeline.
    async fn is_finished(&mut self, key: &str) -> bool {
        let Some(ledger) = self.ports.ledger else {
            return false;
        };
        let entry = self
            .within("the ledger", self.short(), ledger.read(key))
            .await;
        match entry {
            Ok(entry) => entry == Some(LedgerEntry::Finished),
            Err(error) => {
                self.warnings.push(error);
                false
            }
        }
    }

    async fn step<A: Action>(
        &self,
        action: &A,
        job: &Job,
        ticket: &Ticket,
    ) -> StepEnd<A::Progress> {
        let now = self.ports.clock.now();
        let budget = decide::budget(now, self.deadline);
        let step = async {
            let params = decide::params(&job.parameters)?;
            let request = Request {
                params: &params,
                progress: decide::progress(ticket)?,
                job,
                started_at: ticket.started_at,
                now,
                budget,
            };
            action.step(request).await
        };
        match guard::bounded(step, self.ports.timer.sleep(budget)).await {
            guard::End::Returned(result) => StepEnd::Returned(result),
            guard::End::Panicked => StepEnd::Panicked,
            guard::End::Late => StepEnd::CutOff(budget),
        }
    }

    /// Calls until the report is taken, or nothing more can be done before the deadline.
    async fn deliver(&mut self, mut report: Report) -> Result<(Report, Delivery), DriveError> {
        let mut attempt = 1;
        loop {
            let call = self.ports.reporter.report(&self.id, &report);
            let time = decide::call_time(attempt, self.left());
            let result = self.within("CodePipeline", time, call).await;
            match decide::after_call(&report, &result, attempt, self.left()) {
                Next::Delivered => return Ok((report, Delivery::Sent { attempts: attempt })),
                Next::AlreadyThere => return Ok((report, Delivery::AlreadyThere)),
                Next::Again(wait) => self.ports.timer.sleep(wait).await,
                Next::Instead(other) => {
                    report = other;
                    self.warnings.extend(result.err());
                }
                Next::GiveUp => {
                    return Err(DriveError::Undelivered {
                        job: self.id.clone(),
                        source: result.expect_err("only an error is given up on"),
                    });
                }
            }
            attempt += 1;
        }
    }

    /// Remembers the end for late duplicates. Without it they are stepped again and their report is refused.
    async fn finish(&mut self, key: &str) {
        let Some(ledger) = self.ports.ledger else {
            return;
        };
        let marked = self
            .within("the ledger", self.short(), ledger.finished(key))
            .await;
        if let Err(error) = marked {
            self.warnings.push(error);
        }
    }

    /// A port call that is given up after `time`.
    async fn within<V>(
        &self,
        what: &str,
        time: Duration,
        call: impl Future<Output = Result<V, PortError>> + Send,
    ) -> Result<V, PortError> {
        let unavailable = |why: &'static str| PortError::Unavailable {
            what: what.to_owned(),
            source: Some(why.into()),
        };
        match guard::bounded(call, self.ports.timer.sleep(time)).await {
            guard::End::Returned(result) => result,
            guard::End::Panicked => Err(unavailable("the call panicked")),
            guard::End::Late => Err(unavailable("no answer in time")),
        }
    }

    fn left(&self) -> Duration {
        decide::until(self.ports.clock.now(), self.deadline)
    }

    /// For calls beside the outcome: never a large part of the time.
    fn short(&self) -> Duration {
        (self.left() / 6).min(Duration::from_secs(3))
    }

    fn ended(
        self,
        run_key: String,
        report: Option<Report>,
        fault: Option<Fault>,
        delivery: Delivery,
    ) -> Ended {
        Ended {
            job: self.id,
            run_key,
            report,
            delivery,
            fault,
            warnings: self.warnings,
        }
    }
}
