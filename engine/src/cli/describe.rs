//! `stagewright describe`: an action function says what it is. Its program beside this one is asked.

use std::{path::Path, process::ExitCode};

use anyhow::anyhow;
use clap::ValueEnum;

use super::{Stop, args::DescribeArguments, failed, say::say, wrong};

/// Asks the function's program; status 2 when there is none, or when it is no action.
pub async fn describe(arguments: &DescribeArguments) -> Result<ExitCode, Stop> {
    let name = &arguments.action;
    let own = std::env::current_exe().map_err(failed)?;
    let folder = own.parent().unwrap_or(Path::new("."));
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let program = folder.join(name);
    if !plain || !name.starts_with("action-") || !program.is_file() {
        return Err(wrong(anyhow!(
            "there is no action {name:?} beside {}: build the functions, and name one as action-http-check",
            own.display()
        )));
    }
    let form = arguments.format.to_possible_value();
    let form = form.as_ref().map_or("text", |value| value.get_name());
    let output = tokio::process::Command::new(&program)
        .args(["--describe", form])
        .env_clear()
        .kill_on_drop(true)
        .output()
        .await
        .map_err(failed)?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(wrong(anyhow!("{name} does not describe itself: {why}")));
    }
    say(&String::from_utf8_lossy(&output.stdout));
    Ok(ExitCode::SUCCESS)
}
