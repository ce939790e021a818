//! `action-commit-status`: tells GitHub or Bitbucket what a pipeline thinks of a commit.
//!
//! - **Trigger**: all three hosts (docs/hosts.md). With `STAGEWRIGHT_COMMIT_STATUS` also CodePipeline's events of executions
//!   and of source actions, by EventBridge: then every commit an execution was started with says how the execution is.
//! - **Effects**: sets one status of one commit; the same context again replaces it. A check run is made once and then
//!   changed.
//! - **Permissions**: those of its host, reading the secret that `token` names; `codepipeline:GetPipelineExecution` for
//!   events; the ledger's table for check runs.
//! - **Failure**: `PermissionError` that the token is not accepted; `ConfigurationError` that parameters are wrong or there
//!   is no such commit (at GitHub also: that the token may not see it); `SystemUnavailable` that the host throttled or
//!   did not answer for 30 minutes.
//!
//! A rate limit (403 or 429) is waited for as the host says, else for a minute. A GitHub App's installation token is
//! made from the App's key (`appId`), for the one repository and what is said there. Parameters and output variables: `description.rs`.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    action::{Action, CutOff, Done, Heard, Request, Step},
    fault::{Fault, FaultKind},
    job::Details,
    port::{Ledger, SecretStore, Service, ServiceCall, Services, Timer},
    provider::{Http, Provider, ProviderError, Trouble},
    secret::Secret,
    start::{Started, start_once},
    wire::from_value,
};

pub use app::Rs256;

use crate::{
    app::Tokens,
    check::Check,
    params::{CodeHost, Params},
    say::Said,
    settings::FromEvents,
};

mod app;
mod check;
mod description;
pub mod events;
pub mod params;
pub mod say;
pub mod settings;

/// The action over its ports.
pub struct CommitStatus<H, T, S, L, A> {
    provider: Provider<H, T>,
    secrets: S,
    ledger: L,
    services: A,
    from_events: Option<FromEvents>,
    sign: Rs256,
    tokens: Tokens,
}

/// What is kept between two steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How often it was said in vain.
    pub tries: u32,
}

const NAME: &str = "action-commit-status";
const CODEPIPELINE: Service =
    Service::json11("CODEPIPELINE", "codepipeline", "CodePipeline_20150709");
/// A status is worth waiting for, but not for ever.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// GitHub: where it does not say how long, at least a minute.
const LIMITED: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(30);

/// Why it is not said.
enum Unsaid {
    /// May pass.
    Passing(Fault, Duration),
    /// Stays.
    Final(Fault),
}

impl<H: Http, T: Timer, S, L, A> CommitStatus<H, T, S, L, A> {
    /// The action over these ports; `from_events` as the environment says; Apps' keys sign with `sign`.
    pub fn new(
        http: H,
        timer: T,
        secrets: S,
        ledger: L,
        services: A,
        from_events: Option<FromEvents>,
        sign: Rs256,
    ) -> Self {
        Self {
            provider: Provider::new(http, timer, "the code host"),
            secrets,
            ledger,
            services,
            from_events,
            sign,
            tokens: Tokens::default(),
        }
    }
}

impl<H, T, S, L, A> CommitStatus<H, T, S, L, A>
where
    H: Http,
    T: Timer,
    S: SecretStore,
    L: Ledger,
    A: Services,
{
    /// What lets the function in.
    async fn token(
        &self,
        params: &Params,
        budget: Duration,
        now: jiff::Timestamp,
    ) -> Result<Secret, Unsaid> {
        let secret = self.secrets.read(&params.token).await?;
        let Some(app) = &params.app else {
            return Ok(secret);
        };
        self.tokens
            .get(
                &self.provider,
                (params, app),
                (&secret, self.sign),
                (budget, now),
            )
            .await
    }

    /// A token that is not taken was perhaps taken back: the next run makes another.
    fn sorted(&self, error: ProviderError) -> Unsaid {
        if matches!(error.trouble, Trouble::Denied { .. }) {
            self.tokens.forget();
        }
        error.into()
    }

    /// Sets a status that needs no id.
    async fn say(
        &self,
        params: &Params,
        budget: Duration,
        now: jiff::Timestamp,
    ) -> Result<(), Unsaid> {
        // Two calls for a token, one with it.
        let budget = budget / if params.app.is_some() { 3 } else { 1 };
        let token = self.token(params, budget, now).await?;
        let Some(call) = say::status(params, &token) else {
            return Err(Unsaid::Final(Fault::new(
                FaultKind::Internal,
                "a check run has no status of its own",
            )));
        };
        let answer = self.provider.ask(&call, budget, now).await;
        let said: Said = answer.map_err(|error| self.sorted(error))?.json()?;
        agreed(&said, params)
    }

    async fn check(&self, request: &Request<'_, Params, Progress>) -> Result<String, Unsaid> {
        // Found and made; two more calls for an App's token.
        let budget = request.budget / if request.params.app.is_some() { 4 } else { 2 };
        let token = self.token(request.params, budget, request.now).await?;
        let check = Check {
            provider: &self.provider,
            params: request.params,
            token,
            mark: &request.job.run_key,
            budget,
            now: request.now,
        };
        match start_once(&self.ledger, &check, NAME, request).await? {
            Started::Run(id) => Ok(id),
            Started::Wait(left) => Err(Unsaid::Passing(
                Fault::new(
                    FaultKind::Unavailable,
                    "whether the check run was made is found out",
                ),
                left,
            )),
        }
    }

    /// The execution's commits say how it is. Answers how many.
    async fn follow(&self, from: &FromEvents, heard: &Heard<'_>) -> Result<usize, Fault> {
        let change = heard.change;
        let what = format!("the execution {} of {}", change.execution, change.pipeline);
        let body = json!({"pipelineName": change.pipeline.as_str(), "pipelineExecutionId": change.execution.as_str()});
        let call = ServiceCall::new(CODEPIPELINE, "GetPipelineExecution", &what, body);
        let answer = self.services.call(&call).await?;
        let answer: events::Answer = from_value(answer).map_err(|error| {
            Fault::new(FaultKind::Unavailable, format!("{what}: {error}")).because(error)
        })?;
        let Some(execution) = answer.pipeline_execution else {
            return Ok(0);
        };
        let Some((state, words)) = execution.status.as_deref().and_then(events::state) else {
            return Ok(0);
        };
        let revisions = execution.artifact_revisions.unwrap_or_default();
        let commits = events::commits(&revisions, from.repository.as_deref());
        for (repository, commit) in &commits {
            let params = from.about(change, repository, commit, (state, words))?;
            match self.say(&params, heard.budget / 2, heard.now).await {
                Ok(()) => {}
                Err(Unsaid::Passing(fault, _) | Unsaid::Final(fault)) => return Err(fault),
            }
        }
        Ok(commits.len())
    }
}

