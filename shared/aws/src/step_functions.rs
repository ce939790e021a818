//! Waiting state machines, answered by their token with the function's own role.

use std::sync::OnceLock;

use aws_sdk_sfn::Client;
use shared::{
    port::{PortError, TaskCallback, TaskOutcome},
    secret::Secret,
};

use crate::sdk::Aws;

/// `SendTaskSuccess`, `SendTaskFailure` and `SendTaskHeartbeat`.
#[derive(Debug)]
pub struct StepFunctions {
    aws: Aws,
    client: OnceLock<Client>,
}

impl StepFunctions {
    /// Makes no client yet.
    pub fn new(aws: &Aws) -> Self {
        Self {
            aws: aws.clone(),
            client: OnceLock::new(),
        }
    }

    fn client(&self) -> &Client {
        self.client
            .get_or_init(|| Client::new(&self.aws.config("SFN")))
    }
}

impl TaskCallback for StepFunctions {
    async fn finish(&self, token: &Secret, outcome: &TaskOutcome) -> Result<(), PortError> {
        match outcome {
            TaskOutcome::Success(output) => {
                let request = self
                    .client()
                    .send_task_success()
                    .task_token(token.reveal())
                    .output(output.to_string());
                self.aws
                    .call("SendTaskSuccess", request.send())
                    .await
                    .map(drop)
            }
            TaskOutcome::Failure { kind, cause } => {
                let request = self
                    .client()
                    .send_task_failure()
                    .task_token(token.reveal())
                    .error(kind.name())
                    .cause(cause);
                self.aws
                    .call("SendTaskFailure", request.send())
                    .await
                    .map(drop)
            }
        }
    }

    async fn heartbeat(&self, token: &Secret) -> Result<(), PortError> {
        let request = self
            .client()
            .send_task_heartbeat()
            .task_token(token.reveal());
        self.aws
            .call("SendTaskHeartbeat", request.send())
            .await
            .map(drop)
    }
}
