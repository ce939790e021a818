//! Starts the function.

use std::process::ExitCode;

use action_jenkins::Jenkins;
use shared::{
    approval::settings::TABLE,
    config::{self, ConfigError},
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
        let table = config::required(aws.environment(), &TABLE)?;
        let action = Jenkins::new(
            ProviderHttp::new(aws),
            TokioTimer,
            Remembered::new(Secrets::new(aws)),
            DynamoLedger::new(aws, table),
            S3Artifacts::new(aws),
        );
        let hosted = Hosted::new(action).reading(S3Artifacts::new(aws));
        Ok::<_, ConfigError>(hosted.answering(StepFunctions::new(aws)))
    })
}