impl<H, T, S, L, A> Action for CommitStatus<H, T, S, L, A>
where
    H: Http,
    T: Timer,
    S: SecretStore,
    L: Ledger,
    A: Services,
{
    const NAME: &'static str = NAME;
    type Params = Params;
    type Progress = Progress;
    const STOPS: bool = false;
    const LISTENS: bool = true;
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;

    async fn step(&self, request: Request<'_, Params, Progress>) -> Result<Step<Progress>, Fault> {
        let params = request.params;
        let (now, budget) = (request.now, request.budget);
        let said = match params.host {
            CodeHost::GithubCheck => self.check(&request).await.map(Some),
            _ => self.say(params, budget, now).await.map(|()| None),
        };
        let waited = Duration::try_from(now.duration_since(request.started_at)).unwrap_or_default();
        let (fault, again_in) = match said {
            Ok(run) => return Ok(Step::Done(done(params, run))),
            Err(Unsaid::Passing(fault, again_in)) if waited < PATIENCE => (fault, again_in),
            Err(Unsaid::Passing(fault, _) | Unsaid::Final(fault)) => return Err(fault),
        };
        Ok(Step::Wait {
            progress: Progress {
                tries: request.progress.map_or(0, |progress| progress.tries) + 1,
            },
            details: Details {
                summary: Some(format!("waiting: {}", fault.public)),
                ..Details::default()
            },
            again_in,
        })
    }

    async fn heard(&self, heard: Heard<'_>) -> Result<Option<String>, Fault> {
        let Some(from) = &self.from_events else {
            return Ok(None);
        };
        if !events::concerns(heard.change) {
            return Ok(None);
        }
        let told = self.follow(from, &heard).await?;
        Ok(Some(format!(
            "{told} commits of the execution {}",
            heard.change.execution
        )))
    }
}

fn agreed(said: &Said, params: &Params) -> Result<(), Unsaid> {
    match said.agrees(params) {
        true => Ok(()),
        false => Err(Unsaid::Final(Fault::new(
            FaultKind::Failed,
            "the code host took the status and answered with another one: look at the commit",
        ))),
    }
}

fn done(params: &Params, run: Option<String>) -> Done {
    let (repository, commit) = (&params.repository, &params.commit);
    let word = say::word(params);
    let mut variables = BTreeMap::from(
        [
            ("Repository", repository.clone()),
            ("Commit", commit.clone()),
            ("State", word.to_owned()),
            ("Context", params.context.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    if let Some(run) = &run {
        variables.insert("CheckRunId".to_owned(), run.clone());
    }
    Done {
        details: Details {
            summary: Some(format!(
                "{}: {word} at {repository} {}",
                params.context,
                &commit[..7]
            )),
            external_id: run.and_then(|run| run.parse().ok()),
            percent: Some(100),
            link: params.link.clone(),
        },
        variables,
    }
}

impl From<ProviderError> for Unsaid {
    fn from(error: ProviderError) -> Self {
        if !error.is_passing() {
            return Self::Final(error.fault());
        }
        let limited = matches!(
            error.trouble,
            Trouble::Busy {
                status: 403 | 429,
                ..
            }
        );
        let least = if limited { LIMITED } else { AGAIN };
        let again_in = error.again_in().unwrap_or(least);
        Self::Passing(error.fault(), again_in)
    }
}

impl From<Fault> for Unsaid {
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::Unavailable => Self::Passing(fault, AGAIN),
            _ => Self::Final(fault),
        }
    }
}

impl From<shared::port::PortError> for Unsaid {
    fn from(error: shared::port::PortError) -> Self {
        Fault::from(error).into()
    }
}

impl<H, T, S, L, A> fmt::Debug for CommitStatus<H, T, S, L, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommitStatus")
    }
}

#[cfg(test)]
mod tests;
