//! A check run of GitHub: made once, found again by our mark.

use std::time::Duration;

use jiff::Timestamp;
use shared::{
    fault::{Fault, FaultKind},
    port::Timer,
    provider::{Http, Provider},
    secret::Secret,
    start::{Found, StartError, Starter},
};

use crate::{
    params::Params,
    say::{CheckRuns, Said, check_run, check_runs},
};

/// A check run for one step.
pub struct Check<'a, H, T> {
    /// The host.
    pub provider: &'a Provider<H, T>,
    /// What is wanted.
    pub params: &'a Params,
    /// An App's token.
    pub token: Secret,
    /// What marks the run.
    pub mark: &'a str,
    /// For one call.
    pub budget: Duration,
    /// Now.
    pub now: Timestamp,
}

/// A page of GitHub's; more runs of one name at one commit are not looked through.
const PAGE: usize = 100;

impl<H: Http, T: Timer> Starter for Check<'_, H, T> {
    async fn start(&self) -> Result<String, StartError> {
        let call = check_run(self.params, &self.token, self.mark, None);
        let answer = self.provider.ask(&call, self.budget, self.now).await;
        let said = answer.and_then(|answer| answer.json::<Said>());
        let said = said.map_err(shared::provider::ProviderError::start_error)?;
        said.run().ok_or_else(|| {
            let text = "GitHub made a check run and answered without its id";
            StartError::Unknown(Fault::new(FaultKind::Failed, text))
        })
    }

    /// A run that is found was made with all that there is to say; it is said once more all the same.
    async fn find(&self) -> Result<Found, Fault> {
        let call = check_runs(self.params, &self.token);
        let answer = self.provider.ask(&call, self.budget, self.now).await;
        let runs = answer.and_then(|answer| answer.json::<CheckRuns>());
        let runs = runs.map_err(shared::provider::ProviderError::fault)?;
        let ours = runs
            .check_runs
            .iter()
            .find(|run| run.external_id.as_deref() == Some(self.mark));
        match ours.and_then(Said::run) {
            Some(id) => {
                let call = check_run(self.params, &self.token, self.mark, Some(&id));
                let said = self.provider.ask(&call, self.budget, self.now).await;
                said.map_err(shared::provider::ProviderError::fault)?;
                Ok(Found::Run(id))
            }
            None if runs.check_runs.len() >= PAGE => Ok(Found::CannotTell {
                look_at: format!("the checks of {} at GitHub", self.params.commit),
            }),
            None => Ok(Found::Nothing),
        }
    }
}
