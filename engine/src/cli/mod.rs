//! The command line: reads the arguments, runs the verb, turns its end into an exit status.

mod approver;
mod args;
mod audit;
pub(crate) mod browser;
mod check;
mod check_rules;
mod describe;
mod follow;
mod found;
pub mod load;
mod memory;
mod output;
mod put;
mod remote;
mod report;
mod resume;
mod run;
mod say;
mod serve;
mod signals;
pub(crate) mod view;

pub use view::elapsed;

use std::process::ExitCode;

use clap::{Parser, error::ErrorKind};

use args::{Arguments, Command};
use say::complain;

/// Why a verb ended without a pipeline's own result.
#[derive(Debug)]
pub enum Stop {
    /// The request or the definition is wrong: status 2.
    Wrong(anyhow::Error),
    /// The engine itself failed: status 3.
    Engine(anyhow::Error),
    /// The person pressed Ctrl-C or the system asked to end: status 130.
    Interrupted,
}

/// The request is wrong.
pub fn wrong(error: impl Into<anyhow::Error>) -> Stop {
    Stop::Wrong(error.into())
}

/// The engine failed.
pub fn failed(error: impl Into<anyhow::Error>) -> Stop {
    Stop::Engine(error.into())
}

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Who does not read it any more has seen enough.
            let _ = error.print();
            let asked = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            return if asked {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(2)
            };
        }
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        // It would print, and so panic, when nobody reads the log any more.
        .log_internal_errors(false)
        .with_max_level(level())
        .with_target(false)
        .without_time()
        .init();
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a TLS provider was already there");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return told(&failed(error)),
    };
    let ended = runtime.block_on(async {
        match arguments.command {
            Command::Run(arguments) => run::run(arguments).await,
            Command::Serve(arguments) => serve::serve(arguments).await,
            Command::Check(arguments) => check::check(&arguments),
            Command::Describe(arguments) => describe::describe(&arguments).await,
            Command::Status(arguments) => remote::status(arguments).await,
            Command::Logs(arguments) => remote::logs(arguments).await,
            Command::Approve(arguments) => remote::approve(arguments).await,
            Command::Retry(arguments) => remote::retry(arguments).await,
            Command::Stop(arguments) => remote::stop(arguments).await,
            Command::Rollback(arguments) => remote::rollback(arguments).await,
            Command::Audit(command) => audit::audit(command).await,
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match ended {
        Ok(code) => code,
        Err(stop) => told(&stop),
    }
}

fn level() -> tracing::Level {
    std::env::var("STAGEWRIGHT_LOG")
        .ok()
        .and_then(|l| l.parse().ok())
        .unwrap_or(tracing::Level::WARN)
}

fn told(stop: &Stop) -> ExitCode {
    let (error, code) = match stop {
        Stop::Wrong(error) => (error, 2),
        Stop::Engine(error) => (error, 3),
        Stop::Interrupted => return ExitCode::from(130),
    };
    complain(&format!("error: {error}"));
    for cause in error.chain().skip(1) {
        complain(&format!("  because: {cause}"));
    }
    ExitCode::from(code)
}
