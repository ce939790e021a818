//! The function's process: settings, ports, run.

use std::process::ExitCode;

use approval_notify::{Notify, read};
use serde_json::Value;
use shared::{approval::settings::NotifySettings, config::ConfigError};
use shared_aws::{
    approval_store::DynamoApprovals,
    bootstrap::{Invocation, run_events},
    clock::SystemClock,
    entropy::SystemEntropy,
    mail::SesMailer,
    pipelines::Pipelines,
    signer::KmsSigner,
};

fn main() -> ExitCode {
    run_events("approval-notify", |aws| {
        let settings = NotifySettings::read(aws.environment(), read)?;
        let notify = Notify {
            store: DynamoApprovals::new(aws, &settings.table),
            pipelines: Pipelines::new(aws),
            signer: KmsSigner::new(aws, &settings.key),
            mailer: SesMailer::new(aws),
            clock: SystemClock,
            entropy: SystemEntropy,
            settings,
        };
        Ok::<_, ConfigError>(async move |event: Value, _: Invocation| notify.take(event).await)
    })
}
