//! Starts the function.

use std::process::ExitCode;

use action_commit_status::{CommitStatus, settings::settings};
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
    rpc::JsonServices,
    rs256::rs256,
    secrets::Secrets,
};

fn main() -> ExitCode {
    run_action(|aws| {
        let action = CommitStatus::new(
            ProviderHttp::new(aws),
            TokioTimer,
            Remembered::new(Secrets::new(aws)),
            DynamoLedger::new(aws, required(aws.environment(), &TABLE)?),
            JsonServices::new(aws),
            settings(aws.environment())?,
            rs256,
        );
        let hosted = Hosted::new(action).reading(S3Artifacts::new(aws));
        Ok::<_, ConfigError>(hosted)
    })
}
