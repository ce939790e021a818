//! The console at `/_stagewright/`: pipelines, a picture of the stages as they run, logs, events.

mod model;
mod raw;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};

use crate::app::App;
use model::{ActionBox, Look, Past, StageBox, Summary};

/// Executions listed under a picture.
const HISTORY: usize = 20;
/// Events listed.
const EVENTS: usize = 200;
/// Bytes of a log page; a longer log is in its file.
const LOG_BYTES: u64 = 256 * 1024;

/// Everything below `/_stagewright/` that is the console's.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/_stagewright", get(index))
        .route("/_stagewright/", get(index))
        .route("/_stagewright/console.css", get(style))
        .route("/_stagewright/log/{execution}/{action}", get(raw::log))
        .route("/_stagewright/events", get(events))
        .route("/_stagewright/pipeline/{name}", get(newest))
        .route("/_stagewright/pipeline/{name}/{execution}", get(one))
        .route(
            "/_stagewright/pipeline/{name}/{execution}/log/{action}",
            get(log),
        )
}

#[derive(Template)]
#[template(path = "console/index.html")]
struct Index {
    refresh: bool,
    base_url: String,
    pipelines: Vec<Summary>,
}

#[derive(Template)]
#[template(path = "console/pipeline.html")]
struct Picture {
    refresh: bool,
    name: String,
    status: Look,
    execution: String,
    trigger: String,
    started: String,
    took: String,
    stages: Vec<StageBox>,
    variables: Vec<(String, String)>,
    artifacts: Vec<(String, String, String)>,
    history: Vec<Past>,
}

#[derive(Template)]
#[template(path = "console/log.html")]
struct Log {
    refresh: bool,
    pipeline: String,
    execution: String,
    action: String,
    status: Look,
    lines: String,
}

#[derive(Template)]
#[template(path = "console/events.html")]
struct Events {
    refresh: bool,
    events: Vec<EventRow>,
}

struct EventRow {
    time: String,
    kind: String,
    place: String,
    state: String,
}

async fn index(State(app): State<App>) -> Response {
    let pipelines = app.desk.read(model::summaries);
    let refresh = pipelines.iter().any(|p| p.status == Look::Running);
    page(&Index {
        refresh,
        base_url: app.base_url.to_string(),
        pipelines,
    })
}

async fn newest(State(app): State<App>, Path(name): Path<String>) -> Response {
    picture(&app, &name, None)
}

async fn one(State(app): State<App>, Path((name, execution)): Path<(String, String)>) -> Response {
    picture(&app, &name, Some(&execution))
}

fn picture(app: &App, name: &str, execution: Option<&str>) -> Response {
    let now = app.clock.now();
    let shown = app.desk.read(|state| {
        let pipeline = state.pipelines.get(name)?;
        let run = match execution {
            Some(id) => Some(pipeline.execution(id)?),
            None => pipeline.executions.last(),
        };
        let status = run.map_or(Look::Idle, |e| e.status.into());
        Some(Picture {
            refresh: run.is_some_and(|e| !e.has_ended()),
            name: name.to_owned(),
            status,
            execution: run.map(|e| e.id.clone()).unwrap_or_default(),
            trigger: run
                .map(|e| e.trigger.trigger_type.clone())
                .unwrap_or_default(),
            started: run.map(|e| model::time(e.started)).unwrap_or_default(),
            took: run
                .map(|e| {
                    crate::cli::elapsed(e.started, if e.has_ended() { e.updated } else { now })
                })
                .unwrap_or_default(),
            stages: model::stages(pipeline, run, now),
            variables: run.map(model::variables).unwrap_or_default(),
            artifacts: run
                .map(|e| {
                    e.artifacts
                        .iter()
                        .map(|(n, a)| (n.clone(), a.bucket.clone(), a.key.clone()))
                        .collect()
                })
                .unwrap_or_default(),
            history: model::history(pipeline, HISTORY),
        })
    });
    shown.map_or_else(missing, |p| page(&p))
}

async fn log(
    State(app): State<App>,
    Path((name, execution, action)): Path<(String, String, String)>,
) -> Response {
    let found: Option<(ActionBox, bool)> = app.desk.read(|state| {
        let pipeline = state.pipelines.get(&name)?;
        let run = pipeline.execution(&execution)?;
        let path = format!("/log/{action}");
        let shown = model::stages(pipeline, Some(run), app.clock.now())
            .into_iter()
            .flat_map(|s| s.groups)
            .flatten()
            .find(|a| a.log.as_deref().is_some_and(|l| l.ends_with(&path)))?;
        Some((shown, !run.has_ended()))
    });
    let Some((shown, refresh)) = found else {
        return missing();
    };
    match app.logs.read(&execution, &action, 0, LOG_BYTES) {
        Ok(lines) => page(&Log {
            refresh,
            pipeline: name,
            execution,
            action: shown.name,
            status: shown.status,
            lines: String::from_utf8_lossy(&lines).into_owned(),
        }),
        Err(error) => {
            tracing::warn!(%error, "a log cannot be read");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the log cannot be read\n",
            )
                .into_response()
        }
    }
}

async fn events(State(app): State<App>) -> Response {
    let all = app.bus.since(0);
    let events = all
        .iter()
        .rev()
        .take(EVENTS)
        .map(|event| {
            let event = &event.item;
            let text = |key: &str| event["detail"][key].as_str().unwrap_or_default().to_owned();
            let place = [text("pipeline"), text("stage"), text("action")]
                .into_iter()
                .filter(|p| !p.is_empty())
                .collect::<Vec<_>>()
                .join(" / ");
            EventRow {
                time: event["time"].as_str().unwrap_or_default().to_owned(),
                kind: event["detail-type"].as_str().unwrap_or_default().to_owned(),
                place,
                state: text("state"),
            }
        })
        .collect();
    page(&Events {
        refresh: false,
        events,
    })
}

async fn style() -> Response {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("../../templates/console/console.css"),
    )
        .into_response()
}

fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a console page cannot be rendered");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the page cannot be rendered\n",
            )
                .into_response()
        }
    }
}

fn missing() -> Response {
    (
        StatusCode::NOT_FOUND,
        "there is no such pipeline, execution or action here\n",
    )
        .into_response()
}
