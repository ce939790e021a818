//! The door for what happens in repositories of connections: starts the pipelines that a push or a pull request is for.
//!
//! AWS's connections are told by the host of the repository; here GitHub's webhook, or whoever speaks like it, posts to
//! `/_stagewright/connection`, and a watcher of repositories calls [`happened`].

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
use serde::Serialize;

use crate::{
    app::App,
    face::call::{form, respond},
};

/// Largest payload of a GitHub webhook, in bytes.
const PAYLOAD_LIMIT: usize = 25 * 1024 * 1024;

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

/// Takes GitHub's payload; `?arn=` names the connection, without it any that names the repository is meant. The header
/// `X-GitHub-Event` is what keeps pages of other sites from starting pipelines: a browser sends no such header unasked.
async fn told(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(event) = header("x-github-event") else {
        return plain(400, "the header X-GitHub-Event is missing");
    };
    let (id, change) = match github::read(event, &body) {
        Ok(Some(read)) => read,
        Ok(None) => return json(&Report::default()),
        Err(error) => return plain(400, &error.to_string()),
    };
    let query = form(query.unwrap_or_default().as_bytes());
    let connection = query.into_iter().find(|(name, _)| name == "arn");
    let repository = Repository {
        connection: connection.map(|(_, arn)| arn),
        id,
    };
    // GitHub sends a delivery again under the same id when somebody asks it to.
    let delivery = header("x-github-delivery").filter(|id| id.len() <= 128);
    match happened(&app, &repository, &change, delivery).await {
        Ok(report) => json(&report),
        Err(refusal) => plain(503, &refusal.to_string()),
    }
}

fn json(report: &Report) -> Response {
    let text = serde_json::to_string(report).unwrap_or_default();
    respond(200, "application/json", text)
}

fn plain(status: u16, text: &str) -> Response {
    respond(status, "text/plain; charset=utf-8", format!("{text}\n"))
}
