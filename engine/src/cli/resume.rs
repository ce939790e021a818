//! `stagewright run --resume`: opens what was cut off.

use std::path::Path;

use anyhow::anyhow;
use engine_plan::state::{ExecutionStatus, State};

use super::{
    Stop,
    args::RunArguments,
    failed,
    found::Surroundings,
    load::Choice,
    memory::Memory,
    run::{Begun, apply, refused, start, status_of},
    wrong,
};
use crate::{assemble::StartError, config::Config};

/// Opens the run that was cut off; nothing when it was cut off before its execution had started.
pub(super) async fn resume(
    arguments: &RunArguments,
    state_dir: &Path,
    mut memory: Memory,
) -> Result<Option<Begun>, Stop> {
    if memory.execution.is_empty() && memory.token.is_empty() {
        return Ok(None);
    }
    let mut config = Config::load(memory.config.as_deref(), &memory.folder).map_err(wrong)?;
    apply(
        &mut config,
        &memory.functions,
        &memory.sources,
        &memory.endpoints,
    );
    if let Some(file) = &memory.file {
        let choice = Choice {
            logical_id: None,
            parameters: memory.parameters.clone(),
            region: config.engine.region.clone(),
            account: config.engine.account.clone(),
        };
        Surroundings::of(file, &choice, state_dir)?.merge(&mut config)?;
    }
    let listen = arguments.listen.or(memory.address);
    let (engine, mut notes) = start(arguments, listen, state_dir, config, None)
        .await
        .map_err(|error| match error {
            StartError::Listen { .. } if arguments.listen.is_none() => failed(
                anyhow::Error::new(error).context("the links of this run lead to an address that is taken: end what listens there, or pass --listen 127.0.0.1:0 (links sent before then lead nowhere)"),
            ),
            error => refused(error),
        })?;
    if memory.execution.is_empty() {
        let Some(started) = engine.app.desk.read(|s| started_with(s, &memory)) else {
            engine.shut_down().await;
            return Ok(None);
        };
        memory.execution = started;
    }
    memory.address = Some(engine.address);
    memory.write(state_dir).map_err(failed)?;
    let known = engine
        .app
        .desk
        .read(|s| status_of(s, &memory.pipeline, &memory.execution));
    match known {
        None => {
            return Err(wrong(anyhow!(
                "execution {} is not in the journal",
                memory.execution
            )));
        }
        Some(ExecutionStatus::InProgress | ExecutionStatus::Stopping) => {
            notes.push("continues the execution that was cut off".to_owned());
        }
        Some(_) => notes.push("the execution had already ended".to_owned()),
    }
    engine.perform();
    Ok(Some(Begun {
        engine,
        pipeline: memory.pipeline,
        execution: memory.execution,
        notes,
    }))
}

/// The execution that a run started and had no time to write down.
fn started_with(state: &State, memory: &Memory) -> Option<String> {
    let pipeline = state.pipelines.get(&memory.pipeline)?;
    pipeline.client_tokens.get(&memory.token).cloned()
}
