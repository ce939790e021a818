//! CodePipeline's state change events as EventBridge delivers them.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use super::{ShapeError, from_value};
use crate::{
    event::{ActionChange, ActionResult, ActionType, State, StateChange, Subject, Trigger},
    id::IdError,
};

/// The envelope, with the detail of any of the three kinds.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// Unique; the same on a repeated delivery.
    pub id: String,
    /// Which of the three kinds.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// `aws.codepipeline`.
    pub source: String,
    /// The pipeline's account.
    pub account: String,
    /// When.
    pub time: Timestamp,
    /// The pipeline's region.
    pub region: String,
    /// What changed.
    pub detail: Detail,
}

/// `detail` of all three kinds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Detail {
    /// The pipeline's name.
    pub pipeline: String,
    /// The execution.
    pub execution_id: String,
    /// The state's word.
    pub state: String,
    /// The pipeline's version: 1.0 in current samples, 1 in older ones, "1" through some transformers.
    #[serde(default, deserialize_with = "whole")]
    pub version: Option<u64>,
    /// 1 and up; written like `version`.
    #[serde(default, deserialize_with = "whole")]
    pub pipeline_execution_attempt: Option<u64>,
    /// On STARTED of an execution.
    pub execution_trigger: Option<TriggerDetail>,
    /// On STOPPING of an execution.
    pub stop_execution_comments: Option<String>,
    /// Stage and action events.
    pub stage: Option<String>,
    /// Action events.
    pub action: Option<String>,
    /// Action events, in newer pipelines.
    pub action_execution_id: Option<String>,
    /// Action events: where the action runs.
    pub region: Option<String>,
    /// Action events.
    #[serde(rename = "type")]
    pub action_type: Option<TypeDetail>,
    /// Action events that end.
    pub execution_result: Option<ResultDetail>,
}

/// `execution-trigger`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TriggerDetail {
    /// As `StartPipelineExecution`.
    pub trigger_type: String,
    /// As an ARN.
    pub trigger_detail: Option<String>,
}

/// `type`.
#[derive(Debug, Deserialize)]
pub struct TypeDetail {
    /// `AWS`, `ThirdParty` or `Custom`.
    pub owner: String,
    /// As `Manual`.
    pub provider: String,
    /// As `Approval`.
    pub category: String,
    /// As `1`; a number through some transformers.
    #[serde(default, deserialize_with = "text")]
    pub version: String,
}

/// `execution-result`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ResultDetail {
    /// Link.
    pub external_execution_url: Option<String>,
    /// What people see.
    pub external_execution_summary: Option<String>,
    /// The outside run.
    pub external_execution_id: Option<String>,
    /// As `JobFailed`.
    pub error_code: Option<String>,
}

