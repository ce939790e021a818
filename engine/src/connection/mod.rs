//! The door for what happens in repositories of connections: starts the pipelines that a push or a pull request is for.
//!
//! AWS's connections are told by the host of the repository; here GitHub's or Bitbucket's webhook, or whoever speaks like
//! them, posts to `/_stagewright/connection`, and a watcher of repositories calls [`happened`].

mod bitbucket;
mod github;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, RawQuery, State},
    http::HeaderMap,
    response::Response,
    routing::post,
};
use engine_plan::{
    refusal::Refusal,
    step::Answer,
    trigger::{Change, Repository, Verdict, verdict},
};
use ring::hmac;
use serde::Serialize;

use crate::{
    app::App,
    config::Config,
    face::call::{form, respond},
    provider::git,
};

/// Characters of a whole commit id, SHA-1.
const FULL_ID: usize = 40;
/// Largest payload of a GitHub webhook, in bytes.
const PAYLOAD_LIMIT: usize = 25 * 1024 * 1024;

/// A payload that is none.
#[derive(Debug, thiserror::Error)]
#[error("the payload of {event} cannot be read: {problem}")]
pub struct PayloadError {
    event: String,
    problem: String,
}

/// What a change led to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Executions that it started, or had started before.
    pub started: Vec<Started>,
    /// Pipelines that would have started and were refused, with the reason.
    pub refused: Vec<Refused>,
    /// Pipelines that ask for file paths, which nobody said.
    pub undecided: Vec<String>,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// Of this pipeline.
    pub pipeline_name: String,
    /// Its id.
    pub pipeline_execution_id: String,
}

/// One pipeline that did not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Which.
    pub pipeline_name: String,
    /// CodePipeline's words.
    pub message: String,
}

/// Starts the pipelines that a change is for. `token` names the change: told twice, it starts a pipeline once.
///
/// # Errors
/// The engine is stopping: tell it again.
pub async fn happened(
    app: &App,
    repository: &Repository,
    change: &Change,
    token: Option<&str>,
) -> Result<Report, Refusal> {
    let verdicts: Vec<(String, Verdict)> = app.desk.read(|state| {
        let pipelines = state.pipelines.iter();
        let told = pipelines.filter_map(|(name, pipeline)| {
            let verdict = verdict(&pipeline.definition, repository, change, token)?;
            Some((name.clone(), verdict))
        });
        told.collect()
    });
    let mut report = Report::default();
    for (pipeline_name, verdict) in verdicts {
        let event = match verdict {
            Verdict::Starts(event) => event,
            Verdict::NeedsFiles => {
                app.logs.notice(format!(
                    "pipeline {pipeline_name} asks for file paths, and nobody said which files a change of {} has: it was not started",
                    repository.id
                ));
                report.undecided.push(pipeline_name);
                continue;
            }
        };
        match app.desk.submit(*event).await {
            Ok(Answer::Execution(pipeline_execution_id)) => report.started.push(Started {
                pipeline_name,
                pipeline_execution_id,
            }),
            Ok(_) => {}
            Err(refusal) if refusal.is_internal() => return Err(refusal),
            Err(refusal) => {
                let message = refusal.to_string();
                app.logs.notice(format!(
                    "pipeline {pipeline_name} was not started by a change of {}: {message}",
                    repository.id
                ));
                report.refused.push(Refused {
                    pipeline_name,
                    message,
                });
            }
        }
    }
    Ok(report)
}

/// `POST /_stagewright/connection`; mount with `Router::merge`.
pub fn routes() -> Router<App> {
    let limit = DefaultBodyLimit::max(PAYLOAD_LIMIT);
    Router::new().route("/_stagewright/connection", post(told).layer(limit))
}

