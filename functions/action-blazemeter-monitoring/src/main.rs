//! Starts the function.

use std::process::ExitCode;

use action_blazemeter_monitoring::BlazeMeterMonitoring;
use shared_aws::hosting::run_connector;

fn main() -> ExitCode {
    run_connector(BlazeMeterMonitoring::new)
}
