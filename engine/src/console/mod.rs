//! The console at `/_stagewright/`: pipelines, a picture of the stages as they run, logs, events.

mod events;
mod functions;
mod gates;
mod machines;
mod model;
mod raw;

use std::borrow::Cow;

use askama::Template;
use axum::{
    Router,
    extract::{Path, RawQuery, State},
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};

use engine_plan::state::Execution;

use crate::app::App;
use model::{ActionBox, Look, Notice, Past, StageBox, Summary};

/// Executions listed under a picture.
const HISTORY: usize = 20;
/// Bytes of a log page; a longer log is in its file.
const LOG_BYTES: u64 = 256 * 1024;

/// Seconds between two pictures while something runs.
const REFRESH: &str = "2";
/// What a page may load: its style sheet and the icon it brings along. Nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Everything below `/_stagewright/` that is the console's.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/_stagewright", get(index))
        .route("/_stagewright/", get(index))
        .route("/_stagewright/console.css", get(style))
        .route("/_stagewright/log/{execution}/{action}", get(raw::log))
        .route("/_stagewright/events", get(events::listed))
        .route("/_stagewright/events.json", get(events::sent))
        .route("/_stagewright/pipeline/{name}", get(newest))
        .route("/_stagewright/pipeline/{name}/{execution}", get(one))
        .route(
            "/_stagewright/pipeline/{name}/{execution}/log/{action}",
            get(log),
        )
        .route("/_stagewright/machines", get(machines::index))
        .route("/_stagewright/machine/{name}", get(machines::newest))
        .route(
            "/_stagewright/machine/{name}/{execution}",
            get(machines::one),
        )
        .route("/_stagewright/function-log", get(functions::all))
        .route("/_stagewright/function-log/{name}", get(functions::one))
        .route("/_stagewright/{*rest}", get(|| async { missing("page") }))
}

/// Whether a page updates by itself. People who read slowly, or hear a page, can pause it with `?pause`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Live {
    /// Nothing on it changes any more.
    Off,
    On,
    Paused,
}

impl Live {
    fn new(open: bool, query: Option<&str>) -> Self {
        match (open, query) {
            (false, _) => Self::Off,
            (true, Some("pause")) => Self::Paused,
            (true, _) => Self::On,
        }
    }
}

#[derive(Template)]
#[template(path = "console/index.html")]
struct Index {
    live: Live,
    base_url: String,
    pipelines: Vec<Summary>,
}

#[derive(Template)]
#[template(path = "console/pipeline.html")]
struct Picture {
    live: Live,
    name: String,
    status: Look,
    execution: String,
    trigger: String,
    started: String,
    took: String,
    notices: Vec<Notice>,
    /// Where the mail that asks for an answer is.
    mail: String,
    stages: Vec<StageBox>,
    variables: Vec<(String, String)>,
    artifacts: Vec<(String, String, String)>,
    history: Vec<Past>,
}

#[derive(Template)]
#[template(path = "console/log.html")]
struct Log {
    live: Live,
    pipeline: String,
    execution: String,
    action: String,
    status: Look,
    lines: String,
}

#[derive(Template)]
#[template(path = "console/missing.html")]
struct Missing<'a> {
    what: &'a str,
}

async fn index(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let pipelines = app.desk.read(model::summaries);
    let live = Live::new(
        pipelines.iter().any(|p| p.status.is_open()),
        query.as_deref(),
    );
    let page_of = Index {
        live,
        base_url: app.base_url.to_string(),
        pipelines,
    };
    page(&page_of, live)
}

async fn newest(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    picture(&app, &name, None, query.as_deref())
}

