//! An action with what its hosts need: CodePipeline, the ledger's table, and what the function asked for beyond that.

use std::{error::Error, fmt, io::Write as _, process::ExitCode};

use serde_json::{Map, Value, json};
use shared::{
    action::Action,
    approval::{port::Entropy, settings::TABLE},
    config::{self, ConfigError, worker::WorkerSettings},
    describe::{Described, Form},
    drive::{
        Delivery, Ended, Outcome, Outside, drive,
        stop::{EndedRun, RunEnd},
        task::{Answer, Tasked},
        wait::Woken,
        worker::Worked,
    },
    fault::Fault,
    host,
    job::{ArtifactCredentials, ArtifactRef, Report},
    port::{ArtifactFiles, PortError},
    remembered::Remembered,
};

use crate::{
    artifacts::S3Artifacts,
    bootstrap::{HandlerError, Invocation, run_events},
    clock::{SystemClock, TokioTimer},
    codepipeline::CodePipeline,
    entropy::SystemEntropy,
    error::chain,
    ledger::DynamoLedger,
    provider::ProviderHttp,
    sdk::Aws,
    secrets::Secrets,
    task_tokens::TaskTokens,
};

/// An action and what it takes from its hosts.
#[derive(Debug)]
pub struct Hosted<A, F = NoFiles> {
    action: A,
    files: Option<F>,
}

impl<A: Action> Hosted<A> {
    /// An action whose parameters are given in place.
    pub fn new(action: A) -> Self {
        Self {
            action,
            files: None,
        }
    }
}

impl<A, F> Hosted<A, F> {
    /// Parameters may also be a file of an input artifact.
    pub fn reading<G: ArtifactFiles>(self, files: G) -> Hosted<A, G> {
        Hosted {
            action: self.action,
            files: Some(files),
        }
    }
}

/// Runs an action on every host: as a pipeline's invoke action, as a job worker where `STAGEWRIGHT_ACTION_TYPE` is set,
/// as a state machine's task. The host is told by each event's shape; see [`shared::host::Kind`].
///
/// `STAGEWRIGHT_TABLE` names the table of the ledger; an action that starts nothing outside does without one as long as
/// it is no worker. `build` is as in [`run_events`].
///
/// Started by hand as `PROGRAM --describe FORM` it says what the action is; `stagewright describe` does so.
pub fn run_action<A, F, B, X>(build: B) -> ExitCode
where
    A: Described,
    F: ArtifactFiles,
    B: FnOnce(&Aws) -> Result<Hosted<A, F>, X>,
    X: fmt::Display,
{
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("--describe") {
        return describe::<A>(&arguments.next().unwrap_or_default());
    }
    run_events(A::NAME, |aws| {
        let hosted = build(aws).map_err(|error| error.to_string())?;
        let settings = |error: ConfigError| error.to_string();
        let table = config::optional(aws.environment(), &TABLE);
        let function = Function {
            worker: config::worker::settings(aws.environment()).map_err(settings)?,
            defaults: config::worker::parameters(aws.environment()).map_err(settings)?,
            pipeline: CodePipeline::new(aws),
            table: table.map(|name| DynamoLedger::new(aws, name)),
            files: hosted.files,
            tokens: TaskTokens::new(aws),
        };
        let action = hosted.action;
        Ok::<_, String>(async move |event: Value, invocation: Invocation| {
            let callback = host::is_callback(&event);
            match drive(&action, &function, event, invocation.deadline).await? {
                Outcome::Job(ended) => Ok(told(&ended)),
                // Whoever called learns nothing.
                Outcome::Worker(worked) if callback => {
                    worker_told(worked).map(|_| json!({ "statusCode": 204 }))
                }
                Outcome::Worker(worked) => worker_told(worked),
                Outcome::Task(tasked) => task_told(&tasked),
                Outcome::Heard(told) => {
                    tracing::info!(told, "a pipeline's event was heard");
                    Ok(json!({ "heard": told }))
                }
                Outcome::Stopped(stopped) => {
                    warn("", &stopped.warnings);
                    Ok(json!({ "stopped": ends(&stopped.runs) }))
                }
            }
        })
    })
}

/// Runs an action that drives a vendor over HTTP with secrets, the ledger and artifacts. Its table is required.
pub fn run_connector<A: Described>(
    make: impl FnOnce(ProviderHttp, TokioTimer, Remembered<Secrets>, DynamoLedger, S3Artifacts) -> A,
) -> ExitCode {
    run_action(|aws| {
        let action = make(
            ProviderHttp::new(aws),
            TokioTimer,
            Remembered::new(Secrets::new(aws)),
            DynamoLedger::new(aws, config::required(aws.environment(), &TABLE)?),
            S3Artifacts::new(aws),
        );
        Ok::<_, ConfigError>(Hosted::new(action).reading(S3Artifacts::new(aws)))
    })
}

/// Prints the action's description.
fn describe<A: Described>(form: &str) -> ExitCode {
    let shown = form
        .parse()
        .map(|form: Form| A::DESCRIPTION.show(A::NAME, form));
    match shown {
        Ok(text) => {
            // Who does not read it any more has seen enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{}: --describe: {problem}", A::NAME);
            ExitCode::FAILURE
        }
    }
}

/// Everything outside an action's function.
struct Function<F> {
    pipeline: CodePipeline,
    table: Option<DynamoLedger>,
    files: Option<F>,
    tokens: TaskTokens,
    worker: Option<WorkerSettings>,
    defaults: Map<String, Value>,
}

