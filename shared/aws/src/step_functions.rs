//! State machines, started and looked at with the function's own role. Those that wait are answered by
//! [`crate::task_tokens`].

use std::sync::OnceLock;

use aws_sdk_sfn::{Client, types::IncludedData};
use shared::port::{Execution, ExecutionStart, PortError, StateMachines};

use crate::sdk::Aws;

/// `DescribeStateMachine`, `StartExecution`, `DescribeExecution`, `StopExecution`.
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

impl StateMachines for StepFunctions {
    async fn kind(&self, machine: &str) -> Result<String, PortError> {
        let request = self
            .client()
            .describe_state_machine()
            .state_machine_arn(machine)
            // Its definition is not needed, nor the key that it may be encrypted with.
            .included_data(IncludedData::MetadataOnly);
        let what = format!("the state machine {machine}");
        let answer = self.aws.call(&what, request.send()).await?;
        Ok(answer.r#type().as_str().to_owned())
    }

    async fn start(&self, start: ExecutionStart<'_>) -> Result<String, PortError> {
        let request = self
            .client()
            .start_execution()
            .state_machine_arn(start.machine)
            .name(start.name)
            .input(start.input);
        let what = format!("starting the state machine {}", start.machine);
        let answer = self.aws.call(&what, request.send()).await?;
        Ok(answer.execution_arn().to_owned())
    }

    async fn execution(&self, arn: &str) -> Result<Execution, PortError> {
        let request = self.client().describe_execution().execution_arn(arn);
        let what = format!("the execution {arn}");
        let answer = self.aws.call(&what, request.send()).await?;
        Ok(Execution {
            status: answer.status().as_str().to_owned(),
            input: answer.input().map(str::to_owned),
            output: answer.output().map(str::to_owned),
            error: answer.error().map(str::to_owned),
            cause: answer.cause().map(str::to_owned),
        })
    }

    async fn stop(&self, arn: &str, error: &str, cause: &str) -> Result<(), PortError> {
        let request = self
            .client()
            .stop_execution()
            .execution_arn(arn)
            .error(error)
            .cause(cause);
        let what = format!("stopping the execution {arn}");
        self.aws.call(&what, request.send()).await.map(drop)
    }
}
