//! Starts the function.

use std::{convert::Infallible, process::ExitCode};

use action_http_check::HttpCheck;
use shared_aws::{
    artifacts::S3Artifacts,
    hosting::{Hosted, run_action},
    page::Web,
};

fn main() -> ExitCode {
    run_action(|aws| {
        let action = HttpCheck::new(Web::new(aws), S3Artifacts::new(aws));
        Ok::<_, Infallible>(Hosted::new(action).reading(S3Artifacts::new(aws)))
    })
}
