//! Starts the function.

use std::process::ExitCode;

use action_blazemeter_monitoring::BlazeMeterMonitoring;
use shared::{
    approval::settings::TABLE,
    config::{ConfigError, required},
    remembered::Remembered,
};
use shared_aws::{
    artifacts::S3Artifacts,
    clock::TokioTimer,
    hosting::{Hosted, run_action},
    ledger::DynamoLedger,
    provider::ProviderHttp,
    secrets::Secrets,
    step_functions::StepFunctions,
};

fn main() -> ExitCode {
    run_action(|aws| {
        let action = BlazeMeterMonitoring::new(
            ProviderHttp::new(aws),
            TokioTimer,
            Remembered::new(Secrets::new(aws)),
            DynamoLedger::new(aws, required(aws.environment(), &TABLE)?),
            S3Artifacts::new(aws),
        );
        let hosted = Hosted::new(action).reading(S3Artifacts::new(aws));
        Ok::<_, ConfigError>(hosted.answering(StepFunctions::new(aws)))
    })
}
