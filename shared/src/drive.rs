//! The loop around one action: parse, look in the ledger, step, report exactly once. Safe to repeat.

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    action::Action,
    fault::Fault,
    host,
    id::JobId,
    job::Report,
    port::{Clock, JobReporter, Ledger, PortError, Timer},
};

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
    /// What was decided; `None` when the ledger knew that the run is over and nothing was done.
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
    #[error("the job event has no readable job id: {problem}")]
    NoJobId {
        /// What is wrong with it.
        problem: String,
    },
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
    let _ = (action, ports, deadline);
    Err(DriveError::NotBuilt {
        message: "the loop is not built yet",
    })
}