/// Why an event is no state change of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The JSON is not what EventBridge sends.
    #[error("the event has an unexpected shape")]
    Shape(#[source] ShapeError),
    /// Another source or kind of event.
    #[error("the event {detail_type:?} of {source_name:?} is not a state change of a pipeline")]
    Other {
        /// Its detail type.
        detail_type: String,
        /// Its source.
        source_name: String,
    },
    /// A state without a meaning here.
    #[error("the event's state {state:?} is not known")]
    State {
        /// The word.
        state: String,
    },
    /// A member that this kind of event must have.
    #[error("the event lacks detail.{member}")]
    Missing {
        /// Which.
        member: &'static str,
    },
    /// A name or id that cannot be one.
    #[error("the event holds an unusable name")]
    Id(#[source] IdError),
}

impl TryFrom<Value> for Event {
    type Error = EventError;

    fn try_from(event: Value) -> Result<Self, EventError> {
        from_value(event).map_err(EventError::Shape)
    }
}

impl TryFrom<Event> for StateChange {
    type Error = EventError;

    fn try_from(event: Event) -> Result<Self, EventError> {
        let kind = event.detail_type.strip_prefix("CodePipeline ");
        let (Some(kind), "aws.codepipeline") = (kind, event.source.as_str()) else {
            return Err(EventError::Other {
                detail_type: event.detail_type,
                source_name: event.source,
            });
        };
        let detail = event.detail;
        let state = state(&detail.state)?;
        let pipeline = detail.pipeline.parse().map_err(EventError::Id)?;
        let execution = detail.execution_id.parse().map_err(EventError::Id)?;
        let subject = match kind {
            "Pipeline Execution State Change" => Subject::Execution {
                trigger: detail.execution_trigger.map(Trigger::from),
                stop_comments: detail.stop_execution_comments,
            },
            "Stage Execution State Change" => Subject::Stage {
                stage: name("stage", detail.stage)?,
            },
            "Action Execution State Change" => Subject::Action(Box::new(ActionChange {
                stage: name("stage", detail.stage)?,
                action: name("action", detail.action)?,
                action_execution: detail.action_execution_id,
                region: detail.region,
                kind: detail
                    .action_type
                    .map(ActionType::from)
                    .ok_or(EventError::Missing { member: "type" })?,
                result: detail.execution_result.map(ActionResult::from),
            })),
            _ => {
                return Err(EventError::Other {
                    detail_type: event.detail_type,
                    source_name: event.source,
                });
            }
        };
        Ok(Self {
            id: event.id,
            time: event.time,
            account: event.account,
            region: event.region,
            pipeline,
            pipeline_version: detail.version,
            execution,
            attempt: detail.pipeline_execution_attempt,
            subject,
            state,
        })
    }
}

impl From<TriggerDetail> for Trigger {
    fn from(wire: TriggerDetail) -> Self {
        Self {
            kind: wire.trigger_type,
            detail: wire.trigger_detail.unwrap_or_default(),
        }
    }
}

impl From<TypeDetail> for ActionType {
    fn from(wire: TypeDetail) -> Self {
        Self {
            owner: wire.owner,
            provider: wire.provider,
            category: wire.category,
            version: wire.version,
        }
    }
}

impl From<ResultDetail> for ActionResult {
    fn from(wire: ResultDetail) -> Self {
        Self {
            url: wire.external_execution_url,
            summary: wire.external_execution_summary,
            external_id: wire.external_execution_id,
            error_code: wire.error_code,
        }
    }
}

/// AWS writes CANCELED here and Cancelled in its API; both are read.
fn state(word: &str) -> Result<State, EventError> {
    Ok(match word {
        "STARTED" => State::Started,
        "RESUMED" => State::Resumed,
        "SUCCEEDED" => State::Succeeded,
        "FAILED" => State::Failed,
        "STOPPING" => State::Stopping,
        "STOPPED" => State::Stopped,
        "SUPERSEDED" => State::Superseded,
        "CANCELED" | "CANCELLED" => State::Canceled,
        "ABANDONED" => State::Abandoned,
        _ => {
            return Err(EventError::State {
                state: word.to_owned(),
            });
        }
    })
}

fn name<N: TryFrom<String, Error = IdError>>(
    member: &'static str,
    text: Option<String>,
) -> Result<N, EventError> {
    N::try_from(text.ok_or(EventError::Missing { member })?).map_err(EventError::Id)
}

/// A whole number written as integer, float or text.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let wrong = || D::Error::custom("expected a whole number");
    let number = match Value::deserialize(from)? {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().parse::<f64>().map_err(|_| wrong())?,
        Value::Number(number) => number.as_f64().ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    // 2^53: above it a float is no longer exact; versions and attempts are far below.
    let exact = (0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0;
    if exact {
        Ok(Some(number as u64))
    } else {
        Err(wrong())
    }
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(D::Error::custom("expected a text")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(kind: &str, detail: Value) -> Result<StateChange, EventError> {
        let mut full = json!({"pipeline": "myPipeline", "execution-id": "12345678-1234-5678-abcd-12345678abcd"});
        let (Some(all), Value::Object(more)) = (full.as_object_mut(), detail) else {
            unreachable!("both are objects");
        };
        all.extend(more);
        StateChange::try_from(Event::try_from(json!({
            "version": "0", "id": "e-1", "detail-type": format!("CodePipeline {kind} Execution State Change"),
            "source": "aws.codepipeline", "account": "123456789012", "time": "2020-01-24T22:03:07Z",
            "region": "us-east-1", "resources": ["arn:aws:codepipeline:us-east-1:123456789012:myPipeline"],
            "detail": full
        }))?)
    }

    #[test]
    fn an_execution_event_is_read() {
        let change = read("Pipeline", json!({
            "start-time": "2023-10-26T13:49:39.208Z", "state": "STARTED", "version": 1.0, "pipeline-execution-attempt": 1.0,
            "execution-trigger": {"trigger-type": "StartPipelineExecution", "trigger-detail": "arn:aws:sts::123456789012:assumed-role/Admin/dana"}
        }))
        .expect("a change");
        assert_eq!(change.state, State::Started);
        assert_eq!(
            (change.pipeline_version, change.attempt),
            (Some(1), Some(1))
        );
        assert!(
            matches!(change.subject, Subject::Execution { trigger: Some(trigger), .. } if trigger.kind == "StartPipelineExecution")
        );
    }

    #[test]
    fn an_action_event_is_read() {
        let change = read("Action", json!({
            "stage": "Deploy", "action": "Deploy", "state": "FAILED", "region": "us-west-2", "version": 4,
            "type": {"owner": "AWS", "provider": "CodeDeploy", "category": "Deploy", "version": "1"},
            "output-artifacts": [],
            "execution-result": {"external-execution-url": "https://example.com", "external-execution-summary": "Deployment d failed",
                                 "external-execution-id": "d", "error-code": "JobFailed"}
        }))
        .expect("a change");
        let Subject::Action(action) = change.subject else {
            unreachable!("an action event");
        };
        assert_eq!(action.kind.provider, "CodeDeploy");
        assert_eq!(
            action
                .result
                .and_then(|result| result.error_code)
                .as_deref(),
            Some("JobFailed")
        );
    }

    #[test]
    fn versions_come_in_three_spellings() {
        for (version, expected) in [
            (json!(4), Some(Some(4))),
            (json!(4.0), Some(Some(4))),
            (json!("4"), Some(Some(4))),
            (json!("4.0"), Some(Some(4))),
            (Value::Null, Some(None)),
            (json!(4.5), None),
            (json!(-1), None),
            (json!("four"), None),
            (json!([4]), None),
        ] {
            let change = read(
                "Stage",
                json!({"stage": "Prod", "state": "RESUMED", "version": version}),
            );
            assert_eq!(
                change.ok().map(|change| change.pipeline_version),
                expected,
                "{version}"
            );
        }
    }

    #[test]
    fn what_is_no_state_change_is_refused() {
        let cases = [
            (
                read("Rule", json!({"state": "STARTED"})),
                "the event \"CodePipeline Rule Execution State Change\" of \"aws.codepipeline\" is not a state change of a pipeline",
            ),
            (
                read("Stage", json!({"state": "STARTED"})),
                "the event lacks detail.stage",
            ),
            (
                read(
                    "Action",
                    json!({"state": "STARTED", "stage": "S", "action": "A"}),
                ),
                "the event lacks detail.type",
            ),
            (
                read("Pipeline", json!({"state": "PAUSED"})),
                "the event's state \"PAUSED\" is not known",
            ),
            (
                read("Pipeline", json!({"state": 5})),
                "the event has an unexpected shape",
            ),
        ];
        for (result, expected) in cases {
            assert_eq!(
                result.map_err(|error| error.to_string()),
                Err(expected.to_owned())
            );
        }
    }
}
