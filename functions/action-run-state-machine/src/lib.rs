//! `action-run-state-machine`: runs a standard state machine of Step Functions and waits for its end.
//!
//! - **Trigger**: all three hosts (docs/hosts.md).
//! - **Effects**: starts one execution, looks at it until it ends, stops it when the patience is over or the pipeline
//!   gives the action up. Puts the execution's output into its output artifact when it has one.
//! - **Permissions**: `states:DescribeStateMachine`, `states:StartExecution` on the machine; `states:DescribeExecution`,
//!   `states:StopExecution` on its executions; the ledger's table.
//! - **Failure**: `JobFailed` with the execution's error and cause, or that it did not end in time;
//!   `ConfigurationError` that there is no such machine, that it is an Express one, or that its input is wrong. What the
//!   execution has done stays done.
//!
//! The execution's name is made of the run's own id, so a repeated start finds the first one: Step Functions answers the
//! same execution while it runs, and that it exists afterwards. **Express** machines are refused: their names start
//! something each time, and their executions can neither be looked at nor stopped.
//! Unconfirmed, and taken so: an execution of a version or an alias is named after the machine
//! ([`params::MachineArn::execution`]).
//! Parameters and output variables: `description.rs`.

use std::{fmt, time::Duration};

use shared::{
    action::{Action, CutOff, Request, Step, Stop},
    fault::Fault,
    follow::{Progress, Rules, Vendor as _, follow},
    port::{ArtifactFiles, Artifacts, Ledger, StateMachines},
    start::{Found, Starter as _, mark},
};

use crate::{params::Params, run::Run};

mod description;
pub mod judge;
pub mod params;
mod run;

/// The action over its ports.
pub struct RunStateMachine<M, L, A, F> {
    machines: M,
    ledger: L,
    artifacts: A,
    files: F,
}

/// Between two looks, for hosts that choose.
const EVERY: Duration = Duration::from_secs(15);
/// An action execution's id.
const LONGEST_MARK: usize = 36;

impl<M, L, A, F> RunStateMachine<M, L, A, F> {
    /// The action over these ports.
    pub fn new(machines: M, ledger: L, artifacts: A, files: F) -> Self {
        Self {
            machines,
            ledger,
            artifacts,
            files,
        }
    }

    fn run<'a>(&'a self, params: &'a Params, run_key: &str) -> Run<'a, M, A, F> {
        let mark = mark(run_key, LONGEST_MARK);
        Run {
            machines: &self.machines,
            params,
            name: match &params.prefix {
                Some(prefix) => format!("{prefix}-{mark}"),
                None => mark,
            },
            job: None,
        }
    }
}

impl<M: StateMachines, L: Ledger, A: Artifacts, F: ArtifactFiles> Action
    for RunStateMachine<M, L, A, F>
{
    const NAME: &'static str = "action-run-state-machine";
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;
    type Params = Params;
    type Progress = Progress<()>;

    async fn step(
        &self,
        request: Request<'_, Params, Progress<()>>,
    ) -> Result<Step<Progress<()>>, Fault> {
        let run = Run {
            job: Some((&self.artifacts, &self.files, request.job)),
            ..self.run(request.params, &request.job.run_key)
        };
        let rules = Rules {
            action: Self::NAME,
            what: &request.params.what(),
            patience: request.params.patience,
            every: EVERY,
        };
        follow(&self.ledger, &run, rules, request).await
    }

    async fn stop(&self, stop: Stop<'_, Params>) -> Result<(), Fault> {
        self.run(stop.params, "").stop(stop.run).await
    }

    async fn find(&self, request: Request<'_, Params, Progress<()>>) -> Result<Found, Fault> {
        self.run(request.params, &request.job.run_key).find().await
    }
}

impl<M, L, A, F> fmt::Debug for RunStateMachine<M, L, A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunStateMachine")
    }
}

#[cfg(test)]
mod tests;
