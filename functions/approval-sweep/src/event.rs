//! What wakes the sweep: the clock, CodePipeline's own events, and what CloudTrail saw.

use serde_json::Value;
use shared::{
    approval::request::Target,
    event::{State, StateChange, Subject},
    id::{ExecutionId, PipelineName},
    wire::eventbridge::{Event, EventError},
};

/// Why the sweep is awake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Woken {
    /// A minute is over.
    Minute,
    /// An approval action or a whole execution has changed.
    Change {
        /// Of the event: the same on a repeated delivery.
        id: String,
        /// The pipeline.
        pipeline: PipelineName,
        /// The execution.
        execution: ExecutionId,
        /// How the execution ended, if that is what happened.
        ended: Option<&'static str>,
        /// The execution's attempt, as AWS counts it.
        attempt: Option<u64>,
    },
    /// Somebody called CodePipeline.
    Call(Box<Call>),
    /// Nothing that is looked after here.
    Other,
}

/// A call that CloudTrail saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Of the event: the same on a repeated delivery.
    pub id: String,
    /// Which of the two.
    pub kind: CallKind,
    /// The pipeline.
    pub pipeline: String,
    /// The stage.
    pub stage: String,
    /// The action, of a result.
    pub action: Option<String>,
    /// Of a result.
    pub summary: Option<String>,
    /// Of a result, as AWS writes it.
    pub status: Option<String>,
    /// ARN of the caller.
    pub by: String,
    /// When, as CloudTrail writes it.
    pub time: String,
}

/// Calls that pass the rules by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// `PutApprovalResult`.
    Result,
    /// `OverrideStageCondition`.
    Override,
}

impl Call {
    /// Whether it answered this action.
    pub fn answers(&self, target: &Target) -> bool {
        self.pipeline == target.pipeline.as_str()
            && self.stage == target.stage.as_str()
            && self.action.as_deref() == Some(target.action.as_str())
    }
}

impl TryFrom<Value> for Woken {
    type Error = EventError;

    fn try_from(event: Value) -> Result<Self, EventError> {
        match event["detail-type"].as_str() {
            Some("AWS API Call via CloudTrail") => Ok(call(&event)),
            Some(kind) if kind.starts_with("CodePipeline ") => change(event),
            Some("Scheduled Event") => Ok(Self::Minute),
            // A schedule of EventBridge Scheduler sends what it is told to.
            None if event.get("source").is_none() => Ok(Self::Minute),
            _ => Ok(Self::Other),
        }
    }
}

fn change(event: Value) -> Result<Woken, EventError> {
    let change = StateChange::try_from(Event::try_from(event)?)?;
    let looked_after = match &change.subject {
        Subject::Action(action) => action.kind.category == "Approval",
        Subject::Execution { .. } => true,
        Subject::Stage { .. } => false,
    };
    if !looked_after {
        return Ok(Woken::Other);
    }
    let whole = matches!(change.subject, Subject::Execution { .. });
    let ended = match change.state {
        State::Succeeded => Some("SUCCEEDED"),
        State::Failed => Some("FAILED"),
        State::Stopped => Some("STOPPED"),
        State::Superseded => Some("SUPERSEDED"),
        State::Canceled => Some("CANCELED"),
        _ => None,
    };
    Ok(Woken::Change {
        id: change.id,
        pipeline: change.pipeline,
        execution: change.execution,
        ended: ended.filter(|_| whole),
        attempt: change.attempt,
    })
}

/// Calls that were refused changed nothing.
fn call(event: &Value) -> Woken {
    let detail = &event["detail"];
    let kind = match detail["eventName"].as_str() {
        Some("PutApprovalResult") => CallKind::Result,
        Some("OverrideStageCondition") => CallKind::Override,
        _ => return Woken::Other,
    };
    let refused = detail.get("errorCode").is_some_and(|code| !code.is_null());
    if detail["eventSource"] != "codepipeline.amazonaws.com" || refused {
        return Woken::Other;
    }
    let text = |path: &str| {
        detail
            .pointer(path)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let asked = |name: &str| text(&format!("/requestParameters/{name}"));
    Woken::Call(Box::new(Call {
        id: text("/eventID")
            .or_else(|| event["id"].as_str().map(str::to_owned))
            .unwrap_or_default(),
        kind,
        pipeline: asked("pipelineName").unwrap_or_default(),
        stage: asked("stageName").unwrap_or_default(),
        action: asked("actionName"),
        summary: asked("result/summary"),
        status: asked("result/status"),
        by: text("/userIdentity/arn").unwrap_or_else(|| "somebody".to_owned()),
        time: text("/eventTime").unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(kind: &str, source: &str, detail: Value) -> Woken {
        let event = json!({
            "version": "0", "id": "e-1", "detail-type": kind, "source": source, "account": "123456789012",
            "time": "2026-11-23T10:00:00Z", "region": "eu-west-1", "resources": [], "detail": detail,
        });
        Woken::try_from(event).unwrap()
    }

    #[test]
    fn what_wakes_the_sweep() {
        assert_eq!(
            of("Scheduled Event", "aws.events", json!({})),
            Woken::Minute
        );
        assert_eq!(Woken::try_from(json!({})).unwrap(), Woken::Minute);
        assert_eq!(of("Object Created", "aws.s3", json!({})), Woken::Other);
        let execution = "12345678-1234-5678-abcd-12345678abcd";
        let ended = |state: &str| {
            let detail =
                json!({"pipeline": "p", "execution-id": execution, "state": state, "version": 1});
            match of(
                "CodePipeline Pipeline Execution State Change",
                "aws.codepipeline",
                detail,
            ) {
                Woken::Change { ended, .. } => ended,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            (ended("STARTED"), ended("SUPERSEDED")),
            (None, Some("SUPERSEDED"))
        );
        let action = |category: &str| {
            let detail = json!({
                "pipeline": "p", "execution-id": execution, "state": "SUCCEEDED", "version": 1, "stage": "S",
                "action": "A", "type": {"owner": "AWS", "provider": "Manual", "category": category, "version": "1"},
            });
            of(
                "CodePipeline Action Execution State Change",
                "aws.codepipeline",
                detail,
            )
        };
        assert!(matches!(
            action("Approval"),
            Woken::Change { ended: None, .. }
        ));
        assert_eq!(action("Build"), Woken::Other);
        let refused = json!({
            "eventSource": "codepipeline.amazonaws.com", "eventName": "PutApprovalResult", "errorCode": "AccessDenied",
        });
        assert_eq!(
            of("AWS API Call via CloudTrail", "aws.codepipeline", refused),
            Woken::Other
        );
    }
}