impl<F: ArtifactFiles> Outside for Function<F> {
    type Reporter = CodePipeline;
    type Jobs = CodePipeline;
    type Table = DynamoLedger;
    type Files = F;
    type Tokens = TaskTokens;
    type Clock = SystemClock;
    type Timer = TokioTimer;

    fn reporter(&self) -> &CodePipeline {
        &self.pipeline
    }
    fn jobs(&self) -> &CodePipeline {
        &self.pipeline
    }
    fn table(&self) -> Option<&DynamoLedger> {
        self.table.as_ref()
    }
    fn files(&self) -> Option<&F> {
        self.files.as_ref()
    }
    fn tokens(&self) -> &TaskTokens {
        &self.tokens
    }
    fn clock(&self) -> &SystemClock {
        &SystemClock
    }
    fn timer(&self) -> &TokioTimer {
        &TokioTimer
    }
    fn worker(&self) -> Option<&WorkerSettings> {
        self.worker.as_ref()
    }
    fn defaults(&self) -> Option<&Map<String, Value>> {
        Some(&self.defaults).filter(|defaults| !defaults.is_empty())
    }
    fn new_id(&self) -> String {
        let bytes: [u8; 16] = SystemEntropy.bytes();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Writes what happened into the log, and gives Lambda a short answer; CodePipeline reads only the report.
fn told(ended: &Ended) -> Value {
    let job = &ended.job;
    warn(job.as_str(), &ended.warnings);
    fail(job.as_str(), ended.fault.as_ref());
    let (outcome, summary) = match &ended.report {
        None => ("already finished", None),
        Some(Report::Success { details, .. }) => ("success", details.summary.as_deref()),
        Some(Report::Continue { details, .. }) => ("continue", details.summary.as_deref()),
        Some(Report::Failure { message, .. }) => ("failure", Some(message.as_str())),
    };
    let already = matches!(ended.delivery, Delivery::AlreadyThere);
    tracing::info!(job = %job, run = ended.run_key, outcome, already, summary, "the job is reported");
    ends(&ended.stopped);
    json!({ "job": job.as_str(), "outcome": outcome })
}

/// Logs how runs that were given up were found, and answers it.
fn ends(runs: &[EndedRun]) -> Vec<Value> {
    let told = runs.iter().map(|ended| {
        let key = ended.run_key.as_str();
        match &ended.end {
            RunEnd::Stopped { run } => {
                tracing::info!(key, run, "the action was given up: its run is stopped");
                json!({ "run": run, "found": "running" })
            }
            RunEnd::NotFound { look_at } => {
                tracing::error!(
                    key,
                    look_at,
                    "the action was given up while its run was started, and whether there is one cannot be found out: look there"
                );
                json!({ "found": "unknown" })
            }
            RunEnd::NeverStarted => json!({ "found": "not started" }),
            RunEnd::AlreadyOver => json!({ "found": "over" }),
            RunEnd::GoesOn => json!({ "found": "going on" }),
        }
    });
    told.collect()
}

fn worker_told(worked: Worked) -> Result<Value, HandlerError> {
    warn("", &worked.warnings);
    if let Some(why) = worked.ignored {
        tracing::info!(why, "the event is no reason to look for jobs");
        return Ok(json!({ "ignored": why }));
    }
    let jobs: Vec<Value> = worked.ended.iter().map(told).collect();
    for woken in &worked.woken {
        match woken {
            Woken::Looked(tasked) => drop(answered(tasked)),
            Woken::GivenUp(run) => drop(ends(std::slice::from_ref(run))),
        }
    }
    let (count, lost, tasks) = (jobs.len(), worked.lost, worked.woken.len());
    tracing::info!(count, lost, tasks, "the round is over");
    match worked.undelivered {
        Some(error) => Err(error.into()),
        None => Ok(json!({ "jobs": jobs, "tasks": tasks })),
    }
}

fn task_told(tasked: &Tasked) -> Result<Value, HandlerError> {
    let told = answered(tasked);
    match &tasked.answer {
        _ if tasked.delivery.is_some() => Ok(told),
        Answer::Kept => Ok(told),
        Answer::Output(value) => Ok(value.clone()),
        Answer::Failed { kind, message, .. } => Err(HandlerError::named(kind.name(), message)),
    }
}

/// Logs what a machine was told; what is answered beside its token.
fn answered(tasked: &Tasked) -> Value {
    let run = tasked.run_key.as_str();
    warn(run, &tasked.warnings);
    fail(run, tasked.fault.as_ref());
    let outcome = match &tasked.answer {
        Answer::Output(value) => value.get("status").and_then(Value::as_str),
        Answer::Kept => Some("WAITING"),
        Answer::Failed { kind, .. } => Some(kind.name()),
    };
    let by_token = tasked.delivery.is_some();
    tracing::info!(run, outcome, by_token, "the task is answered");
    json!({ "run": run, "outcome": outcome })
}

fn warn(of: &str, warnings: &[PortError]) {
    for warning in warnings {
        tracing::warn!(of, error = warning as &dyn Error, "the outcome stands, but");
    }
}

fn fail(of: &str, fault: Option<&Fault>) {
    if let Some(fault) = fault {
        let kind = fault.kind.name();
        tracing::error!(of, kind, error = chain(fault), "the action failed");
    }
}

/// Of functions that read no artifacts.
#[derive(Debug)]
pub enum NoFiles {}

impl ArtifactFiles for NoFiles {
    async fn read(
        &self,
        _: Option<&ArtifactCredentials>,
        _: &ArtifactRef,
        _: &str,
        _: u64,
    ) -> Result<Vec<u8>, PortError> {
        match *self {}
    }
}
