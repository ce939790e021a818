//! Starts the function.

use std::process::ExitCode;

use action_ghost_inspector::GhostInspector;
use shared_aws::hosting::run_connector;

fn main() -> ExitCode {
    run_connector(GhostInspector::new)
}
