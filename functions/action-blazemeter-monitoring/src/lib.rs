//! `action-blazemeter-monitoring`: triggers API tests of BlazeMeter API Monitoring, once Runscope, and waits for all of
//! their runs.
//!
//! - **Trigger**: all three hosts (docs/hosts.md).
//! - **Effects**: calls the trigger URL once; it may start many runs, and the action is over when all have ended. Reads
//!   their results; uploads them when the action has an output artifact.
//! - **Permissions**: those of its host, reading the secrets that `trigger`, `token` and `notificationUrl` name, the
//!   ledger's table.
//! - **Failure**: `JobFailed` names each run that failed, was canceled or could not be started, or says that they did not
//!   end in time; `PermissionError` that the token is not accepted; `ConfigurationError` that parameters or secrets are
//!   wrong; `SystemUnavailable` that the vendor did not answer until the patience was over. At 10 triggers in 10 s the
//!   vendor answers 429: the action waits and triggers later.
//!
//! The vendor documents no call that ends a run: `stop` of a run that still goes is an error, told in the log only, and
//! the run goes on to its own end. Runs are found again after a lost answer by the initial variable `cpJobId`, when
//! `bucket` and `test` are given; whether results show initial variables is documented for callbacks only, so where they
//! do not the action fails and says where to look. The callback (`notificationUrl`) is a hint without a signature: what
//! counts is what is read afterwards. Parameters and output variables: `description.rs`.

use std::{fmt, time::Duration};

use shared::{
    action::{Action, CutOff, Request, Step, Stop},
    fault::Fault,
    follow::{Progress, Rules, Vendor as _, follow, since},
    port::{Artifacts, Ledger, SecretStore, Timer},
    provider::{Http, Provider},
    start::{Found, Starter as _},
};

use crate::{
    params::Params,
    run::{Run, WHAT},
};

mod description;
pub mod judge;
pub mod params;
mod run;
pub mod wire;

/// The action over its ports.
pub struct BlazeMeterMonitoring<H, T, S, L, A> {
    provider: Provider<H, T>,
    secrets: S,
    ledger: L,
    artifacts: A,
}

const NAME: &str = "action-blazemeter-monitoring";
/// Tests take seconds to a few minutes; after a 429 at least 10 s must pass.
const EVERY: Duration = Duration::from_secs(10);
/// Of a step's time, for one call: a step makes several.
const SHARE: u32 = 3;

impl<H: Http, T: Timer, S, L, A> BlazeMeterMonitoring<H, T, S, L, A> {
    /// The action over these ports.
    pub fn new(http: H, timer: T, secrets: S, ledger: L, artifacts: A) -> Self {
        Self {
            provider: Provider::new(http, timer, "BlazeMeter API Monitoring"),
            secrets,
            ledger,
            artifacts,
        }
    }
}

impl<H, T, S, L, A> BlazeMeterMonitoring<H, T, S, L, A>
where
    H: Http,
    T: Timer,
    S: SecretStore,
    L: Ledger,
    A: Artifacts,
{
    async fn looked<'a>(
        &'a self,
        params: &'a Params,
        mark: &'a str,
        budget: Duration,
        now: jiff::Timestamp,
    ) -> Result<Run<'a, H, T, A>, Fault> {
        Ok(Run {
            provider: &self.provider,
            params,
            token: self.secrets.read(&params.token).await?,
            start: None,
            mark,
            since: now,
            budget: budget / SHARE,
            now,
            output: None,
        })
    }
}

impl<H, T, S, L, A> Action for BlazeMeterMonitoring<H, T, S, L, A>
where
    H: Http,
    T: Timer,
    S: SecretStore,
    L: Ledger,
    A: Artifacts,
{
    const NAME: &'static str = NAME;
    type Params = Params;
    type Progress = Progress<()>;
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;

    async fn step(
        &self,
        request: Request<'_, Params, Progress<()>>,
    ) -> Result<Step<Progress<()>>, Fault> {
        let (params, job) = (request.params, request.job);
        let mut run = self
            .looked(params, &job.run_key, request.budget, request.now)
            .await?;
        let trigger = self.secrets.read(&params.trigger).await?;
        let callback = match &params.notification_url {
            Some(url) => Some(self.secrets.read(url).await?),
            None => None,
        };
        run.start = Some((trigger, callback));
        run.since = since(&self.ledger, NAME, &request).await?;
        run.output = Some((&self.artifacts, job));
        let rules = Rules {
            action: NAME,
            what: WHAT,
            patience: params.patience,
            every: EVERY,
        };
        follow(&self.ledger, &run, rules, request).await
    }

    async fn stop(&self, stop: Stop<'_, Params>) -> Result<(), Fault> {
        let run = self.looked(stop.params, "", stop.budget, stop.now).await?;
        run.stop(stop.run).await
    }

    async fn find(&self, request: Request<'_, Params, Progress<()>>) -> Result<Found, Fault> {
        let key = &request.job.run_key;
        let mut run = self
            .looked(request.params, key, request.budget, request.now)
            .await?;
        run.since = since(&self.ledger, NAME, &request).await?;
        run.find().await
    }
}

impl<H, T, S, L, A> fmt::Debug for BlazeMeterMonitoring<H, T, S, L, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlazeMeterMonitoring")
    }
}

#[cfg(test)]
mod tests;
