//! The loop around one action, whatever called it: parse, look in the ledger, step, report exactly once. Safe to repeat.
//! What a pipeline or state machine gives up is stopped: see [`stop`].

use jiff::Timestamp;
use serde_json::{Map, Value};

use self::{run::Run, worker::Worked};
use crate::{
    action::{Action, Heard},
    config::worker::WorkerSettings,
    event::StateChange,
    fault::{Fault, FaultKind},
    host,
    id::JobId,
    job::Report,
    port::{
        ArtifactFiles, Clock, JobReporter, JobSource, Ledger, OpenJobs, OpenRuns, PortError, Shelf,
        TaskCallback, Timer, WaitingTasks,
    },
    wire::{
        ShapeError,
        eventbridge::Event,
        job_event::{JobEventError, job_id},
    },
};

pub mod decide;
mod guard;
mod job;
pub mod limit;
mod over;
pub mod parameters;
mod run;
pub mod stop;
pub mod task;
pub mod token;
pub mod wait;
pub mod wakes;
pub mod worker;

/// What the loop needs from outside.
pub trait Outside: Send + Sync {
    /// Where a job's report goes.
    type Reporter: JobReporter;
    /// Where a worker's jobs come from.
    type Jobs: JobSource;
    /// What is remembered between deliveries.
    type Table: Ledger + OpenJobs + OpenRuns + Shelf + WaitingTasks;
    /// Files of artifacts.
    type Files: ArtifactFiles;
    /// State machines that wait for a token.
    type Tokens: TaskCallback;
    /// Time.
    type Clock: Clock;
    /// Waiting.
    type Timer: Timer;

    /// Where a job's report goes.
    fn reporter(&self) -> &Self::Reporter;
    /// Where a worker's jobs come from.
    fn jobs(&self) -> &Self::Jobs;
    /// What is remembered; `None` for functions without a table, which then are no workers and start nothing outside.
    fn table(&self) -> Option<&Self::Table>;
    /// Files of artifacts, where the function reads any.
    fn files(&self) -> Option<&Self::Files>;
    /// Waiting state machines.
    fn tokens(&self) -> &Self::Tokens;
    /// Time.
    fn clock(&self) -> &Self::Clock;
    /// Waiting.
    fn timer(&self) -> &Self::Timer;
    /// What a worker takes; `None` when the function is none.
    fn worker(&self) -> Option<&WorkerSettings>;
    /// Parameters for all runs, where the function has some: what a run gives itself wins.
    fn defaults(&self) -> Option<&Map<String, Value>> {
        None
    }
    /// A new id, never given twice: hexadecimal digits and dashes, at most 64.
    fn new_id(&self) -> String;
}

/// What became of one event.
#[derive(Debug)]
pub enum Outcome {
    /// A job of a pipeline's invoke action.
    Job(Ended),
    /// A worker's round, and what became of tasks that waited with their tokens.
    Worker(Worked),
    /// A state machine's task.
    Task(task::Tasked),
    /// A pipeline's event that the action listened to, and what it did about it.
    Heard(Option<String>),
    /// Something that runs of the action may be part of is over.
    Stopped(stop::Stopped),
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
    /// What was stopped, because the report was refused for an action that the pipeline gave up.
    pub stopped: Vec<stop::EndedRun>,
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
    /// There was a result already: an earlier delivery of this event, or a call whose reply was lost.
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
    /// This function is no worker, or a worker without what it needs.
    #[error("this function cannot work as a job worker: {missing}")]
    NoWorker {
        /// What is missing.
        missing: &'static str,
    },
    /// A job event without a readable job id: there is nobody to report to.
    #[error("the job event has no readable job id")]
    NoJobId(#[source] JobEventError),
    /// A task's input of another shape.
    #[error("the task's input is wrong: {0}")]
    Task(ShapeError),
    /// The report did not arrive.
    #[error("the report of {of} was not delivered")]
    Undelivered {
        /// Job or task.
        of: String,
        /// The last attempt's error.
        #[source]
        source: PortError,
    },
    /// A run of an action that is over could not be stopped, or it is not known whether it goes on.
    #[error("what was started in {run} could not be stopped")]
    NotStopped {
        /// The run's key, or the execution's.
        run: String,
        /// Why.
        #[source]
        source: Fault,
    },
    /// What the action does about a pipeline's event failed.
    #[error("the pipeline's event was heard in vain")]
    NotHeard(#[source] Fault),
    /// CodePipeline gave a worker no jobs and no answer either.
    #[error("no jobs could be asked for")]
    NotPolled(#[source] PortError),
}

/// Serves one event of any host. For each job that it took it ends with exactly one report, or with an error when none
/// could be delivered.
///
/// `deadline` is when the host ends this process; a reserve for reporting is kept before it.
/// A step that blocks its thread cannot be cut off: hashing and unpacking belong on a blocking thread.
/// The event holds credentials: never log it.
pub async fn drive<A: Action, O: Outside>(
    action: &A,
    outside: &O,
    event: Value,
    deadline: Timestamp,
) -> Result<Outcome, DriveError> {
    match host::Kind::of(&event)? {
        host::Kind::Invoke => {
            let id = job_id(&event).map_err(DriveError::NoJobId)?;
            let job = decide::job(event);
            let run = Run::new(outside, deadline);
            run.job(action, id, job).await.map(Outcome::Job)
        }
        host::Kind::Worker => match stop::over(&event) {
            Some(over) if A::STOPS && outside.table().is_some() => {
                let run = Run::new(outside, deadline);
                let stopped = stop::ended(action, run, &over).await;
                stopped.map(Outcome::Stopped)
            }
            _ => match listened(action, outside, &event, deadline).await {
                Some(heard) => heard.map(Outcome::Heard),
                None => worker::work(action, outside, event, deadline)
                    .await
                    .map(Outcome::Worker),
            },
        },
        host::Kind::Task => task::serve(action, outside, event, deadline)
            .await
            .map(Outcome::Task),
    }
}

/// What a listening action does about an event, unless the event wakes it as a worker.
async fn listened<A: Action, O: Outside>(
    action: &A,
    outside: &O,
    event: &Value,
    deadline: Timestamp,
) -> Option<Result<Option<String>, DriveError>> {
    let woken = || {
        let settings = outside.worker();
        settings.is_some_and(|settings| wakes::wakes(event, settings).is_ok())
    };
    if !A::LISTENS || woken() {
        return None;
    }
    let change = StateChange::try_from(Event::try_from(event.clone()).ok()?).ok()?;
    let now = outside.clock().now();
    let budget = decide::budget(now, deadline);
    let heard = action.heard(Heard {
        change: &change,
        now,
        budget,
    });
    let fault = |kind, text: String| Err(DriveError::NotHeard(Fault::new(kind, text)));
    Some(
        match guard::bounded(heard, outside.timer().sleep(budget)).await {
            guard::End::Returned(heard) => heard.map_err(DriveError::NotHeard),
            guard::End::Panicked => fault(FaultKind::Internal, format!("{} panicked", A::NAME)),
            guard::End::Late => fault(
                FaultKind::TimedOut,
                format!("{} did not end in {:.1} s", A::NAME, budget.as_secs_f32()),
            ),
        },
    )
}
