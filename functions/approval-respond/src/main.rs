//! The function's process: settings, ports, run.

use std::process::ExitCode;

use approval_respond::Respond;
use serde_json::Value;
use shared::{approval::settings::RespondSettings, config::ConfigError};
use shared_aws::{
    approval_store::DynamoApprovals,
    bootstrap::{HandlerError, Invocation, run_events},
    clock::SystemClock,
    entropy::SystemEntropy,
    http_entry,
    pipelines::Pipelines,
};

fn main() -> ExitCode {
    run_events("approval-respond", |aws| {
        let settings = RespondSettings::read(aws.environment())?;
        let respond = Respond {
            store: DynamoApprovals::new(aws, &settings.table),
            sender: Pipelines::new(aws).answering_as(settings.approver_role.as_deref()),
            clock: SystemClock,
            entropy: SystemEntropy,
            settings,
        };
        Ok::<_, ConfigError>(async move |event: Value, _: Invocation| {
            let request = http_entry::request(event)?;
            let answer = respond.handle(&request).await;
            Ok::<_, HandlerError>(http_entry::answer(answer))
        })
    })
}
