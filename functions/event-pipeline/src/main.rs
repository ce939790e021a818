//! The function's process: settings, ports, run.

use std::process::ExitCode;

use event_pipeline::Resume;
use serde_json::Value;
use shared::{
    approval::settings::TABLE,
    config::{self, ConfigError},
};
use shared_aws::{
    bootstrap::{HandlerError, Invocation, run_events},
    ledger::DynamoLedger,
    task_tokens::TaskTokens,
};

fn main() -> ExitCode {
    run_events("event-pipeline", |aws| {
        let table = config::required(aws.environment(), &TABLE)?;
        let function = Resume {
            waiters: DynamoLedger::new(aws, table),
            tasks: TaskTokens::new(aws),
        };
        Ok::<_, ConfigError>(async move |event: Value, _: Invocation| {
            function.take(event).await.map_err(HandlerError::from)
        })
    })
}
