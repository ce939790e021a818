//! The function's process: settings, ports, run.

use std::process::ExitCode;

use serde_json::Value;
use shared::{
    approval::settings::TABLE,
    config::{self, ConfigError},
};
use shared_aws::{
    bootstrap::{HandlerError, Invocation, run_events},
    ledger::DynamoLedger,
    starts::Starts,
    task_tokens::TaskTokens,
};
use task_start_pipeline::StartPipeline;

fn main() -> ExitCode {
    run_events("task-start-pipeline", |aws| {
        let table = config::required(aws.environment(), &TABLE)?;
        let function = StartPipeline {
            pipelines: Starts::new(aws),
            waiters: DynamoLedger::new(aws, table),
            tasks: TaskTokens::new(aws),
        };
        Ok::<_, ConfigError>(async move |event: Value, _: Invocation| {
            function.take(event).await.map_err(HandlerError::from)
        })
    })
}
