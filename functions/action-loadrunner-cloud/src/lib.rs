//! `action-loadrunner-cloud`: runs a load test of LoadRunner Cloud and waits for its results.
//!
//! LoadRunner Cloud was StormRunner Load; its present owner calls it OpenText Core Performance Engineering.
//!
//! - **Trigger**: all three hosts (docs/hosts.md).
//! - **Effects**: logs in, starts the load test once, looks at the run, stops it when the patience is over, when it does
//!   not move, or when the pipeline gives the action up. With an output artifact it has reports made and uploads them
//!   beside `results.json`.
//! - **Permissions**: those of its host, reading the secret that `clientSecret` names, the ledger's table.
//! - **Failure**: `JobFailed` says how the run ended (`FAILED`, `STOPPED`, `HALTED`, `ABORTED`, `SYSTEM_ERROR`), which of
//!   `maxFailedPercent` and `maxPercentileMs` it broke, or that it did not end in time; `PermissionError` that the login is
//!   not accepted; `ConfigurationError` that parameters are wrong or the vendor refuses them; `SystemUnavailable` that it
//!   did not answer until the patience was over.
//!
//! After a lost answer the run is looked for among the active ones. The vendor documents no list of ended runs and no
//! mark of our own, so unless exactly one run fits test and time the action fails and says where to look: it never
//! risks a second, billed, load test. There is no callback but mail. Not documented and taken as the vendor's tools take
//! it: a token lives until a call is refused, and `percentileTRT` counts seconds.
//! Parameters and output variables: `description.rs`.

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
    api::{Api, Sessions},
    params::Params,
    run::{Notes, Run, what},
};

mod api;
mod description;
pub mod judge;
pub mod params;
mod run;
pub mod wire;

/// The action over its ports.
pub struct LoadRunnerCloud<H, T, S, L, A> {
    provider: Provider<H, T>,
    sessions: Sessions,
    secrets: S,
    ledger: L,
    artifacts: A,
}

const NAME: &str = "action-loadrunner-cloud";
/// The vendor's tools look every 10 to 20 s.
const EVERY: Duration = Duration::from_secs(20);
/// Of a step's time, for one call: a step makes several.
const SHARE: u32 = 4;

impl<H: Http, T: Timer, S, L, A> LoadRunnerCloud<H, T, S, L, A> {
    /// The action over these ports.
    pub fn new(http: H, timer: T, secrets: S, ledger: L, artifacts: A) -> Self {
        Self {
            provider: Provider::new(http, timer, "LoadRunner Cloud"),
            sessions: Sessions::default(),
            secrets,
            ledger,
            artifacts,
        }
    }
}

impl<H: Http, T: Timer, S: SecretStore, L: Ledger, A: Artifacts> LoadRunnerCloud<H, T, S, L, A> {
    async fn api<'a>(
        &'a self,
        params: &'a Params,
        budget: Duration,
        now: jiff::Timestamp,
    ) -> Result<Api<'a, H, T>, Fault> {
        Ok(Api {
            provider: &self.provider,
            sessions: &self.sessions,
            params,
            secret: self.secrets.read(&params.secret).await?,
            budget: budget / SHARE,
            now,
        })
    }

    async fn run<'a>(
        &'a self,
        request: &Request<'a, Params, Progress<Notes>>,
        output: bool,
    ) -> Result<Run<'a, H, T, A>, Fault> {
        let params = request.params;
        Ok(Run {
            api: self.api(params, request.budget, request.now).await?,
            params,
            since: since(&self.ledger, NAME, request).await?,
            deadline: request.started_at + params.patience,
            output: output.then_some((&self.artifacts, request.job)),
        })
    }
}

impl<H, T, S, L, A> Action for LoadRunnerCloud<H, T, S, L, A>
where
    H: Http,
    T: Timer,
    S: SecretStore,
    L: Ledger,
    A: Artifacts,
{
    const NAME: &'static str = NAME;
    type Params = Params;
    type Progress = Progress<Notes>;
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;

    async fn step(
        &self,
        request: Request<'_, Params, Progress<Notes>>,
    ) -> Result<Step<Progress<Notes>>, Fault> {
        let run = self.run(&request, true).await?;
        let rules = Rules {
            action: NAME,
            what: &what(request.params),
            patience: request.params.patience,
            every: EVERY,
        };
        follow(&self.ledger, &run, rules, request).await
    }

    async fn stop(&self, stop: Stop<'_, Params>) -> Result<(), Fault> {
        let run: Run<'_, H, T, A> = Run {
            api: self.api(stop.params, stop.budget, stop.now).await?,
            params: stop.params,
            since: stop.now,
            deadline: stop.now,
            output: None,
        };
        run.stop(stop.run).await
    }

    async fn find(&self, request: Request<'_, Params, Progress<Notes>>) -> Result<Found, Fault> {
        self.run(&request, false).await?.find().await
    }
}

impl<H, T, S, L, A> fmt::Debug for LoadRunnerCloud<H, T, S, L, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoadRunnerCloud")
    }
}

#[cfg(test)]
mod tests;
