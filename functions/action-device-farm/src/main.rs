//! Starts the function.

use std::process::ExitCode;

use action_device_farm::DeviceFarm;
use shared::{
    approval::settings::TABLE,
    config::{ConfigError, required},
    provider::Provider,
};
use shared_aws::{
    artifacts::S3Artifacts,
    clock::TokioTimer,
    hosting::{Hosted, run_action},
    ledger::DynamoLedger,
    provider::ProviderHttp,
    rpc::JsonServices,
};

fn main() -> ExitCode {
    run_action(|aws| {
        let table = required(aws.environment(), &TABLE)?;
        let storage = Provider::new(ProviderHttp::new(aws), TokioTimer, "Device Farm's storage");
        let action = DeviceFarm::new(
            JsonServices::new(aws),
            storage,
            DynamoLedger::new(aws, table),
            S3Artifacts::new(aws),
        );
        Ok::<_, ConfigError>(Hosted::new(action).reading(S3Artifacts::new(aws)))
    })
}
