//! Starts the function.

use std::process::ExitCode;

use action_loadrunner_cloud::LoadRunnerCloud;
use shared_aws::hosting::run_connector;

fn main() -> ExitCode {
    run_connector(LoadRunnerCloud::new)
}
