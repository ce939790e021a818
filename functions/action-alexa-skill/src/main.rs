//! Starts the function.

use std::process::ExitCode;

use action_alexa_skill::AlexaSkill;
use shared_aws::hosting::run_connector;

fn main() -> ExitCode {
    run_connector(AlexaSkill::new)
}
