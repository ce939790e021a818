//! The door for what happens in image registries: tells EventBridge as ECR would.
//!
//! A registry of the distribution project posts its notifications to `/_stagewright/registry`; a rule for `ECR Image Action`
//! starts the pipeline, as on AWS.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, header},
    response::Response,
    routing::post,
};
use engine_events::book::Home;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{app::App, face::call::respond, provider::ecr};

/// Largest envelope that is read, in bytes.
const ENVELOPE_LIMIT: usize = 1024 * 1024;
/// The registry's content type. It is asked for because a browser sends no such page of another site unasked.
const ENVELOPE: &str = "application/vnd.docker.distribution.events.v1+json";
/// The event bus of AWS's services.
const BUS: &str = "default";

/// What a registry posts.
#[derive(Deserialize)]
struct Envelope {
    events: Vec<Notification>,
}

/// One of its events; pulls and blobs have them too.
#[derive(Deserialize)]
struct Notification {
    id: String,
    action: String,
    target: Target,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    repository: String,
    digest: Option<String>,
    tag: Option<String>,
    #[serde(default)]
    media_type: String,
}

/// `POST /_stagewright/registry`; mount with `Router::merge`.
pub fn routes() -> Router<App> {
    let limit = DefaultBodyLimit::max(ENVELOPE_LIMIT);
    Router::new().route("/_stagewright/registry", post(told).layer(limit))
}

async fn told(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let plain =
        |status, text: &str| respond(status, "text/plain; charset=utf-8", format!("{text}\n"));
    if headers
        .get(header::CONTENT_TYPE)
        .is_none_or(|it| it != ENVELOPE)
    {
        return plain(415, &format!("the content type must be {ENVELOPE}"));
    }
    let envelope: Envelope = match serde_json::from_slice(&body) {
        Ok(envelope) => envelope,
        Err(error) => return plain(400, &format!("no envelope of a registry: {error}")),
    };
    for pushed in envelope.events.iter().filter(|it| it.action == "push") {
        let target = &pushed.target;
        if let (Some(tag), Some(digest)) = (&target.tag, &target.digest) {
            ecr::settled(&app.config, &target.repository, tag, digest).await;
        }
    }
    let now = app.clock.now();
    let home = app.rules.home();
    let events: Vec<Value> = envelope
        .events
        .iter()
        .filter_map(|it| image_action(it, home, now))
        .collect();
    match app.desk.publish(BUS, events).await {
        Ok(()) => plain(200, "ok"),
        Err(refusal) => plain(503, &refusal.to_string()),
    }
}

/// ECR's event of a manifest that came or went; layers have none.
fn image_action(of: &Notification, home: &Home, now: Timestamp) -> Option<Value> {
    let action = match of.action.as_str() {
        "push" => "PUSH",
        "delete" => "DELETE",
        _ => return None,
    };
    let digest = of.target.digest.as_deref()?;
    let manifest =
        of.target.media_type.contains("manifest") || of.target.media_type.contains("index");
    if action == "PUSH" && !manifest {
        return None;
    }
    let mut detail = json!({
        "result": "SUCCESS",
        "repository-name": of.target.repository,
        "image-digest": digest,
        "action-type": action,
    });
    if let Some(tag) = &of.target.tag {
        detail["image-tag"] = json!(tag);
    }
    Some(json!({
        "version": "0",
        "id": of.id,
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": home.account,
        "time": format!("{now:.0}"),
        "region": home.region,
        "resources": [],
        "detail": detail,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<Value> {
        let of: Notification = serde_json::from_str(text).unwrap();
        let home = Home {
            account: "1".to_owned(),
            region: "r".to_owned(),
        };
        image_action(&of, &home, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_pushed_manifest_is_awss_event() {
        let pushed = r#"{"id":"i","timestamp":"t","action":"push","target":{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":3,"digest":"sha256:d","repository":"shop","tag":"v1","url":"u"},"request":{},"actor":{},"source":{}}"#;
        assert_eq!(
            shown(pushed).unwrap(),
            json!({"version": "0", "id": "i", "detail-type": "ECR Image Action", "source": "aws.ecr", "account": "1",
                "time": "1970-01-01T00:00:00Z", "region": "r", "resources": [],
                "detail": {"result": "SUCCESS", "repository-name": "shop", "image-digest": "sha256:d", "action-type": "PUSH", "image-tag": "v1"}})
        );
    }

    #[test]
    fn by_digest_there_is_no_tag_and_a_layer_is_no_event() {
        let by_digest = r#"{"id":"i","action":"push","target":{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","digest":"sha256:d","repository":"shop"}}"#;
        assert_eq!(shown(by_digest).unwrap()["detail"].get("image-tag"), None);
        let gone =
            r#"{"id":"i","action":"delete","target":{"digest":"sha256:d","repository":"shop"}}"#;
        assert_eq!(shown(gone).unwrap()["detail"]["action-type"], "DELETE");
        for other in [
            r#"{"id":"i","action":"push","target":{"mediaType":"application/octet-stream","digest":"sha256:d","repository":"shop"}}"#,
            r#"{"id":"i","action":"pull","target":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:d","repository":"shop"}}"#,
        ] {
            assert_eq!(shown(other), None);
        }
    }
}
