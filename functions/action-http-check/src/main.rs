//! Starts the function.

use std::{convert::Infallible, process::ExitCode};

use action_http_check::HttpCheck;
use shared_aws::{artifacts::S3Artifacts, bootstrap::run_action, page::Web};

fn main() -> ExitCode {
    run_action(|aws| Ok::<_, Infallible>(HttpCheck::new(Web::new(aws), S3Artifacts::new(aws))))
}
