//! `stagewright run`: one execution in the foreground.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, anyhow};
use engine_plan::{
    definition::PipelineDeclaration,
    event::{Event, Trigger},
    gate::GateKind,
    state::{ExecutionStatus, State},
    step::Answer,
};

use super::{
    Stop,
    args::{DefinitionArguments, RunArguments},
    check::choice,
    failed, follow,
    found::Surroundings,
    memory::Memory,
    put::{configured, definition, put, rejected},
    report::{self, Opening},
    resume::resume,
    signals::Signals,
    wrong,
};
use crate::{
    assemble::{self, Engine, Options, StartError},
    config::Config,
};

/// `{base-url}` in a variable's value stands for the engine's address, which is chosen when it starts.
const BASE_URL: &str = "{base-url}";
/// Where `run` listens unless it is told: only for this machine.
const ANY_PORT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// Runs or resumes one execution and answers its status as exit status.
pub async fn run(mut arguments: RunArguments) -> Result<ExitCode, Stop> {
    let state_dir = assemble::state_dir(&arguments.engine.state).map_err(wrong)?;
    let remembered = Memory::read(&state_dir)
        .context("run.json cannot be read")
        .map_err(failed)?;
    let signals = Signals::listen()?;
    if let Some(memory) = remembered.filter(|_| arguments.resume) {
        let upstream = arguments.engine.upstream.take();
        arguments.engine.upstream = upstream.or_else(|| memory.upstream.clone());
        if let Some(resumed) = resume(&arguments, &state_dir, memory).await? {
            return watch(&arguments, signals, resumed).await;
        }
    }
    if arguments.file.is_none() {
        return Err(wrong(anyhow!(
            "there is nothing to resume in {}",
            state_dir.display()
        )));
    }
    let begun = fresh(&arguments, &state_dir).await?;
    watch(&arguments, signals, begun).await
}

/// One execution and the engine that performs it.
pub(super) struct Begun {
    pub(super) engine: Engine,
    pub(super) pipeline: String,
    pub(super) execution: String,
    pub(super) notes: Vec<String>,
}

async fn fresh(arguments: &RunArguments, state_dir: &Path) -> Result<Begun, Stop> {
    let file = arguments
        .file
        .as_deref()
        .ok_or_else(|| wrong(anyhow!("no definition was named")))?;
    let folder = file.parent().map(Path::to_owned).unwrap_or_default();
    let mut config = configure(arguments, &folder)?;
    let wanted = DefinitionArguments {
        file: file.to_owned(),
        logical_id: arguments.logical_id.clone(),
        parameters: arguments.parameters.clone(),
    };
    let definition = definition(&wanted, &config)?;
    let mut around = Surroundings::of(file, &choice(&wanted, &config.engine), state_dir)?;
    around.merge(&mut config)?;
    let others = configured(&config)?;
    let mut memory = Memory::of(arguments, &folder, &definition.name).map_err(failed)?;

    let (engine, notes) = start(
        arguments,
        arguments.listen,
        state_dir,
        config,
        Some(definition.clone()),
    )
    .await
    .map_err(refused)?;
    memory.address = Some(engine.address);
    memory.write(state_dir).map_err(failed)?;

    around.machines(&engine.app)?;
    let mut notes = notes;
    notes.append(&mut around.notes);
    notes.extend(abandon_leftovers(&engine).await?);
    for definition in others.iter().chain([&definition]) {
        let made = assemble::artifact_buckets(&engine.app, definition).await;
        notes.extend(made.map_err(failed)?);
        put(&engine, definition).await?;
    }
    engine.perform();
    let execution = begin(&engine, &memory, &arguments.variables).await?;
    memory.execution.clone_from(&execution);
    memory.write(state_dir).map_err(failed)?;
    Ok(Begun {
        engine,
        pipeline: definition.name,
        execution,
        notes,
    })
}

pub(super) async fn start(
    arguments: &RunArguments,
    listen: Option<SocketAddr>,
    state_dir: &Path,
    config: Config,
    definition: Option<PipelineDeclaration>,
) -> Result<(Engine, Vec<String>), StartError> {
    assemble::start(Options {
        config,
        state_dir: state_dir.to_owned(),
        listen: listen.unwrap_or(ANY_PORT),
        fast_clock: arguments.engine.fast_clock,
        upstream: arguments.engine.upstream.clone(),
        definition,
        binaries: None,
    })
    .await
}

async fn watch(arguments: &RunArguments, signals: Signals, begun: Begun) -> Result<ExitCode, Stop> {
    let Begun {
        mut engine,
        pipeline,
        execution,
        notes,
    } = begun;
    let (pipeline, execution) = (pipeline.as_str(), execution.as_str());
    let mut report = report::choose(arguments.output);
    let opening = engine
        .app
        .desk
        .read(|state| opening(state, pipeline, execution, &engine.app.base_url, notes))
        .ok_or_else(|| failed(anyhow!("execution {execution} is not known to the planner")))?;
    report.open(&opening);
    let status = follow::follow(
        &mut engine,
        signals,
        pipeline,
        execution,
        arguments.approve,
        report.as_mut(),
    )
    .await;
    engine.shut_down().await;
    Ok(match status? {
        ExecutionStatus::Succeeded => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    })
}

