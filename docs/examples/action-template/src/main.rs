//! Starts the function.

use std::{convert::Infallible, process::ExitCode};

use action_template::Template;
use shared_aws::{
    hosting::{Hosted, run_action},
    page::Web,
};

fn main() -> ExitCode {
    run_action(|aws| Ok::<_, Infallible>(Hosted::new(Template(Web::new(aws)))))
}
