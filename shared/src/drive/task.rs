//! The task host: a state machine's task, as a loop that the machine runs, or answered through its token.
//!
//! Both ways end in the same answers. Without a token the answer is what the function returns, and a failure is the
//! function's error, named after its kind so that `Catch` can match. With a token the same goes to the machine by the
//! token, once: while the action waits, the task is kept in the table (see [`super::wait`]). A function without a table
//! makes the steps one after the other within its time, with a heartbeat before each; when the time is over the machine
//! gets `RUNNING` and calls again.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Delivery, DriveError, Outside,
    decide::{self, Conclusion, MAX_ATTEMPTS},
    limit,
    run::Run,
    stop::RunEnd,
    token::Ticket,
    wait,
};
use crate::{
    action::Action,
    fault::{Fault, FaultKind},
    id::{ExternalId, IdError},
    job::{ArtifactRef, Job, Origin, RawParameters},
    port::{Clock, PortError, TaskCallback, TaskOutcome, Timer},
    secret::Secret,
    wire::task::{TaskArtifact, TaskInput, running, stopped, succeeded},
};

/// How a task's call ended. `fault` and `warnings` are for the log, with their whole chains.
#[derive(Debug)]
pub struct Tasked {
    /// The same through all calls of one run.
    pub run_key: String,
    /// What the state machine is told.
    pub answer: Answer,
    /// How a token was answered; `None` when the answer is the function's own.
    pub delivery: Option<Delivery>,
    /// Why the step failed, when it did.
    pub fault: Option<Fault>,
    /// What went wrong beside it without changing the outcome.
    pub warnings: Vec<PortError>,
}

/// What a state machine is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The task's output.
    Output(Value),
    /// Nothing yet: the task is kept, and a later event answers its token.
    Kept,
    /// The task failed.
    Failed {
        /// The error's name is [`FaultKind::name`].
        kind: FaultKind,
        /// No internals, no secrets.
        message: String,
        /// The outside run, when there is one.
        external_id: Option<ExternalId>,
    },
}

/// Input and output of a state, in bytes (Step Functions' quota).
pub const MAX_OUTPUT: usize = 262_144;
/// A run's name as given is kept up to this length.
const MAX_RUN: usize = 128;
/// With a token: less time than this is left for another caller.
const ANOTHER_STEP: Duration = Duration::from_secs(15);

/// The machine waits at least this long.
pub(super) const SHORTEST_WAIT: Duration = Duration::from_secs(1);

pub(super) async fn serve<A: Action, O: Outside>(
    action: &A,
    outside: &O,
    event: Value,
    deadline: Timestamp,
) -> Result<Tasked, DriveError> {
    let mut input = TaskInput::read(event).map_err(DriveError::Task)?;
    let token = input.task_token.take();
    let until = input.deadline.take();
    let mut run = Run::new(outside, deadline);
    let stop = input.stop.take().is_some_and(|stop| !stop.is_null());
    // A token is given once, so whoever brings it again means the same run.
    let id = match &token {
        Some(token) if !stop => digest(token.reveal()),
        _ => outside.new_id(),
    };
    let opened = open(input, id, outside.clock().now());
    let (run_key, conclusion) = match opened {
        Err((run_key, fault)) => (run_key, Conclusion::Failed(fault)),
        Ok((job, _)) if stop => {
            let ended = match run.raw(&job).await {
                Ok(parameters) => run.end(action, &job, &parameters).await,
                Err(fault) => Err(fault),
            };
            return run.stopped(job.run_key, ended, token.as_ref()).await;
        }
        Ok((job, ticket)) => {
            let conclusion = match (&token, outside.table()) {
                (None, _) => run.step(action, &job, &ticket).await,
                (Some(token), None) => run.steps(action, &job, ticket, token).await,
                (Some(token), Some(table)) => {
                    let task = (job, ticket);
                    return wait::begin(action, table, run, task, token.clone(), until).await;
                }
            };
            (job.run_key, conclusion)
        }
    };
    run.tell(run_key, answer(conclusion), token.as_ref()).await
}

