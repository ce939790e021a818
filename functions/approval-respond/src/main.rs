//! The function's process: settings, ports, run.

use approval_respond::{Respond, slack::Slack};
use serde_json::Value;
use shared::approval::{settings::RespondSettings, sign_in::open_id::OpenId};
use shared_aws::{
    approval_store::DynamoApprovals,
    bootstrap::{HandlerError, Invocation, run_events},
    chats::respond_chats,
    clock::{SystemClock, TokioTimer},
    entropy::SystemEntropy,
    http_entry,
    pipelines::Pipelines,
    provider::ProviderHttp,
    rules,
    secrets::Secrets,
};

fn main() -> std::process::ExitCode {
    run_events("approval-respond", |aws| {
        let settings = RespondSettings::read(aws.environment(), |name| rules::read(aws, name))?;
        let press = respond_chats(aws, &settings);
        let sign_in = |at| OpenId::new(at, ProviderHttp::new(aws), TokioTimer, Secrets::new(aws));
        let respond = Respond {
            store: DynamoApprovals::new(aws, &settings.table),
            sender: Pipelines::new(aws).answering_as(settings.approver_role.as_deref()),
            clock: SystemClock,
            entropy: SystemEntropy,
            sign_in: settings.sign_in.clone().map(sign_in),
            settings,
        };
        Ok::<_, shared::config::ConfigError>(async move |event: Value, _: Invocation| {
            let request = http_entry::request(event)?;
            let (respond, press) = (&respond, &press);
            let answer = Slack { respond, press }.or_page(&request).await;
            Ok::<_, HandlerError>(http_entry::answer(answer))
        })
    })
}
