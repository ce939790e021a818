//! The function's process: settings, ports, run.

use std::process::ExitCode;

use approval_notify::Notify;
use serde_json::Value;
use shared::{approval::chat::send::Post, approval::settings::NotifySettings, config::ConfigError};
use shared_aws::{
    approval_store::DynamoApprovals,
    bootstrap::{Invocation, run_events},
    chats::notify_chats,
    clock::SystemClock,
    entropy::SystemEntropy,
    mail::Mails,
    pipelines::Pipelines,
    rules,
    signer::KmsSigner,
};

fn main() -> ExitCode {
    run_events("approval-notify", |aws| {
        let settings = NotifySettings::read(aws.environment(), |name| rules::read(aws, name))?;
        let mail = Mails::new(aws, settings.mailing.topic());
        let chat = notify_chats(aws, &settings);
        let notify = Notify {
            store: DynamoApprovals::new(aws, &settings.table),
            pipelines: Pipelines::new(aws),
            signer: KmsSigner::new(aws, &settings.key),
            mailer: Post { mail, chat },
            clock: SystemClock,
            entropy: SystemEntropy,
            settings,
        };
        Ok::<_, ConfigError>(async move |event: Value, _: Invocation| notify.take(event).await)
    })
}
