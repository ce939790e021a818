//! Notifications: whether a bucket tells EventBridge of its objects, and what it tells.

use axum::{body::Body, response::Response};
use serde_json::{Value, json};

use super::{
    S3Call, S3Fault,
    xml::{self, Element},
};
use crate::store::objects::ObjectInfo;

impl S3Call<'_> {
    pub(super) async fn notifications(&self) -> Result<Response, S3Fault> {
        self.app.objects.bucket(&self.bucket).await?;
        let mut out = xml::Writer::default();
        if self.app.rules.read(|book| book.notifies(&self.bucket)) {
            out.nested("EventBridgeConfiguration", |_| {});
        }
        Ok(out.respond("NotificationConfiguration"))
    }

    /// Queues, topics and functions are refused: nothing would tell them.
    pub(super) async fn set_notifications(&self, wire: Body) -> Result<Response, S3Fault> {
        self.app.objects.bucket(&self.bucket).await?;
        let wanted = xml::read(wire).await?;
        let is_event_bridge = |child: &&Element| child.name == "EventBridgeConfiguration";
        if let Some(other) = wanted.children.iter().find(|child| !is_event_bridge(child)) {
            return Err(S3Fault::not_built(&format!(
                "PUT /BUCKET?notification with {}",
                other.name
            )));
        }
        self.notify(!wanted.children.is_empty())?;
        Ok(Response::new(Body::empty()))
    }

    /// Turns EventBridge on or off for the bucket.
    pub(super) fn notify(&self, on: bool) -> Result<(), S3Fault> {
        if self.app.rules.read(|book| book.notifies(&self.bucket)) == on {
            return Ok(());
        }
        let changed = self.app.rules.change(|book, _| {
            book.notify(&self.bucket, on);
            Ok(())
        });
        changed.map_err(|denied| S3Fault::new(500, "InternalError", denied.message))
    }

    /// Tells EventBridge of an object that is new; `reason` is the operation. The event is on disk when this answers.
    pub(super) async fn created(&self, info: &ObjectInfo, reason: &str) -> Result<(), S3Fault> {
        if !self.app.rules.read(|book| book.notifies(&self.bucket)) {
            return Ok(());
        }
        let event = self.event(info, reason);
        let sent = self
            .app
            .desk
            .publish(engine_events::route::DEFAULT_BUS, vec![event]);
        sent.await
            .map_err(|refusal| S3Fault::new(500, "InternalError", refusal.message))
    }

    fn event(&self, info: &ObjectInfo, reason: &str) -> Value {
        let home = self.app.rules.home();
        let now = self.app.clock.now();
        let mut object = json!({
            "key": info.key,
            "size": info.size,
            "etag": info.etag,
            "sequencer": format!("{:016X}", now.as_microsecond()),
        });
        if let Some(version) = &info.version_id {
            object["version-id"] = json!(version);
        }
        json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": "Object Created",
            "source": "aws.s3",
            "account": home.account,
            "time": format!("{now:.0}"),
            "region": home.region,
            "resources": [format!("arn:aws:s3:::{}", self.bucket)],
            "detail": {
                "version": "0",
                "bucket": {"name": self.bucket},
                "object": object,
                "request-id": uuid::Uuid::new_v4().simple().to_string().to_uppercase()[..16],
                "requester": home.account,
                "source-ip-address": "127.0.0.1",
                "reason": reason,
            },
        })
    }
}
