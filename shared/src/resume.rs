//! A pipeline that a state machine's task starts, and that the task waits for: words, decisions, ports.

use std::{collections::BTreeMap, future::Future};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    approval::task_answer::TaskAnswer,
    event::State,
    id::{ExecutionId, PipelineName},
    port::PortError,
    secret::Secret,
};

/// What the task asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What the machine is answered with.
    pub token: Secret,
    /// Which pipeline is started.
    pub pipeline: PipelineName,
    /// The same for every attempt at the same state: CodePipeline then starts once.
    pub once: String,
    /// Values of the pipeline's variables.
    pub variables: BTreeMap<String, String>,
}

/// An input that asks for no start.
#[derive(Debug, thiserror::Error)]
#[error(
    "the task's input is not {{\"taskToken\", \"pipeline\", \"run\", \"variables\"}}: {0}; docs/pipeline-tasks.md shows one"
)]
pub struct WantedError(String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    task_token: String,
    pipeline: String,
    run: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

impl TryFrom<Value> for Wanted {
    type Error = WantedError;

    fn try_from(input: Value) -> Result<Self, WantedError> {
        // The token is in the input: serde's words name fields, not values of texts.
        let wire: Wire =
            serde_json::from_value(input).map_err(|error| WantedError(error.to_string()))?;
        if wire.task_token.is_empty() {
            return Err(WantedError("taskToken is empty".to_owned()));
        }
        let pipeline = wire.pipeline.parse();
        let pipeline =
            pipeline.map_err(|_| WantedError("pipeline is no pipeline's name".to_owned()))?;
        let run = wire.run.as_deref().unwrap_or(&wire.task_token);
        let digest = Sha256::digest(run.as_bytes());
        Ok(Self {
            once: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            token: Secret::new(wire.task_token),
            pipeline,
            variables: wire.variables,
        })
    }
}

/// How a pipeline's execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Well.
    Succeeded,
    /// Badly.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// A newer execution took its place.
    Superseded,
    /// The pipeline was changed or deleted under it.
    Canceled,
}

impl End {
    /// As an event tells it; `None`: it goes on.
    pub const fn of_event(state: State) -> Option<Self> {
        match state {
            State::Succeeded => Some(Self::Succeeded),
            State::Failed => Some(Self::Failed),
            State::Stopped => Some(Self::Stopped),
            State::Superseded => Some(Self::Superseded),
            State::Canceled => Some(Self::Canceled),
            State::Started | State::Resumed | State::Stopping | State::Abandoned => None,
        }
    }

    /// As GetPipelineExecution tells it; `None`: it goes on.
    pub fn of_status(status: &str) -> Option<Self> {
        let all = [
            Self::Succeeded,
            Self::Failed,
            Self::Stopped,
            Self::Superseded,
        ];
        match status {
            "Cancelled" => Some(Self::Canceled),
            status => all.into_iter().find(|end| end.status() == status),
        }
    }

    const fn status(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
            Self::Superseded => "Superseded",
            Self::Canceled => "Cancelled",
        }
    }

    /// What the task is told: an output, or an error to catch.
    pub fn answer(self, pipeline: &PipelineName, execution: &ExecutionId) -> TaskAnswer {
        let told = json!({
            "pipeline": pipeline.as_str(),
            "pipelineExecutionId": execution.as_str(),
            "status": self.status(),
        });
        let failure = |error| TaskAnswer::Failure {
            error,
            cause: told.to_string(),
        };
        match self {
            Self::Succeeded => TaskAnswer::Success(told.to_string()),
            Self::Failed => failure("PipelineFailed"),
            Self::Stopped => failure("PipelineStopped"),
            Self::Superseded => failure("PipelineSuperseded"),
            Self::Canceled => failure("PipelineCancelled"),
        }
    }
}

/// Starts pipelines and looks at what was started.
pub trait Pipelines: Send + Sync {
    /// Starts, or answers what the same `once` started before.
    fn start(&self, wanted: &Wanted)
    -> impl Future<Output = Result<ExecutionId, PortError>> + Send;
    /// How an execution ended; `None`: it goes on.
    fn end(
        &self,
        pipeline: &PipelineName,
        execution: &ExecutionId,
    ) -> impl Future<Output = Result<Option<End>, PortError>> + Send;
}

