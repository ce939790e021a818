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
        worker::Worked,
    },
    fault::Fault,
    host,
    job::{ArtifactCredentials, ArtifactRef, Report},
    port::{ArtifactFiles, PortError, TaskCallback, TaskOutcome},
    secret::Secret,
};

use crate::{
    bootstrap::{HandlerError, Invocation, run_events},
    clock::{SystemClock, TokioTimer},
    codepipeline::CodePipeline,
    entropy::SystemEntropy,
    error::chain,
    ledger::DynamoLedger,
    sdk::Aws,
};

/// An action and what it takes from its hosts.
#[derive(Debug)]
pub struct Hosted<A, F = NoFiles, K = NoTokens> {
    action: A,
    files: Option<F>,
    tokens: Option<K>,
}

impl<A: Action> Hosted<A> {
    /// An action whose parameters are given in place, and whose tasks are polled.
    pub fn new(action: A) -> Self {
        Self {
            action,
            files: None,
            tokens: None,
        }
    }
}

impl<A, F, K> Hosted<A, F, K> {
    /// Parameters may also be a file of an input artifact.
    pub fn reading<G: ArtifactFiles>(self, files: G) -> Hosted<A, G, K> {
        Hosted {
            action: self.action,
            files: Some(files),
            tokens: self.tokens,
        }
    }

    /// State machines may also wait for a token.
    pub fn answering<L: TaskCallback>(self, tokens: L) -> Hosted<A, F, L> {
        Hosted {
            action: self.action,
            files: self.files,
            tokens: Some(tokens),
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
pub fn run_action<A, F, K, B, X>(build: B) -> ExitCode
where
    A: Described,
    F: ArtifactFiles,
    K: TaskCallback,
    B: FnOnce(&Aws) -> Result<Hosted<A, F, K>, X>,
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
            tokens: hosted.tokens,
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
struct Function<F, K> {
    pipeline: CodePipeline,
    table: Option<DynamoLedger>,
    files: Option<F>,
    tokens: Option<K>,
    worker: Option<WorkerSettings>,
    defaults: Map<String, Value>,
}

impl<F: ArtifactFiles, K: TaskCallback> Outside for Function<F, K> {
    type Reporter = CodePipeline;
    type Jobs = CodePipeline;
    type Table = DynamoLedger;
    type Files = F;
    type Tokens = K;
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
    fn tokens(&self) -> Option<&K> {
        self.tokens.as_ref()
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
    let (count, lost) = (jobs.len(), worked.lost);
    tracing::info!(count, lost, "the round is over");
    match worked.undelivered {
        Some(error) => Err(error.into()),
        None => Ok(json!({ "jobs": jobs })),
    }
}

fn task_told(tasked: &Tasked) -> Result<Value, HandlerError> {
    let run = tasked.run_key.as_str();
    warn(run, &tasked.warnings);
    fail(run, tasked.fault.as_ref());
    let by_token = tasked.delivery.is_some();
    let outcome = match &tasked.answer {
        Answer::Output(value) => value.get("status").and_then(Value::as_str),
        Answer::Failed { kind, .. } => Some(kind.name()),
    };
    tracing::info!(run, outcome, by_token, "the task is answered");
    match (&tasked.answer, by_token) {
        (_, true) => Ok(json!({ "run": run, "outcome": outcome })),
        (Answer::Output(value), false) => Ok(value.clone()),
        (Answer::Failed { kind, message, .. }, false) => {
            Err(HandlerError::named(kind.name(), message))
        }
    }
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

/// Of functions that answer no tokens.
#[derive(Debug)]
pub enum NoTokens {}

impl TaskCallback for NoTokens {
    async fn finish(&self, _: &Secret, _: &TaskOutcome) -> Result<(), PortError> {
        match *self {}
    }
    async fn heartbeat(&self, _: &Secret) -> Result<(), PortError> {
        match *self {}
    }
}