impl<O: Outside> Run<'_, O> {
    /// Gives the answer by the token, where there is one.
    pub(super) async fn tell(
        self,
        run_key: String,
        (answer, fault): (Answer, Option<Fault>),
        token: Option<&Secret>,
    ) -> Result<Tasked, DriveError> {
        let delivery = match token {
            None => None,
            Some(token) => Some(self.call_back(token, &answer, &run_key).await?),
        };
        Ok(Tasked {
            run_key,
            answer,
            delivery,
            fault,
            warnings: self.warnings,
        })
    }

    async fn stopped(
        self,
        run_key: String,
        ended: Result<RunEnd, Fault>,
        token: Option<&Secret>,
    ) -> Result<Tasked, DriveError> {
        let answer = match ended {
            Err(fault) => failed(fault),
            Ok(RunEnd::NotFound { look_at }) => failed(Fault::new(
                FaultKind::Internal,
                format!("whether a run was started cannot be found out: look at {look_at}"),
            )),
            Ok(RunEnd::Stopped { run }) => (Answer::Output(stopped(Some(&run), "running")), None),
            Ok(RunEnd::NeverStarted) => (Answer::Output(stopped(None, "not started")), None),
            Ok(RunEnd::AlreadyOver | RunEnd::GoesOn) => {
                (Answer::Output(stopped(None, "over")), None)
            }
        };
        self.tell(run_key, answer, token).await
    }

    /// Steps until the action is over or the time is short.
    pub(super) async fn steps<A: Action>(
        &mut self,
        action: &A,
        job: &Job,
        mut ticket: Ticket,
        token: &Secret,
    ) -> Conclusion {
        loop {
            let conclusion = self.step(action, job, &ticket).await;
            let Conclusion::Wait {
                ticket: next,
                again_in,
                ..
            } = &conclusion
            else {
                return conclusion;
            };
            let wait = (*again_in).max(SHORTEST_WAIT);
            if self.left() < wait + ANOTHER_STEP {
                return conclusion;
            }
            ticket = next.clone();
            let beat = self.outside.tokens().heartbeat(token);
            match self.within("Step Functions", self.short(), beat).await {
                Ok(()) => {}
                // The machine no longer waits: the answer will be refused as well.
                Err(PortError::Conflict { .. }) => return conclusion,
                Err(error) => self.warnings.push(error),
            }
            self.outside.timer().sleep(wait).await;
        }
    }

    /// Calls until the answer is taken, or nothing more can be done before the deadline.
    pub(super) async fn call_back(
        &self,
        token: &Secret,
        answer: &Answer,
        run_key: &str,
    ) -> Result<Delivery, DriveError> {
        let outcome = match answer {
            Answer::Output(value) => TaskOutcome::Success(value.clone()),
            // Nothing is said now.
            Answer::Kept => return Ok(Delivery::AlreadyThere),
            Answer::Failed { kind, message, .. } => TaskOutcome::Failure {
                kind: *kind,
                cause: message.clone(),
            },
        };
        let mut attempt = 1;
        loop {
            let time = decide::call_time(attempt, self.left());
            let call = self.outside.tokens().finish(token, &outcome);
            let error = match self.within("Step Functions", time, call).await {
                Ok(()) => return Ok(Delivery::Sent { attempts: attempt }),
                Err(PortError::Conflict { .. }) => return Ok(Delivery::AlreadyThere),
                Err(error) => error,
            };
            let wait = Duration::from_millis(50 << attempt.min(8));
            let passing = matches!(error, PortError::Unavailable { .. });
            if !passing || attempt >= MAX_ATTEMPTS || self.left() <= wait {
                return Err(DriveError::Undelivered {
                    of: format!("the task of {run_key}"),
                    source: error,
                });
            }
            self.outside.timer().sleep(wait).await;
            attempt += 1;
        }
    }
}

/// Opens a task's input: a job without a pipeline. Without a name of the run, `id` is it.
pub(super) fn open(
    input: TaskInput,
    id: String,
    now: Timestamp,
) -> Result<(Job, Ticket), (String, Fault)> {
    let run_key = match &input.run {
        None => id.clone(),
        Some(run) => named(run),
    };
    let failed = |fault| (run_key.clone(), fault);
    let configuration = |text: String| failed(Fault::new(FaultKind::Configuration, text));
    let internal = |text: String| failed(Fault::new(FaultKind::Internal, text));
    let ticket = match input.progress {
        None | Some(Value::Null) => Ticket::first(run_key.clone(), input.started_at.unwrap_or(now)),
        Some(progress) => {
            Ticket::from_value(progress).map_err(|error| internal(format!("progress: {error}")))?
        }
    };
    let artifacts = |list: Vec<TaskArtifact>| -> Result<Vec<ArtifactRef>, IdError> {
        list.into_iter().map(ArtifactRef::try_from).collect()
    };
    let unusable = |error: IdError| configuration(format!("an artifact of the task: {error}"));
    let job = Job {
        id: id
            .parse()
            .map_err(|error: IdError| internal(error.to_string()))?,
        run_key: ticket.run_key.clone(),
        parameters: RawParameters::Json(match input.params {
            None | Some(Value::Null) => Value::Object(serde_json::Map::new()),
            Some(params) => params,
        }),
        inputs: artifacts(input.inputs).map_err(unusable)?,
        outputs: artifacts(input.outputs).map_err(unusable)?,
        credentials: None,
        encryption_key: input.encryption_key,
        continuation: None,
        origin: Origin::Machine(input.execution.or_else(|| machine(input.run.as_deref()?))),
    };
    Ok((job, ticket))
}

/// The state machine's execution that a run is named after: `ARN` or `ARN/…`.
fn machine(run: &str) -> Option<String> {
    let arn = run.split('/').next().unwrap_or_default();
    let is_execution = arn.starts_with("arn:") && arn.contains(":states:");
    is_execution.then(|| arn.to_owned())
}

/// The run's key: its name, or what stands for a long one.
fn named(run: &str) -> String {
    if run.chars().count() <= MAX_RUN && !run.chars().any(char::is_control) {
        return run.to_owned();
    }
    digest(run)
}

fn digest(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What the machine is told, and the fault behind it.
pub(super) fn answer(conclusion: Conclusion) -> (Answer, Option<Fault>) {
    let value = match conclusion {
        Conclusion::Failed(fault) => return failed(fault),
        Conclusion::Done { details, variables } => succeeded(&variables, &details),
        Conclusion::Wait {
            ticket,
            details,
            again_in,
        } => {
            let wait = again_in.max(SHORTEST_WAIT).as_secs();
            running(&ticket.to_value(), ticket.started_at, wait, &details)
        }
    };
    let size = value.to_string().len();
    if size > MAX_OUTPUT {
        return failed(Fault::new(
            FaultKind::Internal,
            format!("the task's output has {size} bytes; Step Functions takes {MAX_OUTPUT}"),
        ));
    }
    (Answer::Output(value), None)
}

pub(super) fn failed(fault: Fault) -> (Answer, Option<Fault>) {
    let answer = Answer::Failed {
        kind: fault.kind,
        message: limit::message(&fault.public),
        external_id: fault.external_id.clone(),
    };
    (answer, Some(fault))
}
