//! What an event says is over.

use serde_json::Value;

use crate::{
    event::{State, StateChange, Subject},
    wire::eventbridge::Event,
};

/// What an event says is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    /// An action of an execution.
    Action {
        /// The pipeline execution.
        execution: String,
        /// Which of its runs, where the event says it.
        action_execution: Option<String>,
    },
    /// An execution of a pipeline.
    Execution(String),
    /// An execution of a state machine, by ARN.
    Machine(String),
}

impl Over {
    /// The execution's id or ARN: what runs are noted under.
    pub fn execution(&self) -> &str {
        match self {
            Self::Action { execution, .. } | Self::Execution(execution) => execution,
            Self::Machine(arn) => arn,
        }
    }
}

/// What the event ends, when it ends anything that an action can be part of.
pub fn over(event: &Value) -> Option<Over> {
    let text = |value: &Value, name: &str| Some(value.get(name)?.as_str()?.to_owned());
    let machine = "Step Functions Execution Status Change";
    if event.get("detail-type").and_then(Value::as_str) == Some(machine) {
        let detail = event.get("detail")?;
        let status = text(detail, "status")?;
        let over = matches!(status.as_str(), "ABORTED" | "TIMED_OUT" | "FAILED");
        return over
            .then(|| text(detail, "executionArn"))?
            .map(Over::Machine);
    }
    let change = StateChange::try_from(Event::try_from(event.clone()).ok()?).ok()?;
    let execution = change.execution.to_string();
    match (change.subject, change.state) {
        (Subject::Action(action), State::Failed | State::Abandoned | State::Canceled) => {
            let kind = action.kind;
            let hosted = kind.owner == "Custom" || kind.provider == "Lambda";
            hosted.then_some(Over::Action {
                execution,
                action_execution: action.action_execution,
            })
        }
        (Subject::Execution { .. }, State::Stopped | State::Superseded | State::Canceled) => {
            Some(Over::Execution(execution))
        }
        _ => None,
    }
}
