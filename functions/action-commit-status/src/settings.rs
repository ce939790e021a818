//! What the environment says about statuses that come from a pipeline's events.

use serde_json::{Value, json};
use shared::{
    config::{ConfigError, Source, Variable, optional},
    event::StateChange,
    fault::{Fault, FaultKind},
    wire::from_value,
};

use crate::{
    events::link,
    params::{CodeHost, Params, State},
};

/// See [`FromEvents`].
pub const COMMIT_STATUS: Variable = shared::config::COMMIT_STATUS;

/// How commits are told what events say: parameters of the action, without what the execution says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromEvents {
    given: Value,
    /// Where revisions name none.
    pub repository: Option<String>,
}

/// The settings, when the function listens to events.
///
/// # Errors
/// When they are wrong.
pub fn settings(source: &impl Source) -> Result<Option<FromEvents>, ConfigError> {
    let Some(text) = optional(source, &COMMIT_STATUS) else {
        return Ok(None);
    };
    read(&text).map(Some).map_err(|problem| ConfigError::Wrong {
        name: COMMIT_STATUS.name,
        problem,
    })
}

fn read(text: &str) -> Result<FromEvents, String> {
    let given: Value = serde_json::from_str(text).map_err(|_| "it is no JSON".to_owned())?;
    let Value::Object(map) = &given else {
        return Err("expected a JSON object".to_owned());
    };
    let own = ["commit", "state", "description", "targetUrl"];
    if let Some(name) = own.iter().find(|name| map.contains_key(**name)) {
        return Err(format!("{name} comes from the execution"));
    }
    let repository = map.get("repository").and_then(Value::as_str);
    let repository = repository.map(str::to_owned);
    let from = FromEvents { repository, given };
    let example = from.params(
        from.repository.as_deref().unwrap_or("owner/name"),
        &"0".repeat(40),
        State::Pending,
        ("", "https://example.com"),
    )?;
    if example.host == CodeHost::GithubCheck {
        return Err("provider must be github or bitbucket".to_owned());
    }
    Ok(from)
}

impl FromEvents {
    /// What is said of one commit.
    ///
    /// # Errors
    /// When the pipeline's names make no parameters.
    pub fn about(
        &self,
        change: &StateChange,
        repository: &str,
        commit: &str,
        (state, words): (State, &str),
    ) -> Result<Params, Fault> {
        let text = format!("the pipeline {} {words}", change.pipeline);
        let mut params = self
            .params(repository, commit, state, (&text, &link(change)))
            .map_err(|problem| Fault::new(FaultKind::Configuration, problem))?;
        if self.given.get("context").is_none() {
            params.context = format!("codepipeline/{}", change.pipeline);
        }
        Ok(params)
    }

    fn params(
        &self,
        repository: &str,
        commit: &str,
        state: State,
        (text, link): (&str, &str),
    ) -> Result<Params, String> {
        let mut given = self.given.clone();
        given["repository"] = json!(repository);
        given["commit"] = json!(commit);
        given["state"] = json!("pending");
        given["description"] = json!(text);
        given["targetUrl"] = json!(link);
        let params: Params = from_value(given).map_err(|error| error.to_string())?;
        Ok(Params { state, ..params })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_or_refused() {
        for (text, problem) in [
            (r#"{"provider": "github", "token": "ssm:/gh"}"#, None),
            (
                r#"{"provider": "bitbucket", "token": "ssm:/bb", "user": "a@example.com", "repository": "a/b"}"#,
                None,
            ),
            ("x", Some("it is no JSON")),
            ("[]", Some("expected a JSON object")),
            (
                r#"{"provider": "github", "token": "ghp_planted"}"#,
                Some("a reference is needed, never the value"),
            ),
            (
                r#"{"provider": "github", "token": "ssm:/gh", "state": "success"}"#,
                Some("state comes from the execution"),
            ),
            (
                r#"{"provider": "github-check", "token": "ssm:/gh"}"#,
                Some("provider must be github or bitbucket"),
            ),
            (
                r#"{"provider": "github", "token": "ssm:/gh", "repository": "a"}"#,
                Some("repository must be written as owner/name"),
            ),
        ] {
            match (read(text), problem) {
                (Ok(_), None) => {}
                (Err(is), Some(wanted)) => {
                    assert!(is.contains(wanted) && !is.contains("planted"), "{is}");
                }
                (is, wanted) => unreachable!("{text}: {is:?}, not {wanted:?}"),
            }
        }
    }
}