/// Takes a payload; `?arn=` names the connection, without it any that names the repository is meant. The header with the
/// event's name is what keeps pages of other sites from starting pipelines: a browser sends no such header unasked.
async fn told(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let query = form(query.unwrap_or_default().as_bytes());
    let arn = query.into_iter().find(|(name, _)| name == "arn");
    let arn = arn.map(|(_, arn)| arn);
    // Bitbucket's signature is in the header that GitHub has for SHA-1.
    let signature = header("x-hub-signature-256").or(header("x-hub-signature"));
    let Some(connection) = signed(&app.config, arn, signature, &body) else {
        return plain(
            403,
            "the connection has a secret, and the signature is missing or wrong",
        );
    };
    let (read, delivery) = match (header("x-github-event"), header("x-event-key")) {
        (Some(event), _) => {
            let read = github::read(event, &body);
            let read = read.map(|it| it.into_iter().collect());
            (read, header("x-github-delivery"))
        }
        (None, Some(event)) => (bitbucket::read(event, &body), header("x-request-uuid")),
        (None, None) => return plain(400, "the header X-GitHub-Event or X-Event-Key is missing"),
    };
    let changes: Vec<(String, Change)> = match read {
        Ok(changes) => changes,
        Err(error) => return plain(400, &error.to_string()),
    };
    // A delivery is sent again under the same id when somebody asks for it.
    let delivery = delivery.filter(|id| id.len() <= 100);
    let mut all = Report::default();
    for (number, (id, mut change)) in changes.into_iter().enumerate() {
        let repository = Repository {
            connection: connection.clone(),
            id,
        };
        if let Err(problem) = complete(&app, &repository, &mut change).await {
            return plain(400, &problem);
        }
        let token = delivery.map(|id| match number {
            0 => id.to_owned(),
            number => format!("{id}-{number}"),
        });
        match happened(&app, &repository, &change, token.as_deref()).await {
            Ok(report) => {
                all.started.extend(report.started);
                all.refused.extend(report.refused);
                all.undecided.extend(report.undecided);
            }
            Err(refusal) => return plain(503, &refusal.to_string()),
        }
    }
    json(&all)
}

/// Which connection is told, `None` inside for any of the repository's; nothing when a secret asks for another signature.
fn signed(
    config: &Config,
    arn: Option<String>,
    signature: Option<&str>,
    body: &[u8],
) -> Option<Option<String>> {
    let meant = |name: &String| arn.as_ref().is_none_or(|arn| arn == name);
    let connections = config.connection.iter().filter(|(name, _)| meant(name));
    let mut secrets = connections
        .filter_map(|(name, remote)| Some((name, remote.secret.as_ref()?)))
        .peekable();
    if secrets.peek().is_none() {
        return Some(arn);
    }
    let tag = hex::decode(signature?.strip_prefix("sha256=")?).ok()?;
    let mut secrets = secrets.filter(|(_, secret)| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
        // constant time
        hmac::verify(&key, body, &tag).is_ok()
    });
    secrets.next().map(|(name, _)| Some(name.clone()))
}

/// Bitbucket abbreviates the commit of a pull request: then the branch must be at it, and gives the whole id.
async fn complete(app: &App, repository: &Repository, change: &mut Change) -> Result<(), String> {
    let engine_plan::trigger::ChangeKind::PullRequest { source, .. } = &change.kind else {
        return Ok(());
    };
    if change.commit.len() >= FULL_ID {
        return Ok(());
    }
    let Some(arn) = &repository.connection else {
        return Err(format!(
            "the commit {} is abbreviated: name the connection with ?arn= so that its repository can be asked",
            change.commit
        ));
    };
    let scratch = app.state_dir.join("poll");
    let head = git::head_of(&app.config, arn, &repository.id, source, &scratch).await;
    match head.map_err(|trouble| trouble.message)? {
        Some(head) if head.starts_with(&change.commit) => {
            change.commit = head;
            Ok(())
        }
        _ => Err(format!(
            "the branch {source} of {} is not at commit {}",
            repository.id, change.commit
        )),
    }
}

fn json(report: &Report) -> Response {
    let text = serde_json::to_string(report).unwrap_or_default();
    respond(200, "application/json", text)
}

fn plain(status: u16, text: &str) -> Response {
    respond(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_with_a_secret_takes_signed_payloads_only() {
        // GitHub's own example.
        let (secret, body) = ("It's a Secret to Everybody", b"Hello, World!");
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let config = format!(
            "[connection.open]\ngit = 'x'\n[connection.hub]\ngit = 'x'\nsecret = {secret:?}\n"
        );
        let config: Config = toml::from_str(&config).expect("a configuration");
        assert!(!format!("{config:?}").contains("Everybody"));
        let hub = || Some("hub".to_owned());
        let open = || Some("open".to_owned());
        for (arn, signature, expected) in [
            (hub(), Some(good), Some(hub())),
            (None, Some(good), Some(hub())),
            (hub(), None, None),
            (None, None, None),
            (hub(), Some("sha256=00"), None),
            (hub(), Some("sha1=00"), None),
            (open(), None, Some(open())),
        ] {
            let told = signed(&config, arn.clone(), signature, body);
            assert_eq!(told, expected, "{arn:?} {signature:?}");
        }
        assert_eq!(signed(&Config::default(), None, None, body), Some(None));
    }
}
