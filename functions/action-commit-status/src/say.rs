//! What is sent to a code host, and what its answer must say.

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::{
    provider::{Call, Method, Payload, segment},
    secret::Secret,
};

use crate::params::{CodeHost, Params, State};

/// GitHub answers 422 beyond it; Bitbucket's texts are cut at the same place.
const LONGEST_DESCRIPTION: usize = 140;
/// Bitbucket answers 400 beyond it.
const LONGEST_KEY: usize = 40;
const KEPT_OF_KEY: usize = 27;

/// The call that says it; sending it again changes nothing. `None` for a check run, which has an id.
pub fn status(params: &Params, token: &Secret) -> Option<Call> {
    let (host, base, repository) = (params.host, &params.base, &params.repository);
    let commit = segment(&params.commit);
    let (url, body) = match host {
        CodeHost::Github => (
            format!("{base}/repos/{repository}/statuses/{commit}"),
            json!({"state": word(params), "context": params.context, "description": description(params)}),
        ),
        CodeHost::Bitbucket => (
            format!("{base}/repositories/{repository}/commit/{commit}/statuses/build"),
            json!({"key": key(&params.context), "state": word(params), "name": params.context,
                   "description": description(params), "url": params.link}),
        ),
        CodeHost::GithubCheck => return None,
    };
    let mut body = body;
    if host == CodeHost::Github
        && let Some(link) = &params.link
    {
        body["target_url"] = json!(link);
    }
    let call = Call::post("the commit's status", url, Payload::Json(body)).repeatable();
    Some(let_in(call, params, token))
}

/// Makes a check run, or changes the one of this id.
pub fn check_run(params: &Params, token: &Secret, mark: &str, known: Option<&str>) -> Call {
    let base = format!("{}/repos/{}/check-runs", params.base, params.repository);
    let mut body = json!({"name": params.context, "external_id": mark, "status": "in_progress",
        "output": {"title": params.context, "summary": summary(params)}});
    if params.state != State::Pending {
        body["status"] = json!("completed");
        body["conclusion"] = json!(word(params));
    }
    if let Some(link) = &params.link {
        body["details_url"] = json!(link);
    }
    let call = match known {
        None => {
            body["head_sha"] = json!(params.commit);
            Call::post("the check run", base, Payload::Json(body))
        }
        Some(id) => {
            let url = format!("{base}/{}", segment(id));
            Call::new(Method::Patch, "the check run", url, Payload::Json(body)).repeatable()
        }
    };
    let_in(call, params, token)
}

/// Asks for the commit's check runs of this name.
pub fn check_runs(params: &Params, token: &Secret) -> Call {
    let url = format!(
        "{}/repos/{}/commits/{}/check-runs?check_name={}&filter=all&per_page=100",
        params.base,
        params.repository,
        segment(&params.commit),
        segment(&params.context)
    );
    let_in(Call::get("the commit's check runs", url), params, token)
}

fn let_in(call: Call, params: &Params, token: &Secret) -> Call {
    let call = call.header("user-agent", "stagewright".to_owned());
    match (params.host, &params.user) {
        (CodeHost::Bitbucket, Some(user)) => call.basic(user, token),
        (CodeHost::Bitbucket, None) => call.bearer(token),
        _ => call
            .bearer(token)
            .header("accept", "application/vnd.github+json".to_owned())
            .header("x-github-api-version", "2022-11-28".to_owned()),
    }
}

/// The state in the host's own words.
pub fn word(params: &Params) -> &'static str {
    match (params.host, params.state) {
        (CodeHost::Github, State::Pending) => "pending",
        (CodeHost::Github | CodeHost::GithubCheck, State::Success) => "success",
        (CodeHost::Github | CodeHost::GithubCheck, State::Failure) => "failure",
        (CodeHost::Github, State::Error | State::Stopped) => "error",
        (CodeHost::GithubCheck, State::Pending) => "in_progress",
        (CodeHost::GithubCheck, State::Error) => "failure",
        (CodeHost::GithubCheck, State::Stopped) => "cancelled",
        (CodeHost::Bitbucket, State::Pending) => "INPROGRESS",
        (CodeHost::Bitbucket, State::Success) => "SUCCESSFUL",
        (CodeHost::Bitbucket, State::Failure | State::Error) => "FAILED",
        (CodeHost::Bitbucket, State::Stopped) => "STOPPED",
    }
}

/// Bitbucket's key: the context, or what stands for a long one.
pub fn key(context: &str) -> String {
    if context.chars().count() <= LONGEST_KEY {
        return context.to_owned();
    }
    let digest = hex::encode(Sha256::digest(context));
    let kept: String = context.chars().take(KEPT_OF_KEY).collect();
    format!("{kept}-{}", &digest[..12])
}

fn description(params: &Params) -> String {
    if params.description.chars().count() <= LONGEST_DESCRIPTION {
        return params.description.clone();
    }
    let kept = params.description.chars().take(LONGEST_DESCRIPTION - 1);
    kept.chain(['…']).collect()
}

fn summary(params: &Params) -> String {
    match params.description.as_str() {
        "" => params.context.clone(),
        text => text.chars().take(60_000).collect(),
    }
}

/// What the host answers, as far as it is looked at.
#[derive(Debug, Deserialize)]
pub struct Said {
    /// Of a check run; a number at GitHub.
    #[serde(default)]
    pub id: Value,
    /// Of a status.
    #[serde(default)]
    pub state: Option<String>,
    /// Of a check run.
    #[serde(default)]
    pub status: Option<String>,
    /// Of a check run that is over.
    #[serde(default)]
    pub conclusion: Option<String>,
    /// Our mark of a check run.
    #[serde(default)]
    pub external_id: Option<String>,
}

impl Said {
    /// Whether it says what was said.
    pub fn agrees(&self, params: &Params) -> bool {
        let state = match params.host {
            CodeHost::GithubCheck if params.state == State::Pending => &self.status,
            CodeHost::GithubCheck => &self.conclusion,
            _ => &self.state,
        };
        state.as_deref() == Some(word(params))
    }

    /// The check run's id as text.
    pub fn run(&self) -> Option<String> {
        match &self.id {
            Value::Number(id) => Some(id.to_string()),
            Value::String(id) if !id.is_empty() => Some(id.clone()),
            _ => None,
        }
    }
}

/// Check runs of a commit.
#[derive(Debug, Deserialize)]
pub struct CheckRuns {
    /// At most a page.
    pub check_runs: Vec<Said>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_key_is_cut_and_stays_its_own() {
        assert_eq!(key("codepipeline/shop"), "codepipeline/shop");
        let long = "codepipeline/a-pipeline-with-a-very-long-name/Build";
        let other = format!("{long}2");
        assert_eq!(key(long).chars().count(), LONGEST_KEY);
        assert!(key(long).starts_with("codepipeline/a-pipeline-wit-"));
        assert_ne!(key(long), key(&other));
        assert_eq!(key(&"ä".repeat(41)).chars().count(), LONGEST_KEY);
    }
}
