//! Which host called a function, told once, at the door, by the shape of the event.

use serde_json::Value;

/// The three hosts of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A pipeline's Lambda invoke action: an object with `CodePipeline.job`.
    Invoke,
    /// A job worker of a custom action type: EventBridge says that an action started, a schedule fired, or a vendor called
    /// back.
    Worker,
    /// A Step Functions task: an object with `params` or `taskToken`.
    Task,
}

/// An event that is none of the three.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the event is neither a CodePipeline job, an EventBridge event, a callback nor a task input; its fields are: {fields}"
)]
pub struct UnknownEvent {
    /// Names of the top-level fields, never their values.
    pub fields: String,
}

impl Kind {
    /// Tells the host by the event's top-level fields.
    pub fn of(event: &Value) -> Result<Self, UnknownEvent> {
        let has = |name| event.get(name).is_some();
        if has("CodePipeline.job") {
            return Ok(Self::Invoke);
        }
        if (has("detail-type") && has("source")) || is_callback(event) {
            return Ok(Self::Worker);
        }
        if has("taskToken") || has("params") {
            return Ok(Self::Task);
        }
        Err(UnknownEvent {
            fields: fields(event),
        })
    }
}

/// Whether somebody called the function over HTTP (payload 2.0 of a function URL or HTTP API): a vendor whose run has news.
/// Nothing that it says is believed or read.
pub fn is_callback(event: &Value) -> bool {
    event.pointer("/requestContext/http").is_some()
}

fn fields(event: &Value) -> String {
    match event {
        Value::Object(map) if map.is_empty() => "none".to_owned(),
        Value::Object(map) => {
            let names: Vec<&str> = map.keys().map(String::as_str).take(10).collect();
            names.join(", ")
        }
        _ => "none, it is not an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_shape_tells_the_host() {
        let cases = [
            (json!({"CodePipeline.job": {}}), Ok(Kind::Invoke)),
            (
                json!({"source": "aws.codepipeline", "detail-type": "CodePipeline Action Execution State Change"}),
                Ok(Kind::Worker),
            ),
            (
                json!({"source": "aws.events", "detail-type": "Scheduled Event"}),
                Ok(Kind::Worker),
            ),
            (
                json!({"version": "2.0", "requestContext": {"http": {"method": "POST"}}, "body": "{}"}),
                Ok(Kind::Worker),
            ),
            (json!({"params": {}, "progress": null}), Ok(Kind::Task)),
            (
                json!({"Records": [{"secret": "x"}]}),
                Err("Records".to_owned()),
            ),
            (json!({}), Err("none".to_owned())),
            (json!([1]), Err("none, it is not an object".to_owned())),
        ];
        for (event, expected) in cases {
            assert_eq!(
                Kind::of(&event).map_err(|error| error.fields),
                expected,
                "{event}"
            );
        }
    }
}