/// Tokens of tasks by the execution that they wait for.
pub trait Waiters: Send + Sync {
    /// Keeps a token, in place of one that was kept before: the newest attempt is the one that waits.
    fn keep(
        &self,
        execution: &ExecutionId,
        token: &Secret,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Who waits for it.
    fn find(
        &self,
        execution: &ExecutionId,
    ) -> impl Future<Output = Result<Option<Secret>, PortError>> + Send;
    /// Forgets exactly this token; another one stays.
    fn forget(
        &self,
        execution: &ExecutionId,
        token: &Secret,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Answers tasks. `Conflict`: the token is expired or was answered, nobody waits.
pub trait Tasks: Send + Sync {
    /// Ends the task.
    fn answer(
        &self,
        token: &Secret,
        answer: &TaskAnswer,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Says that the pipeline goes on.
    fn beat(&self, token: &Secret) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Tells whoever waits what became of the execution, and forgets who waits for nothing more. May be repeated anywhere:
/// a token takes one answer, and a closed one is no failure.
///
/// # Errors
/// When something could not be done now; the token is then still kept.
pub async fn tell(
    waiters: &impl Waiters,
    tasks: &impl Tasks,
    (pipeline, execution): (&PipelineName, &ExecutionId),
    end: Option<End>,
) -> Result<(), PortError> {
    let Some(token) = waiters.find(execution).await? else {
        return Ok(());
    };
    let told = match end {
        Some(end) => tasks.answer(&token, &end.answer(pipeline, execution)).await,
        None => tasks.beat(&token).await,
    };
    match (told, end) {
        (Ok(()), None) => Ok(()),
        (Ok(()) | Err(PortError::Conflict { .. }), _) => waiters.forget(execution, &token).await,
        (Err(error), _) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_state_starts_once_and_another_again() {
        let of = |token: &str, run: Option<&str>| {
            let mut input = json!({"taskToken": token, "pipeline": "site"});
            if let Some(run) = run {
                input["run"] = run.into();
            }
            Wanted::try_from(input).unwrap().once
        };
        assert_eq!(of("a", Some("r")), of("b", Some("r")));
        assert_ne!(of("a", None), of("b", None));
        assert_eq!(of("a", None).len(), 64);
    }

    #[test]
    fn what_is_no_start_is_refused_without_its_token() {
        let bad = [
            json!({}),
            json!({"taskToken": "planted", "pipeline": "a b"}),
            json!({"taskToken": "planted", "pipeline": "a", "more": 1}),
            json!({"taskToken": "", "pipeline": "a"}),
            json!({"taskToken": "planted", "pipeline": "a", "variables": {"n": 1}}),
        ];
        for input in bad {
            let error = Wanted::try_from(input.clone()).unwrap_err().to_string();
            assert!(!error.contains("planted"), "{input}: {error}");
        }
    }

    #[test]
    fn every_end_has_its_answer() {
        let execution: ExecutionId = "12345678-1234-5678-abcd-12345678abcd".parse().unwrap();
        let pipeline: PipelineName = "site".parse().unwrap();
        let cases = [
            (State::Succeeded, "Succeeded", None),
            (State::Failed, "Failed", Some("PipelineFailed")),
            (State::Stopped, "Stopped", Some("PipelineStopped")),
            (State::Superseded, "Superseded", Some("PipelineSuperseded")),
            (State::Canceled, "Cancelled", Some("PipelineCancelled")),
        ];
        for (state, status, wanted) in cases {
            let end = End::of_event(state).unwrap();
            assert_eq!(End::of_status(status), Some(end));
            let (error, text) = match end.answer(&pipeline, &execution) {
                TaskAnswer::Success(text) => (None, text),
                TaskAnswer::Failure { error, cause } => (Some(error), cause),
            };
            assert_eq!(error, wanted);
            assert!(
                text.contains(status) && text.contains(execution.as_str()),
                "{text}"
            );
        }
        for state in [State::Started, State::Resumed, State::Stopping] {
            assert_eq!(End::of_event(state), None);
        }
        assert_eq!(End::of_status("InProgress"), None);
        assert_eq!(End::of_status("Stopping"), None);
    }
}
