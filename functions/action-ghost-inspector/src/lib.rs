//! `action-ghost-inspector`: runs a suite or a test of Ghost Inspector and waits for its result.
//!
//! - **Trigger**: all three hosts (docs/hosts.md).
//! - **Effects**: starts the suite or test once, looks at its results, cancels them when the patience is over or the
//!   pipeline gives the action up. Uploads the xUnit reports of a suite when the action has an output artifact.
//! - **Permissions**: those of its host, reading the secrets that `apiKey` and `webhook` name, the ledger's table.
//! - **Failure**: `JobFailed` says which tests failed, that the run was cancelled, or did not end in time;
//!   `PermissionError` that the key is not accepted; `ConfigurationError` that parameters are wrong or the vendor refuses
//!   them; `SystemUnavailable` that the vendor did not answer until the patience was over.
//!
//! A run is found again after a lost answer by the variable `cpJobId`. The vendor's callback (`webhook`, of a single
//! test) is a hint without a signature: what counts is what is read afterwards. Of the vendor's reference it is not
//! known whether a suite's execution takes one; an unknown name would become a variable of the tests, so none is sent.
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
    api::Api,
    params::Params,
    run::{Notes, Run},
};

mod api;
mod description;
pub mod judge;
pub mod params;
mod run;
pub mod wire;

/// The action over its ports.
pub struct GhostInspector<H, T, S, L, A> {
    provider: Provider<H, T>,
    secrets: S,
    ledger: L,
    artifacts: A,
}

const NAME: &str = "action-ghost-inspector";
/// The vendor's clients look every 5 s.
const EVERY: Duration = Duration::from_secs(10);
/// Of a step's time, for one call: a step makes several.
const SHARE: u32 = 3;

impl<H: Http, T: Timer, S, L, A> GhostInspector<H, T, S, L, A> {
    /// The action over these ports.
    pub fn new(http: H, timer: T, secrets: S, ledger: L, artifacts: A) -> Self {
        Self {
            provider: Provider::new(http, timer, "Ghost Inspector"),
            secrets,
            ledger,
            artifacts,
        }
    }
}

impl<H: Http, T: Timer, S: SecretStore, L: Ledger, A: Artifacts> GhostInspector<H, T, S, L, A> {
    async fn api<'a>(
        &'a self,
        params: &'a Params,
        budget: Duration,
        now: jiff::Timestamp,
    ) -> Result<Api<'a, H, T>, Fault> {
        Ok(Api {
            provider: &self.provider,
            base: params.base.as_str(),
            key: self.secrets.read(&params.api_key).await?,
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
        let webhook = match &params.webhook {
            Some(webhook) => Some(self.secrets.read(webhook).await?),
            None => None,
        };
        Ok(Run {
            api: self.api(params, request.budget, request.now).await?,
            params,
            mark: &request.job.run_key,
            since: since(&self.ledger, NAME, request).await?,
            webhook,
            output: output.then_some((&self.artifacts, request.job)),
        })
    }
}

impl<H, T, S, L, A> Action for GhostInspector<H, T, S, L, A>
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
            what: &request.params.target.what(),
            patience: request.params.patience,
            every: EVERY,
        };
        follow(&self.ledger, &run, rules, request).await
    }

    async fn stop(&self, stop: Stop<'_, Params>) -> Result<(), Fault> {
        let run: Run<'_, H, T, A> = Run {
            api: self.api(stop.params, stop.budget, stop.now).await?,
            params: stop.params,
            mark: "",
            since: stop.now,
            webhook: None,
            output: None,
        };
        run.stop(stop.run).await
    }

    async fn find(&self, request: Request<'_, Params, Progress<Notes>>) -> Result<Found, Fault> {
        self.run(&request, false).await?.find().await
    }
}

impl<H, T, S, L, A> fmt::Debug for GhostInspector<H, T, S, L, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GhostInspector")
    }
}

#[cfg(test)]
mod tests;
