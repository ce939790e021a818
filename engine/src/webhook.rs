//! Webhooks over HTTP: `POST /_stagewright/webhook/KEY` starts the pipeline of the webhook with that key.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{ConnectInfo, Path, Request, State},
    response::Response,
    routing::post,
};
use engine_plan::{
    event::Event,
    hidden::Hidden,
    refusal::Refusal,
    step::Answer,
    webhook::{Webhook, WebhookError},
};
use http::{HeaderMap, header, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use serde_json::json;

use crate::{
    app::App,
    face::{call::respond, route::text},
};

mod judge;

pub use judge::{Delivery, Refused, Verdict, judge, path};

/// Where webhooks are.
const PREFIX: &str = "/_stagewright/webhook/";
/// Largest body; GitHub's pushes of 2,048 commits stay below it.
const BODY_LIMIT: usize = 5 * 1024 * 1024;

/// The routes; mount with `Router::merge`.
pub fn routes() -> Router<App> {
    Router::new().route("/_stagewright/webhook/{key}", post(deliver))
}

/// The URL that a webhook's deliveries go to.
pub fn url(base_url: &str, webhook: &Webhook) -> String {
    let base = base_url.trim_end_matches('/');
    format!("{base}{PREFIX}{}", webhook.key.reveal())
}

async fn deliver(State(app): State<App>, Path(key): Path<String>, request: Request) -> Response {
    let found = app.desk.read(|state| {
        let webhook = state.webhook_at(&key)?;
        let action = state.webhook_action(webhook);
        Some((
            webhook.clone(),
            action.map(|action| action.configuration.clone()),
        ))
    });
    let Some((webhook, configuration)) = found else {
        return say(404, "there is no webhook at this address");
    };
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return say(413, "the body is larger than 5 MB or was cut off");
    };
    let body = body.to_bytes();
    let delivery = delivery(&head, &body);
    let name = webhook.definition.name.clone();
    let verdict = judge(&webhook.definition, configuration.as_ref(), &delivery);
    tracing::info!(webhook = name, ?verdict, "a webhook was called");
    match verdict {
        Ok(Verdict::Pong) => say(200, "pong"),
        Ok(Verdict::Ignored(filter)) => {
            say(200, &format!("ignored: filter {filter} does not match"))
        }
        Ok(Verdict::Start) => start(&app, name, webhook).await,
        Err(refused) => {
            let (status, public) = match &refused {
                Refused::Signature | Refused::Address => (403, refused.to_string()),
                Refused::Payload => (400, refused.to_string()),
                Refused::Target(_) => (409, "the filters cannot be evaluated".to_owned()),
            };
            note(&app, &webhook, status, refused.to_string()).await;
            say(status, &public)
        }
    }
}

fn delivery<'a>(head: &'a Parts, body: &'a [u8]) -> Delivery<'a> {
    let headers: &HeaderMap = &head.headers;
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
    Delivery {
        peer: peer.map(|ConnectInfo(address)| address.ip()),
        sha256: text(headers, "x-hub-signature-256"),
        sha1: text(headers, "x-hub-signature"),
        event: text(headers, "x-github-event"),
        content_type: text(headers, header::CONTENT_TYPE.as_str()),
        body,
    }
}

async fn start(app: &App, name: String, webhook: Webhook) -> Response {
    let event = Event::WebhookDelivered {
        webhook: name,
        key: Hidden::new(webhook.key.reveal().to_owned()),
    };
    match app.desk.submit(event).await {
        Ok(Answer::Execution(id)) => respond(
            200,
            "application/json",
            json!({"message": "started", "pipelineExecutionId": id}).to_string(),
        ),
        Ok(answer) => {
            tracing::error!(?answer, "the planner answered something else");
            say(500, "the engine could not answer: see its log")
        }
        Err(refusal) => {
            let (status, public) = match refusal.exception {
                "WebhookNotFoundException" => (404, "there is no webhook at this address"),
                "ConcurrentPipelineExecutionsLimitExceededException" => {
                    (429, "the pipeline has too many executions: try again later")
                }
                _ => (409, "the pipeline cannot be started"),
            };
            note(app, &webhook, status, refusal.to_string()).await;
            say(status, public)
        }
    }
}

/// Keeps the reason where ListWebhooks shows it. The same kind of trouble is written down once, so that a stranger
/// cannot fill the journal.
async fn note(app: &App, webhook: &Webhook, status: u16, message: String) {
    let code = status.to_string();
    if webhook.error.as_ref().is_some_and(|it| it.code == code) {
        return;
    }
    let event = Event::WebhookNoted {
        webhook: webhook.definition.name.clone(),
        error: Some(WebhookError { code, message }),
    };
    let noted: Result<_, Refusal> = app.desk.submit(event).await;
    if let Err(refusal) = noted {
        tracing::debug!(%refusal, "the trouble of a webhook was not noted");
    }
}

fn say(status: u16, message: &str) -> Response {
    respond(
        status,
        "application/json",
        json!({"message": message}).to_string(),
    )
}