async fn one(
    State(app): State<App>,
    Path((name, execution)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    picture(&app, &name, Some(&execution), query.as_deref())
}

fn picture(app: &App, name: &str, execution: Option<&str>, query: Option<&str>) -> Response {
    let now = app.clock.now();
    let shown = app.desk.read_all(|state, past| {
        let pipeline = state.pipelines.get(name)?;
        let run = match execution {
            Some(id) => Some(past.find(pipeline, id).ok()??.1),
            None => pipeline.executions.last().map(Cow::Borrowed),
        };
        let run = run.as_deref();
        let stages = model::stages(pipeline, run, now);
        let end = |e: &Execution| if e.has_ended() { e.updated } else { now };
        Some(Picture {
            live: Live::new(run.is_some_and(|e| !e.has_ended()), query),
            name: name.to_owned(),
            status: model::status(run, &stages),
            execution: run.map(|e| e.id.clone()).unwrap_or_default(),
            trigger: run
                .map(|e| e.trigger.trigger_type.clone())
                .unwrap_or_default(),
            started: run.map(|e| model::time(e.started)).unwrap_or_default(),
            took: run
                .map(|e| crate::cli::elapsed(e.started, end(e)))
                .unwrap_or_default(),
            notices: Vec::new(),
            mail: String::new(),
            stages,
            variables: run.map(model::variables).unwrap_or_default(),
            artifacts: run.map(model::artifacts).unwrap_or_default(),
            history: past
                .history(pipeline, None, None, HISTORY)
                .take(HISTORY)
                .filter_map(|run| Some(model::past(pipeline, &run.ok()?.1)))
                .collect(),
        })
    });
    let Some(mut shown) = shown else {
        return missing("pipeline or execution");
    };
    shown.mail = mail_about(app, &shown.execution);
    shown.notices = model::notices(&shown.stages, &shown.mail);
    page(&shown, shown.live)
}

/// The newest mail that names the execution, or else the inbox.
fn mail_about(app: &App, execution: &str) -> String {
    let mails = app.mail.list();
    let names = |text: &Option<String>| text.as_ref().is_some_and(|t| t.contains(execution));
    let newest = mails
        .iter()
        .filter(|m| !execution.is_empty() && names(&m.text))
        .max_by(|a, b| a.id.cmp(&b.id));
    newest.map_or_else(
        || "/_stagewright/mail".to_owned(),
        |m| format!("/_stagewright/mail/{}", m.id),
    )
}

async fn log(
    State(app): State<App>,
    Path((name, execution, action)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let found: Option<ActionBox> = app.desk.read_all(|state, past| {
        let pipeline = state.pipelines.get(&name)?;
        let (_, run) = past.find(pipeline, &execution).ok()??;
        let path = format!("/log/{action}");
        model::stages(pipeline, Some(run.as_ref()), app.clock.now())
            .into_iter()
            .flat_map(model::StageBox::into_boxes)
            .find(|a| a.log.as_deref().is_some_and(|l| l.ends_with(&path)))
    });
    let Some(shown) = found else {
        return missing("action");
    };
    let live = Live::new(shown.status.is_open(), query.as_deref());
    match app.logs.read(&execution, &action, 0, LOG_BYTES) {
        Ok(lines) => {
            let shown = Log {
                live,
                pipeline: name,
                execution,
                action: shown.name,
                status: shown.status,
                lines: String::from_utf8_lossy(&lines).into_owned(),
            };
            page(&shown, live)
        }
        Err(error) => functions::unreadable(&error),
    }
}

async fn style() -> Response {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("../../templates/console/console.css"),
    )
        .into_response()
}

fn page(template: &impl Template, live: Live) -> Response {
    let html = match template.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a console page cannot be rendered");
            return (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the page cannot be rendered\n",
            )
                .into_response();
        }
    };
    let mut response = Html(html).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if live == Live::On {
        headers.insert(header::REFRESH, HeaderValue::from_static(REFRESH));
    }
    response
}

/// Says that something is not here, with the way back.
pub fn missing(what: &str) -> Response {
    let mut response = page(&Missing { what }, Live::Off);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_updates_by_itself_and_can_be_paused() {
        assert_eq!(Live::new(true, None), Live::On);
        assert_eq!(Live::new(true, Some("pause")), Live::Paused);
        assert_eq!(Live::new(false, None), Live::Off);
        assert_eq!(Live::new(false, Some("pause")), Live::Off);
        let refresh = |live| {
            let answer = page(&Missing { what: "page" }, live);
            answer.headers().contains_key(header::REFRESH)
        };
        assert!(refresh(Live::On));
        assert!(!refresh(Live::Paused) && !refresh(Live::Off));
    }

    #[test]
    fn what_is_missing_is_a_page_without_scripts() {
        let answer = missing("pipeline");
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        assert!(POLICY.starts_with("default-src 'none'") && !POLICY.contains("script-src"));
    }
}
