//! Starts the function.

use std::process::ExitCode;

use action_jenkins::Jenkins;
use shared_aws::hosting::run_connector;

fn main() -> ExitCode {
    run_connector(Jenkins::new)
}
