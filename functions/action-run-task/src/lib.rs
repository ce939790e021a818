//! `action-run-task`: runs a task on ECS and waits for its exit codes; for migrations and other errands.
//!
//! - **Trigger**: all three hosts (docs/hosts.md).
//! - **Effects**: starts the task once, looks at it until it stops, stops it when the patience is over or the pipeline
//!   gives the action up. Puts the containers' logs into its output artifact when it has one.
//! - **Permissions**: `ecs:RunTask` on the task definition with `iam:PassRole` on its roles; `ecs:DescribeTasks`,
//!   `ecs:ListTasks`, `ecs:StopTask` in the cluster; `ecs:DescribeTaskDefinition`; `logs:GetLogEvents` on the log group;
//!   the ledger's table.
//! - **Failure**: `JobFailed` says which container ended how, with the last lines of its log, or that the task did not
//!   end in time; `SystemUnavailable` that the cluster could not carry it until then; `ConfigurationError` that ECS
//!   refuses what is asked. The task has run then, perhaps in part: whether it may run again is its own matter.
//!
//! The job's id is the task's client token and `startedBy`: ECS answers the same task to a repeated start, for 24 hours.
//! Parameters and output variables: `description.rs`.

use std::{fmt, time::Duration};

use shared::{
    action::{Action, CutOff, Request, Step, Stop},
    fault::Fault,
    follow::{Progress, Rules, Vendor as _, follow},
    port::{Artifacts, Ledger, Services},
    start::{Found, Starter as _, mark},
};

use crate::{
    params::Params,
    run::{LONGEST_MARK, Run},
};

mod description;
pub mod judge;
pub mod params;
mod run;
pub mod wire;

/// The action over its ports.
pub struct RunTask<S, L, A> {
    services: S,
    ledger: L,
    artifacts: A,
}

/// Between two looks, for hosts that choose.
const EVERY: Duration = Duration::from_secs(15);

impl<S, L, A> RunTask<S, L, A> {
    /// The action over these ports.
    pub fn new(services: S, ledger: L, artifacts: A) -> Self {
        Self {
            services,
            ledger,
            artifacts,
        }
    }

    fn run<'a>(&'a self, params: &'a Params, run_key: &str) -> Run<'a, S, A> {
        Run {
            services: &self.services,
            params,
            mark: mark(run_key, LONGEST_MARK),
            output: None,
        }
    }
}

impl<S: Services, L: Ledger, A: Artifacts> Action for RunTask<S, L, A> {
    const NAME: &'static str = "action-run-task";
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;
    type Params = Params;
    type Progress = Progress<()>;

    async fn step(
        &self,
        request: Request<'_, Params, Progress<()>>,
    ) -> Result<Step<Progress<()>>, Fault> {
        let run = Run {
            output: Some((&self.artifacts, request.job)),
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

impl<S, L, A> fmt::Debug for RunTask<S, L, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunTask")
    }
}

#[cfg(test)]
mod tests;
