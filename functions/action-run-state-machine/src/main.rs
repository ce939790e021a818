//! Starts the function.

use std::process::ExitCode;

use action_run_state_machine::RunStateMachine;
use shared::{
    approval::settings::TABLE,
    config::{ConfigError, required},
};
use shared_aws::{
    artifacts::S3Artifacts,
    hosting::{Hosted, run_action},
    ledger::DynamoLedger,
    step_functions::StepFunctions,
};

fn main() -> ExitCode {
    run_action(|aws| {
        let table = required(aws.environment(), &TABLE)?;
        let action = RunStateMachine::new(
            StepFunctions::new(aws),
            DynamoLedger::new(aws, table),
            S3Artifacts::new(aws),
            S3Artifacts::new(aws),
        );
        Ok::<_, ConfigError>(Hosted::new(action).reading(S3Artifacts::new(aws)))
    })
}
