//! `action-alexa-skill`: imports the package of an Alexa skill and waits until it is built.
//!
//! - **Trigger**: all three hosts (docs/hosts.md).
//! - **Effects**: uploads the first input artifact, with the second one's files laid over it, and imports it into the
//!   skill's development stage; submits the skill for certification when `certify` says so.
//! - **Permissions**: those of its host, reading the secrets that `clientSecret` and `refreshToken` name, the table.
//! - **Failure**: `JobFailed` names what the import says of each resource, or that somebody else changed the skill;
//!   `PermissionError` that Login with Amazon refuses the credentials; `ConfigurationError` that parameters or the package
//!   are wrong; `SystemUnavailable` that the vendor did not answer until the patience was over.
//!
//! Importing the same package twice is harmless and the vendor has no list of imports, so a start whose answer was lost is made
//! again, without `If-Match`: the first one may have changed the eTag. The vendor has no cancel either: nothing is stopped.
//! The package of the last good import is remembered in the table for 14 days: the same package is not imported again,
//! and `If-Match` carries its eTag. Parameters and output variables: `description.rs`.

use std::{fmt, time::Duration};

use shared::{
    action::{Action, CutOff, Request, Step},
    fault::Fault,
    follow::{Progress, Rules, follow},
    port::{Artifacts, Ledger, SecretStore, Shelf, Timer},
    provider::{Http, Provider},
};

use crate::{
    api::Api,
    import::{Import, Notes},
    params::Params,
    token::Tokens,
};

mod api;
mod description;
mod import;
pub mod judge;
pub mod package;
pub mod params;
mod token;

/// The action over its ports.
pub struct AlexaSkill<H, T, S, L, A> {
    provider: Provider<H, T>,
    secrets: S,
    ledger: L,
    artifacts: A,
    tokens: Tokens,
}

const NAME: &str = "action-alexa-skill";
/// The vendor's own client begins with 2 s and grows.
const EVERY: Duration = Duration::from_secs(10);
/// Of a step's time, for one call: a start makes four.
const SHARE: u32 = 4;

impl<H: Http, T: Timer, S, L, A> AlexaSkill<H, T, S, L, A> {
    /// The action over these ports; `ledger` also remembers the last package of each skill.
    pub fn new(http: H, timer: T, secrets: S, ledger: L, artifacts: A) -> Self {
        Self {
            provider: Provider::new(http, timer, "Alexa"),
            secrets,
            ledger,
            artifacts,
            tokens: Tokens::default(),
        }
    }
}

impl<H, T, S, L, A> Action for AlexaSkill<H, T, S, L, A>
where
    H: Http,
    T: Timer,
    S: SecretStore,
    L: Ledger + Shelf,
    A: Artifacts,
{
    const NAME: &'static str = NAME;
    type Params = Params;
    type Progress = Progress<Notes>;
    const STOPS: bool = false;
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;

    async fn step(
        &self,
        request: Request<'_, Params, Progress<Notes>>,
    ) -> Result<Step<Progress<Notes>>, Fault> {
        let params = request.params;
        let api = Api {
            provider: &self.provider,
            secrets: &self.secrets,
            tokens: &self.tokens,
            params,
            budget: request.budget / SHARE,
            now: request.now,
        };
        let import = Import::new(api, &self.ledger, &self.artifacts, request.job);
        let rules = Rules {
            action: NAME,
            what: &format!("the import into {}", params.skill),
            patience: params.patience,
            every: EVERY,
        };
        follow(&self.ledger, &import, rules, request).await
    }
}

impl<H, T, S, L, A> fmt::Debug for AlexaSkill<H, T, S, L, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AlexaSkill")
    }
}

#[cfg(test)]
mod tests;
