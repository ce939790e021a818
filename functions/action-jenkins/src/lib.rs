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
//! Readings of what Jenkins leaves open: an item or a build that is not found three times in a row is gone; a build that
//! ended without a result is waited for, as Jenkins decides late after a restart. The Notification plugin may post to the
//! function's URL: that wakes a worker and is believed in nothing, for it is unsigned.
//!
//! Parameters: see [`params::Params`] and `docs/actions/action-jenkins.md`. Output variables: `BuildNumber`, `BuildUrl`,
//! `Result`, `DurationSeconds`, and `TestsTotal`, `TestsFailed`, `TestsSkipped` where tests were published.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::{
    action::{Action, CutOff, Request, Step, Stop},
    fault::{Fault, FaultKind},
    job::Details,
    port::{Artifacts, Ledger, SecretStore, Timer},
    provider::{Http, Provider},
    start::{Found, Started, Starter, start_once},
};

use crate::{params::Params, run::Run, server::Server, start::Builder};

mod decide;
mod description;
mod end;
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

/// What is kept between two steps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The run, once it is known.
    pub run: Option<Run>,
    /// How often in a row it was not found.
    pub missing: u8,
}

/// For hosts that choose the interval themselves: builds take minutes.
const AGAIN_IN: Duration = Duration::from_secs(15);
/// A build may be a moment late to be seen.
const MISSING_MOST: u8 = 3;

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
    const NAME: &'static str = "action-jenkins";
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;
    type Params = Params;
    type Progress = Progress;

    async fn step(
        &self,
        mut request: Request<'_, Params, Progress>,
    ) -> Result<Step<Progress>, Fault> {
        let progress = request.progress.take().unwrap_or_default();
        let server = self
            .server(request.params, request.now, request.budget)
            .await?;
        match progress.run {
            None => self.begin(server, &request).await,
            Some(run) => self.look(&server, &request, run, progress.missing).await,
        }
    }

    async fn stop(&self, stop: Stop<'_, Params>) -> Result<(), Fault> {
        let run = stop
            .run
            .parse::<Run>()
            .map_err(|error| Fault::new(FaultKind::Internal, error.to_string()).because(error))?;
        let server = self.server(stop.params, stop.now, stop.budget).await?;
        end::end(&server, &self.timer, run).await
    }

    async fn find(&self, request: Request<'_, Params, Progress>) -> Result<Found, Fault> {
        let server = self
            .server(request.params, request.now, request.budget)
            .await?;
        let key = &request.job.run_key;
        Builder { server, key }.find().await
    }
}

impl<H, T, S, L, A> fmt::Debug for Jenkins<H, T, S, L, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jenkins")
    }
}

type Asked<'a> = Request<'a, Params, Progress>;

impl<H, T, S, L, A> Jenkins<H, T, S, L, A>
where
    H: Http,
    T: Timer,
    S: SecretStore,
    L: Ledger,
    A: Artifacts,
{
    async fn server<'a>(
        &'a self,
        params: &'a Params,
        now: Timestamp,
        budget: Duration,
    ) -> Result<Server<'a, H, T>, Fault> {
        Ok(Server {
            provider: &self.provider,
            params,
            secret: self.secrets.read(&params.token).await?,
            now,
            budget,
        })
    }

    /// Starts the build, unless an earlier delivery did.
    async fn begin(
        &self,
        server: Server<'_, H, T>,
        request: &Asked<'_>,
    ) -> Result<Step<Progress>, Fault> {
        let key = &request.job.run_key;
        let params = request.params;
        let builder = Builder { server, key };
        let (why, again_in) = match start_once(&self.ledger, &builder, Self::NAME, request).await {
            Ok(Started::Run(run)) => {
                let run: Run = run.parse().map_err(|error| {
                    Fault::new(FaultKind::Internal, "the ledger holds no run of Jenkins")
                        .because(error)
                })?;
                let text = format!("{} waits in the queue", params.job);
                return Ok(waiting(params, Some(run), 0, text, None, AGAIN_IN));
            }
            Ok(Started::Wait(time)) => (format!("{} is being started", params.job), time),
            Err(fault) if fault.kind == FaultKind::Unavailable && !is_over(request) => (
                format!("{} is not started yet: {}", params.job, fault.public),
                AGAIN_IN,
            ),
            Err(fault) => return Err(fault),
        };
        if is_over(request) {
            return Err(Fault::new(
                FaultKind::TimedOut,
                format!(
                    "{why}, and the {} minutes of timeoutMinutes are over",
                    minutes(params)
                ),
            ));
        }
        Ok(waiting(params, None, 0, why, None, again_in))
    }
}

fn is_over(request: &Asked<'_>) -> bool {
    let elapsed = request.now.duration_since(request.started_at);
    Duration::try_from(elapsed).unwrap_or_default() >= request.params.patience
}

fn minutes(params: &Params) -> u64 {
    params.patience.as_secs() / 60
}

fn waiting(
    params: &Params,
    run: Option<Run>,
    missing: u8,
    summary: String,
    percent: Option<u8>,
    again_in: Duration,
) -> Step<Progress> {
    Step::Wait {
        progress: Progress { run, missing },
        details: Details {
            summary: Some(summary),
            external_id: run.and_then(|run| run.to_string().parse().ok()),
            percent,
            link: Some(run.map_or_else(
                || params.base.at(&params.job.url_path()),
                |run| words::link(params, run),
            )),
        },
        again_in,
    }
}

#[cfg(test)]
mod tests;
