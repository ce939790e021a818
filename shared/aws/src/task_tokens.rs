//! State machines that wait for a token, answered with the function's own role.
//!
//! By hand over [`crate::rpc`], although other calls to Step Functions go through its SDK: every action answers tokens,
//! with three operations of two or three members each (docs/decisions/dependencies.md).

use serde_json::{Value, json};
use shared::{
    approval::task_answer::TaskAnswer,
    port::{PortError, Service, TaskCallback, TaskOutcome},
    resume::Tasks,
    secret::Secret,
};

use crate::{rpc::Rpc, sdk::Aws};

pub(crate) const STEP_FUNCTIONS: Service = Service {
    id: "SFN",
    name: "states",
    target: "AWSStepFunctions",
    version: "1.0",
    region: None,
};

/// `SendTaskSuccess`, `SendTaskFailure`, `SendTaskHeartbeat`.
#[derive(Debug)]
pub struct TaskTokens(Rpc);

impl TaskTokens {
    /// Connects to nothing yet.
    pub fn new(aws: &Aws) -> Self {
        Self(Rpc::new(aws, STEP_FUNCTIONS))
    }

    /// Ends a task that waits for an approval; `Conflict`: it waits no more.
    pub(crate) async fn answer(
        &self,
        token: &Secret,
        answer: &TaskAnswer,
    ) -> Result<(), PortError> {
        let token = token.reveal();
        match answer {
            TaskAnswer::Success(output) => {
                let body = json!({"taskToken": token, "output": output});
                self.send("SendTaskSuccess", body).await
            }
            TaskAnswer::Failure { error, cause } => {
                let body = json!({"taskToken": token, "error": error, "cause": cause});
                self.send("SendTaskFailure", body).await
            }
        }
    }

    /// A token that was answered, timed out, or of a machine that is gone: nobody waits.
    async fn send(&self, operation: &'static str, body: Value) -> Result<(), PortError> {
        match self.0.call(operation, operation, &body).await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error, PortError::NotFound { .. })
                    || error.has_code("InvalidToken") =>
            {
                let what = operation.to_owned();
                Err(PortError::Conflict { what })
            }
            Err(error) => Err(error),
        }
    }
}

impl TaskCallback for TaskTokens {
    async fn finish(&self, token: &Secret, outcome: &TaskOutcome) -> Result<(), PortError> {
        let token = token.reveal();
        match outcome {
            TaskOutcome::Success(output) => {
                let body = json!({"taskToken": token, "output": output.to_string()});
                self.send("SendTaskSuccess", body).await
            }
            TaskOutcome::Failure { kind, cause } => {
                let body = json!({"taskToken": token, "error": kind.name(), "cause": cause});
                self.send("SendTaskFailure", body).await
            }
        }
    }

    async fn heartbeat(&self, token: &Secret) -> Result<(), PortError> {
        let body = json!({"taskToken": token.reveal()});
        self.send("SendTaskHeartbeat", body).await
    }
}

impl Tasks for TaskTokens {
    async fn answer(&self, token: &Secret, answer: &TaskAnswer) -> Result<(), PortError> {
        Self::answer(self, token, answer).await
    }

    async fn beat(&self, token: &Secret) -> Result<(), PortError> {
        self.heartbeat(token).await
    }
}
