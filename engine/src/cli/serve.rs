//! `stagewright serve`: the AWS faces, the console and the mail sink on one port.

use std::{path::Path, process::ExitCode};

use super::{
    Stop,
    args::ServeArguments,
    failed,
    put::{configured, put},
    run::{apply, refused},
    say::say,
    signals::Signals,
    wrong,
};
use crate::{
    assemble::{self, Options},
    config::Config,
    poll,
};

/// Serves until SIGTERM or Ctrl-C.
pub async fn serve(arguments: ServeArguments) -> Result<ExitCode, Stop> {
    // Before it says that it listens: who reads that may end it at once.
    let signals = Signals::listen()?;
    let state_dir = assemble::state_dir(&arguments.engine.state).map_err(wrong)?;
    let mut config =
        Config::load(arguments.engine.config.as_deref(), Path::new(".")).map_err(wrong)?;
    apply(
        &mut config,
        &arguments.engine.functions.iter().cloned().collect(),
        &Default::default(),
        &arguments.engine.endpoints.iter().cloned().collect(),
    );
    let pipelines = configured(&config)?;
    let (engine, mut notes) = assemble::start(Options {
        config,
        state_dir,
        listen: arguments.listen,
        fast_clock: arguments.engine.fast_clock,
        upstream: arguments.engine.upstream,
        definition: None,
        binaries: None,
    })
    .await
    .map_err(refused)?;
    for definition in &pipelines {
        let made = assemble::artifact_buckets(&engine.app, definition).await;
        notes.extend(made.map_err(failed)?);
        put(&engine, definition).await?;
    }
    engine.perform();
    poll::start(&engine.app);
    let url = &engine.app.base_url;
    say(&format!(
        "listening on {url}\nconsole  {url}/_stagewright/\n"
    ));
    for note in notes {
        say(&format!("{note}\n"));
    }
    let stopped = signals.until_stopped(engine.app.desk.clone()).await;
    engine.shut_down().await;
    stopped.map(|()| ExitCode::SUCCESS)
}
