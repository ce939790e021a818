//! JSON services of AWS: what they share, and the port [`Services`] over a stage.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::{
    port::{PortError, ServiceCall, Services, answered},
    provider::{Call, Http, Payload, SendError},
};

use crate::{Asked, Reply, Stage, StandIn};

mod containers;
mod device_farm;
mod machines;
mod signals;

pub use containers::{Containers, Ending, Log};
pub use device_farm::{DeviceFarm, PROJECT, Scheduled, Uploaded};
pub use machines::{Machines, Outcome, Task};
pub use signals::{Alarm, Calendar, Signals};

/// An operation refused, as AWS says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// As `ClusterNotFoundException`.
    pub code: &'static str,
    /// What it says.
    pub message: String,
}

impl Refusal {
    /// Refused with status 400.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
        }
    }

    /// As a reply; AWS puts a namespace before the codes of some services.
    pub fn reply(&self) -> Reply {
        let body = json!({"__type": format!("com.amazonaws.standin#{}", self.code), "message": self.message});
        Reply::of_type(self.status, "application/x-amz-json-1.1", body.to_string())
    }
}

/// The operation asked for, its service's target and its request; refused as AWS refuses what is none.
pub fn operation(asked: &Asked) -> Result<(String, String, Value), Refusal> {
    let target = asked.header("x-amz-target").unwrap_or_default();
    let (service, operation) = target
        .split_once('.')
        .ok_or_else(|| Refusal::new("UnknownOperationException", "no target"))?;
    let body = serde_json::from_slice(&asked.body)
        .map_err(|_| Refusal::new("SerializationException", "no JSON"))?;
    Ok((service.to_owned(), operation.to_owned(), body))
}

/// An answer as a reply.
pub fn reply(result: Result<Value, Refusal>) -> Reply {
    match result {
        Ok(value) => Reply::of_type(200, "application/x-amz-json-1.1", value.to_string()),
        Err(refusal) => refusal.reply(),
    }
}

/// A text of a request; empty when it is not there.
pub fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_default()
}

/// A list of texts of a request.
pub fn texts(body: &Value, name: &str) -> Vec<String> {
    let list = body[name].as_array().into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

/// Seconds with a fraction, as JSON services write times.
pub fn seconds(at: Timestamp) -> Value {
    let milliseconds = at.as_millisecond();
    json!(milliseconds as f64 / 1000.0)
}

/// A refusal of a request that lacks what the service needs.
pub fn required<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    match text(body, name) {
        "" => Err(Refusal::new(
            "ValidationException",
            format!("{name} is missing"),
        )),
        value => Ok(value),
    }
}

/// Times of this operation that a stage was asked for, whatever became of the answer.
pub fn asked_for<S: StandIn>(stage: &Stage<S>, operation: &str) -> usize {
    let end = format!(".{operation}");
    let records = stage.records();
    let asked = records.iter().filter(|record| {
        let target = record.asked.header("x-amz-target");
        target.is_some_and(|target| target.ends_with(&end))
    });
    asked.count()
}

/// The port over a stage's way: every service leads there. Repeats as the real side does.
#[derive(Debug, Clone)]
pub struct OverHttp<H>(pub H);

const PATIENCE: Duration = Duration::from_secs(20);
const ATTEMPTS: u32 = 3;
const LIMIT: usize = 8 * 1024 * 1024;

impl<H: Http> Services for OverHttp<H> {
    async fn call(&self, call: &ServiceCall<'_>) -> Result<Value, PortError> {
        let (service, region) = (call.service, call.region.or(call.service.region));
        let url = format!(
            "https://{}.{}.amazonaws.com/",
            service.name,
            region.unwrap_or("eu-west-1")
        );
        let payload = Payload::Bytes {
            content_type: format!("application/x-amz-json-{}", service.version),
            bytes: call.body.to_string().into_bytes(),
        };
        let target = format!("{}.{}", service.target, call.operation);
        let request = Call::post(call.operation, url, payload).header("x-amz-target", target);
        let request = request.limit(LIMIT);
        let mut attempt = 1;
        loop {
            let lost = |source| PortError::Unavailable {
                what: call.what.to_owned(),
                source: Some(source),
            };
            let result = match self.0.send(&request, PATIENCE).await {
                Ok(answer) => answered(call.what, answer.status, &answer.text()),
                Err(SendError::NotSent(why) | SendError::Lost(why) | SendError::Unusable(why)) => {
                    Err(lost(why))
                }
            };
            match result {
                Err(PortError::Unavailable { .. }) if call.repeatable && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }
}