fn opening(
    state: &State,
    pipeline: &str,
    execution: &str,
    base_url: &str,
    notes: Vec<String>,
) -> Option<Opening> {
    let entry = state.pipelines.get(pipeline)?;
    let run = state.pipelines.get(pipeline)?.execution(execution)?;
    let definition = entry
        .versions
        .get(&run.pipeline_version)
        .unwrap_or(&entry.definition);
    let width =
        |names: &mut dyn Iterator<Item = &str>| names.map(|n| n.chars().count()).max().unwrap_or(0);
    let gates = definition.stages.iter().flat_map(|stage| {
        let conditions = GateKind::ALL.map(|gate| stage.condition(gate));
        conditions.into_iter().flatten().flat_map(|it| &it.rules)
    });
    // a sign and a space stand before a rule's name
    let rules = width(&mut gates.map(|rule| rule.name.as_str()));
    let rules = if rules > 0 { rules + 2 } else { 0 };
    let actions = || definition.stages.iter().flat_map(|s| &s.actions);
    Some(Opening {
        pipeline: pipeline.to_owned(),
        execution: execution.to_owned(),
        base_url: base_url.to_owned(),
        actions: actions().count(),
        widths: (
            width(&mut definition.stages.iter().map(|s| s.name.as_str())),
            width(&mut actions().map(|a| a.name.as_str())).max(rules),
        ),
        started: run.started,
        notes,
    })
}

/// Status of an execution, if it is known.
pub fn status_of(state: &State, pipeline: &str, execution: &str) -> Option<ExecutionStatus> {
    state
        .pipelines
        .get(pipeline)?
        .execution(execution)
        .map(|e| e.status)
}

fn configure(arguments: &RunArguments, folder: &Path) -> Result<Config, Stop> {
    let mut config = Config::load(arguments.engine.config.as_deref(), folder).map_err(wrong)?;
    let map = |pairs: &[(String, String)]| pairs.iter().cloned().collect::<BTreeMap<_, _>>();
    apply(
        &mut config,
        &map(&arguments.engine.functions),
        &map(&arguments.sources),
        &map(&arguments.engine.endpoints),
    );
    Ok(config)
}

/// Puts the options over what the file says.
pub fn apply(
    config: &mut Config,
    functions: &BTreeMap<String, String>,
    sources: &BTreeMap<String, String>,
    endpoints: &BTreeMap<String, String>,
) {
    for (name, command) in functions {
        config.function.entry(name.clone()).or_default().command =
            Some(command.split_whitespace().map(str::to_owned).collect());
    }
    config.sources.extend(
        sources
            .iter()
            .map(|(action, path)| (action.clone(), PathBuf::from(path))),
    );
    config.endpoint.extend(endpoints.clone());
}

/// Executions that an earlier run left open are abandoned: whoever wants them back asks with --resume.
async fn abandon_leftovers(engine: &Engine) -> Result<Vec<String>, Stop> {
    let open: Vec<(String, String)> = engine.app.desk.read(|state| {
        state
            .pipelines
            .iter()
            .flat_map(|(name, pipeline)| pipeline.executions.iter().map(move |e| (name, e)))
            .filter(|(_, e)| {
                matches!(
                    e.status,
                    ExecutionStatus::InProgress | ExecutionStatus::Stopping
                )
            })
            .map(|(name, e)| (name.clone(), e.id.clone()))
            .collect()
    });
    let mut notes = Vec::new();
    for (pipeline, execution) in open {
        let event = Event::Stop {
            pipeline,
            execution: execution.clone(),
            abandon: true,
            reason: Some("a new run was started".to_owned()),
        };
        engine.app.desk.submit(event).await.map_err(failed)?;
        notes.push(format!(
            "abandoned execution {execution} of an earlier run (--resume would have continued it)"
        ));
    }
    Ok(notes)
}

async fn begin(
    engine: &Engine,
    memory: &Memory,
    variables: &[(String, String)],
) -> Result<String, Stop> {
    let variables = variables
        .iter()
        .map(|(name, value)| (name.clone(), value.replace(BASE_URL, &engine.app.base_url)))
        .collect();
    let account = &engine.app.config.engine.account;
    let event = Event::Start {
        pipeline: memory.pipeline.clone(),
        trigger: Trigger {
            trigger_type: "StartPipelineExecution".to_owned(),
            trigger_detail: format!("arn:aws:iam::{account}:user/stagewright-run"),
            reference: None,
        },
        variables,
        source_revisions: Vec::new(),
        client_token: Some(memory.token.clone()),
    };
    match engine.app.desk.submit(event).await.map_err(rejected)? {
        Answer::Execution(id) => Ok(id),
        other => Err(failed(anyhow!("the planner answered {other:?} to a start"))),
    }
}

/// Whose fault it is that the desk did not take an event.
/// Whose fault it is that the engine did not start.
pub fn refused(error: StartError) -> Stop {
    if error.is_request() {
        wrong(error)
    } else {
        failed(error)
    }
}
