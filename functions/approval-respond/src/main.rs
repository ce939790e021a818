//! The function's process: settings, ports, run.

use std::process::ExitCode;

use approval_respond::Respond;
use serde_json::Value;
use shared::approval::{settings::RespondSettings, sign_in::open_id::OpenId};
use shared_aws::{
    approval_store::DynamoApprovals,
    bootstrap::{HandlerError, Invocation, run_events},
    clock::{SystemClock, TokioTimer},
    entropy::SystemEntropy,
    http_entry,
    pipelines::Pipelines,
    provider::ProviderHttp,
    secrets::Secrets,
};

fn main() -> ExitCode {
    run_events("approval-respond", |aws| {
        let settings = RespondSettings::read(aws.environment())?;
        let respond = Respond {
            store: DynamoApprovals::new(aws, &settings.table),
            sender: Pipelines::new(aws).answering_as(settings.approver_role.as_deref()),
            clock: SystemClock,
            entropy: SystemEntropy,
            sign_in: settings.sign_in.clone().map(|provider| {
                let (http, secrets) = (ProviderHttp::new(aws), Secrets::new(aws));
                OpenId::new(provider, http, TokioTimer, secrets)
            }),
            settings,
        };
        Ok::<_, shared::config::ConfigError>(async move |event: Value, _: Invocation| {
            let request = http_entry::request(event)?;
            Ok::<_, HandlerError>(http_entry::answer(respond.handle(&request).await))
        })
    })
}
