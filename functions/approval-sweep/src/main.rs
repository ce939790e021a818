//! The function's process: settings, ports, run.

use std::process::ExitCode;

use approval_sweep::Sweep;
use serde_json::Value;
use shared::{approval::settings::SweepSettings, config::ConfigError};
use shared_aws::{
    approval_store::DynamoApprovals,
    bootstrap::{HandlerError, Invocation, run_events},
    clock::SystemClock,
    conditions::AwsConditions,
    entropy::SystemEntropy,
    invoke::Notifier,
    pipelines::Pipelines,
    topic::Sns,
    witness::LockedBucket,
};

fn main() -> ExitCode {
    run_events("approval-sweep", |aws| {
        let settings = SweepSettings::read(aws.environment())?;
        let sweep = Sweep {
            store: DynamoApprovals::new(aws, &settings.table)
                .keeping_audit_for(settings.audit_days),
            pipelines: Pipelines::new(aws).answering_as(settings.approver_role.as_deref()),
            conditions: AwsConditions::new(aws),
            postman: Notifier::new(aws, &settings.notify),
            alerts: Sns::new(aws),
            witness: LockedBucket::of(aws, settings.bucket.as_deref()),
            clock: SystemClock,
            entropy: SystemEntropy,
            settings,
        };
        Ok::<_, ConfigError>(async move |event: Value, now: Invocation| {
            sweep.take(event, now.deadline).await?;
            Ok::<_, HandlerError>(Value::Null)
        })
    })
}
