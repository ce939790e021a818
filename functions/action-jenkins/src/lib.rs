//! `action-jenkins`: runs one job of Jenkins and waits for its build.
//!
//! - **Trigger**: any of the three hosts ([`shared::host::Kind`]).
//! - **Effects**: queues one build, with the action's parameters; polls it; ends it when the pipeline gives the action
//!   up, or when the action's time is over (`stop`, then `term` and `kill` where the job is a Pipeline). With an output
//!   artifact it packs `testReport.json`, as Jenkins' JUnit plugin gives it, and the archived files under `artifacts/`.
//! - **Permissions**: those of its host; the table; the secret in `token`. The Jenkins user needs Job/Read, Job/Build
//!   and Job/Cancel.
//! - **Failure**: `JobFailed` says how the build ended, which tests failed and the log's last lines;
//!   `ConfigurationError` that the job cannot be started like this; `PermissionError` that Jenkins refuses the user;
//!   `SystemUnavailable` that Jenkins did not answer until the time was over. Retrying the stage starts a new build.
//!
//! **Started once**: give the job a text parameter named as `runParameter` says (`PIPELINE_RUN`). Jenkins merges equal
//! queued builds and has no other key; by this parameter a build is ours, and is found again when the answer to its
//! start was lost. A job without it is started too, but after a lost answer the action fails and says where to look.
//! A build that was merged with somebody else's is not stopped.
//!
//! **Compatible with the official plugin's action type**: that type has `ProjectName` alone. Put `url`, `user`, `token`
//! and `projects` (names to paths, for jobs in folders) into the function's `STAGEWRIGHT_PARAMETERS`.
//!
//! Readings of what Jenkins leaves open: an item or a build that is not found ten times in a row is gone; a build that
//! ended without a result is waited for, as Jenkins decides late after a restart. The Notification plugin may post to the
//! function's URL: that wakes a worker and is believed in nothing, for it is unsigned.
//!
//! Parameters: see [`params::Params`] and `docs/actions/action-jenkins.md`. Output variables: `BuildNumber`, `BuildUrl`,
//! `Result`, `DurationSeconds`, and `TestsTotal`, `TestsFailed`, `TestsSkipped` where tests were published.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use shared::{
    action::{Action, CutOff, Request, Step, Stop},
    fault::{Fault, FaultKind},
    follow::{Progress, Rules, follow},
    port::{Artifacts, Ledger, SecretStore, Timer},
    provider::{Http, Provider},
    start::{Found, Starter},
};

use crate::{
    look::{Followed, Notes},
    params::Params,
    run::Run,
    server::Server,
};

mod decide;
mod description;
mod end;
mod files;
mod junit;
mod look;
mod output;
pub mod params;
pub mod run;
mod server;
mod start;
mod wire;
mod words;

/// The action over its ports.
pub struct Jenkins<H, T, S, L, A> {
    provider: Provider<H, T>,
    timer: T,
    secrets: S,
    ledger: L,
    artifacts: A,
}

/// Also part of ledger keys.
const NAME: &str = "action-jenkins";
/// For hosts that choose the interval themselves: builds take minutes.
const EVERY: Duration = Duration::from_secs(15);

impl<H: Http, T: Timer + Clone, S, L, A> Jenkins<H, T, S, L, A> {
    /// The action over these ports.
    pub fn new(http: H, timer: T, secrets: S, ledger: L, artifacts: A) -> Self {
        Self {
            provider: Provider::new(http, timer.clone(), "Jenkins"),
            timer,
            secrets,
            ledger,
            artifacts,
        }
    }
}

impl<H, T, S, L, A> Action for Jenkins<H, T, S, L, A>
where
    H: Http,
    T: Timer,
    S: SecretStore,
    L: Ledger,
    A: Artifacts,
{
    const NAME: &'static str = NAME;
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;
    type Params = Params;
    type Progress = Progress<Notes>;

    async fn step(
        &self,
        request: Request<'_, Params, Progress<Notes>>,
    ) -> Result<Step<Progress<Notes>>, Fault> {
        let params = request.params;
        let build = self.build(params, request.now, request.budget).await?;
        let build = build.of(request.job, &self.artifacts);
        let rules = Rules {
            action: NAME,
            what: &params.job.to_string(),
            patience: params.patience,
            every: EVERY,
        };
        follow(&self.ledger, &build, rules, request).await
    }

    async fn stop(&self, stop: Stop<'_, Params>) -> Result<(), Fault> {
        let run = stop
            .run
            .parse::<Run>()
            .map_err(|error| Fault::new(FaultKind::Internal, error.to_string()).because(error))?;
        let build = self.build(stop.params, stop.now, stop.budget).await?;
        match run.shared {
            // Somebody else wants it too.
            true => Ok(()),
            false => end::end(&build.server, &self.timer, run).await,
        }
    }

    async fn find(&self, request: Request<'_, Params, Progress<Notes>>) -> Result<Found, Fault> {
        let build = self.build(request.params, request.now, request.budget);
        build.await?.of(request.job, &self.artifacts).find().await
    }
}

impl<H, T, S, L, A> fmt::Debug for Jenkins<H, T, S, L, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jenkins")
    }
}

impl<H: Http, T: Timer, S: SecretStore, L, A> Jenkins<H, T, S, L, A> {
    async fn build<'a>(
        &'a self,
        params: &'a Params,
        now: Timestamp,
        budget: Duration,
    ) -> Result<Followed<'a, H, T, A>, Fault> {
        let server = Server {
            provider: &self.provider,
            params,
            secret: self.secrets.read(&params.token).await?,
            now,
            budget,
        };
        Ok(Followed {
            server,
            timer: &self.timer,
            job: None,
        })
    }
}

#[cfg(test)]
mod tests;
