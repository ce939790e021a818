//! Pipelines that state machines start, with the function's own role. By hand over [`crate::rpc`]: two operations.

use serde_json::{Value, json};
use shared::{
    id::{ExecutionId, PipelineName},
    port::PortError,
    resume::{End, Pipelines, Wanted},
};

use crate::{error::unavailable, jobs::CODEPIPELINE, rpc::Rpc, sdk::Aws};

/// `StartPipelineExecution`, `GetPipelineExecution`.
#[derive(Debug)]
pub struct Starts(Rpc);

impl Starts {
    /// Connects to nothing yet.
    pub fn new(aws: &Aws) -> Self {
        Self(Rpc::new(aws, CODEPIPELINE))
    }
}

impl Pipelines for Starts {
    async fn start(&self, wanted: &Wanted) -> Result<ExecutionId, PortError> {
        let what = format!("the start of {}", wanted.pipeline);
        let mut body = json!({"name": wanted.pipeline.as_str(), "clientRequestToken": wanted.once});
        if !wanted.variables.is_empty() {
            let variables = wanted.variables.iter();
            let variables: Vec<Value> = variables
                .map(|(name, value)| json!({"name": name, "value": value}))
                .collect();
            body["variables"] = variables.into();
        }
        let answer = self.0.call("StartPipelineExecution", &what, &body).await?;
        let id = answer["pipelineExecutionId"].as_str().unwrap_or_default();
        id.parse()
            .map_err(|_| unavailable(&what, "the answer names no execution"))
    }

    async fn end(
        &self,
        pipeline: &PipelineName,
        execution: &ExecutionId,
    ) -> Result<Option<End>, PortError> {
        let body =
            json!({"pipelineName": pipeline.as_str(), "pipelineExecutionId": execution.as_str()});
        let what = format!("an execution of {pipeline}");
        let answer = self.0.call("GetPipelineExecution", &what, &body).await?;
        let status = answer.pointer("/pipelineExecution/status");
        Ok(End::of_status(
            status.and_then(Value::as_str).unwrap_or_default(),
        ))
    }
}
