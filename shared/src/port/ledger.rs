//! What is remembered between deliveries: runs that were started, jobs that are open, progress too large for a token.

use std::future::Future;

use jiff::Timestamp;

use super::PortError;
use crate::{id::JobId, job::Place, secret::Secret};

/// A delivery's claim to start a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// When it was claimed.
    pub at: Timestamp,
    /// Until then the claim is its owner's alone; afterwards its owner has ended, whatever became of the start.
    pub until: Timestamp,
    /// The delivery that owns it.
    pub by: String,
}

/// What the ledger knows of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerEntry {
    /// Somebody intended to start and may have.
    Intended(Intent),
    /// Started, with the vendor's run id.
    Started {
        /// The vendor's id.
        run: String,
    },
    /// The action reported its end.
    Finished,
}

/// Start once: intent before an outside run, its id afterwards.
pub trait Ledger: Send + Sync {
    /// Reads, strongly consistent.
    fn read(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<LedgerEntry>, PortError>> + Send;
    /// Puts the intent where there is no entry, or an intent of the same owner; `Conflict` otherwise.
    fn intend(
        &self,
        key: &str,
        intent: &Intent,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Puts `intent` in place of exactly `old`; `Conflict` when something else is there.
    fn take_over(
        &self,
        key: &str,
        old: &Intent,
        intent: &Intent,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Removes an intent of this owner: nothing was started. `Conflict` when something else is there.
    fn withdraw(&self, key: &str, by: &str) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Stores the run's id over the intent. A finished run stays finished (`Conflict`).
    fn started(&self, key: &str, run: &str) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Marks the end; kept until TTL so that late duplicates are recognised.
    fn finished(&self, key: &str) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// A custom action's job that a worker has taken, or is about to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenJob {
    /// The job.
    pub job: JobId,
    /// What it is acknowledged with.
    pub nonce: String,
    /// The delivery that works on it.
    pub by: String,
    /// Until then it is that delivery's alone; afterwards that delivery has ended.
    pub until: Timestamp,
}

/// Jobs taken and not yet reported, so that those of a worker that crashed are found again.
pub trait OpenJobs: Send + Sync {
    /// Notes a job where it is not noted yet, or by the same delivery; `Conflict` otherwise.
    fn open(
        &self,
        action: &str,
        job: &OpenJob,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Jobs whose time was over before `now`, at most `most`.
    fn left_open(
        &self,
        action: &str,
        now: Timestamp,
        most: usize,
    ) -> impl Future<Output = Result<Vec<OpenJob>, PortError>> + Send;
    /// Puts `new` in place of exactly `old`; `Conflict` when something else is there.
    fn reopen(
        &self,
        action: &str,
        old: &OpenJob,
        new: &OpenJob,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Forgets a job; an absent one is no error.
    fn close(
        &self,
        action: &str,
        job: &JobId,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// A run of an action as noted before its first step, to be found when whatever it is part of ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// The pipeline execution's id, or the ARN of a state machine's execution.
    pub execution: String,
    /// The run's key, as in [`crate::job::Job::run_key`].
    pub run_key: String,
    /// The action, where it is one of a pipeline.
    pub place: Option<Place>,
    /// The action's parameters, as [`crate::drive::parameters::keep`] writes them.
    pub parameters: String,
}

/// Runs by what they are part of. They are kept until TTL; whether one is over, its [`LedgerEntry`] says.
pub trait OpenRuns: Send + Sync {
    /// Notes a run; noting it again is no error.
    fn note(
        &self,
        action: &str,
        run: &OpenRun,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// All runs of this action that were noted in an execution.
    fn noted(
        &self,
        action: &str,
        execution: &str,
    ) -> impl Future<Output = Result<Vec<OpenRun>, PortError>> + Send;
}

/// A state machine's task that waits with its token, kept from before its first step until the token is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingTask {
    /// The run's key, as in [`crate::job::Job::run_key`]: one task of it is kept.
    pub run_key: String,
    /// What the machine is answered with.
    pub token: Secret,
    /// The task's input with the progress so far, as [`crate::wire::task::kept`] writes it.
    pub input: String,
    /// The vendor's run, once it is known: what a callback may name.
    pub run: Option<String>,
    /// When it is looked at next, unless a callback comes first.
    pub due: Timestamp,
    /// The delivery that has it in hand, or had it last.
    pub by: String,
    /// Until then it is that delivery's alone.
    pub until: Timestamp,
}

/// Tasks that wait with a token. The token is a secret: implementations keep it where it is encrypted at rest.
pub trait WaitingTasks: Send + Sync {
    /// Keeps a task where none of its run is kept, or one of another token, or one of the same delivery; `Conflict`
    /// otherwise.
    fn keep(
        &self,
        action: &str,
        task: &WaitingTask,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Tasks that nobody has in hand `now` and that are due until `due`, at most `most`.
    fn waiting(
        &self,
        action: &str,
        now: Timestamp,
        due: Timestamp,
        most: usize,
    ) -> impl Future<Output = Result<Vec<WaitingTask>, PortError>> + Send;
    /// Puts `new` in place of exactly `old`, or of one of the same delivery and token; `Conflict` when something else is
    /// there.
    fn keep_on(
        &self,
        action: &str,
        old: &WaitingTask,
        new: &WaitingTask,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Forgets a task of this delivery; an absent one is no error, another's is a `Conflict`.
    fn forget(
        &self,
        action: &str,
        task: &WaitingTask,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Texts too large for a continuation token, under a run's key.
pub trait Shelf: Send + Sync {
    /// Keeps a text; keeping the same again is no error.
    fn put(
        &self,
        key: &str,
        name: &str,
        text: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// The text, if it is there.
    fn get(
        &self,
        key: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<String>, PortError>> + Send;
}
