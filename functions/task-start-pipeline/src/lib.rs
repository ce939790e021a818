//! Starts a pipeline for a state machine's task, which waits for the pipeline's end.
//!
//! **Trigger:** a state machine's `lambda:invoke.waitForTaskToken` with the token, the pipeline's name, and whatever is the
//! same for every attempt at the state.
//! **Effects:** one execution of the pipeline, however often the state is tried again; the token is kept for
//! `event-pipeline`. An execution that has ended meanwhile is answered at once.
//! **Permissions:** `codepipeline:StartPipelineExecution`, `GetPipelineExecution`; `dynamodb:GetItem`, `PutItem`,
//! `DeleteItem` on the table; `states:SendTaskSuccess`, `SendTaskFailure`.
//! **Failure:** the task fails at once, and the machine's `Retry` may try it again: the same execution is found.

use serde_json::{Value, json};
use shared::{
    port::PortError,
    resume::{Pipelines, Tasks, Waiters, Wanted, WantedError, tell},
};

/// The function and what it works with.
#[derive(Debug)]
pub struct StartPipeline<P, W, T> {
    /// Starts.
    pub pipelines: P,
    /// Keeps tokens.
    pub waiters: W,
    /// Answers tasks.
    pub tasks: T,
}

/// Why a task fails at once.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The input.
    #[error("nothing was started")]
    Input(#[source] WantedError),
    /// CodePipeline.
    #[error("the pipeline could not be started")]
    Start(#[source] PortError),
    /// The table, CodePipeline or Step Functions, after the start.
    #[error("the pipeline was started, and nobody would be told of its end; try the state again")]
    Wait(#[source] PortError),
}

impl<P: Pipelines, W: Waiters, T: Tasks> StartPipeline<P, W, T> {
    /// Handles an input as the machine gives it; answers the execution.
    ///
    /// # Errors
    /// The task then fails.
    pub async fn take(&self, input: Value) -> Result<Value, StartError> {
        let wanted = Wanted::try_from(input).map_err(StartError::Input)?;
        let started = self.pipelines.start(&wanted).await;
        let execution = started.map_err(StartError::Start)?;
        let pipeline = &wanted.pipeline;
        let kept = self.waiters.keep(&execution, &wanted.token).await;
        kept.map_err(StartError::Wait)?;
        // Whatever ended before the token was kept found nobody to tell.
        let end = self.pipelines.end(pipeline, &execution).await;
        if let Some(end) = end.map_err(StartError::Wait)? {
            let told = tell(
                &self.waiters,
                &self.tasks,
                (pipeline, &execution),
                Some(end),
            )
            .await;
            told.map_err(StartError::Wait)?;
        }
        Ok(json!({"pipeline": pipeline.as_str(), "pipelineExecutionId": execution.as_str()}))
    }
}

#[cfg(test)]
mod tests;
