//! Tasks: scheduled, answered, timed out.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Refusal, Turn, as_seconds, fields};
use crate::{
    definition::{Kind, State, Task},
    effect::{Effect, Order},
    evaluate::Bounds,
    history::Details,
    limit,
    machine::{Phase, Running, Timer},
    payload,
    resource::Resource,
    retry::Failure,
    trouble::Trouble,
};

/// The names of a task's events, and of their details.
struct Words {
    scheduled: (&'static str, &'static str),
    started: (&'static str, &'static str),
    succeeded: (&'static str, &'static str),
    failed: (&'static str, &'static str),
    timed_out: (&'static str, &'static str),
}

const LAMBDA: Words = Words {
    scheduled: (
        "LambdaFunctionScheduled",
        "lambdaFunctionScheduledEventDetails",
    ),
    started: ("LambdaFunctionStarted", ""),
    succeeded: (
        "LambdaFunctionSucceeded",
        "lambdaFunctionSucceededEventDetails",
    ),
    failed: ("LambdaFunctionFailed", "lambdaFunctionFailedEventDetails"),
    timed_out: (
        "LambdaFunctionTimedOut",
        "lambdaFunctionTimedOutEventDetails",
    ),
};
const ACTIVITY: Words = Words {
    scheduled: ("ActivityScheduled", "activityScheduledEventDetails"),
    started: ("ActivityStarted", "activityStartedEventDetails"),
    succeeded: ("ActivitySucceeded", "activitySucceededEventDetails"),
    failed: ("ActivityFailed", "activityFailedEventDetails"),
    timed_out: ("ActivityTimedOut", "activityTimedOutEventDetails"),
};
const SERVICE: Words = Words {
    scheduled: ("TaskScheduled", "taskScheduledEventDetails"),
    started: ("TaskStarted", "taskStartedEventDetails"),
    succeeded: ("TaskSucceeded", "taskSucceededEventDetails"),
    failed: ("TaskFailed", "taskFailedEventDetails"),
    timed_out: ("TaskTimedOut", "taskTimedOutEventDetails"),
};

const fn words(resource: &Resource) -> &'static Words {
    match resource {
        Resource::Lambda(_) => &LAMBDA,
        Resource::Activity(_) => &ACTIVITY,
        Resource::Service { .. } => &SERVICE,
    }
}

/// What every event of a service task says.
fn named(resource: &Resource) -> Map<String, Value> {
    match resource {
        Resource::Service { .. } => fields([
            ("resourceType", resource.type_name().into()),
            ("resource", resource.name().into()),
        ]),
        Resource::Lambda(_) | Resource::Activity(_) => Map::new(),
    }
}

impl<'a> Turn<'a> {
    pub(super) fn task(
        &mut self,
        id: u32,
        state: &'a State,
        task: &'a Task,
    ) -> Result<(), Trouble> {
        if task.resource.waits_for_token() {
            let token = self.chance.borrow_mut().token();
            self.frame_mut(id).token = Some(token);
        }
        let (input, arguments) = self.arguments(id, state)?;
        let Bounds {
            timeout,
            heartbeat,
            credentials,
        } = self.with_env(id, None, |env| task.bounds(env))?;
        let input = Arc::new(arguments.unwrap_or(input));
        payload::check(&input, &state.name)?;
        self.scheduled(
            id,
            &task.resource,
            &input,
            timeout,
            heartbeat,
            credentials.as_ref(),
        );
        if !matches!(task.resource, Resource::Activity(_)) {
            let (kind, key) = words(&task.resource).started;
            let details = if key.is_empty() {
                Details::None
            } else {
                Details::Other(key, named(&task.resource))
            };
            self.note(id, kind, details);
        }
        let number = self.machine.next_task;
        self.machine.next_task += 1;
        self.machine.tasks.insert(number, id);
        let running = Running {
            task: number,
            timeout: timeout.map(|s| self.timer(id, Timer::Timeout, as_seconds(s))),
            heartbeat: heartbeat.map(|s| self.timer(id, Timer::Heartbeat, as_seconds(s))),
            every: heartbeat,
        };
        let frame = self.frame_mut(id);
        frame.phase = Phase::Task(running);
        let token = frame.token.clone();
        self.effects.push(Effect::Schedule(Order {
            task: number,
            resource: task.resource.clone(),
            state: state.name.to_string(),
            input,
            token,
            timeout,
            heartbeat,
            credentials,
        }));
        Ok(())
    }

    fn scheduled(
        &mut self,
        id: u32,
        resource: &Resource,
        input: &Value,
        timeout: Option<u64>,
        heartbeat: Option<u64>,
        credentials: Option<&Value>,
    ) {
        let mut details = named(resource);
        let mut put = |name: &str, value: Value| details.insert(name.to_owned(), value);
        match resource {
            Resource::Service { .. } => {
                put("region", region(&self.machine.identity.machine_arn).into());
                put("parameters", input.to_string().into());
            }
            Resource::Lambda(arn) | Resource::Activity(arn) => {
                put("resource", arn.as_str().into());
                put("input", input.to_string().into());
                put("inputDetails", serde_json::json!({"truncated": false}));
            }
        }
        if let Some(seconds) = timeout {
            put("timeoutInSeconds", seconds.into());
        }
        if let (Some(seconds), false) = (heartbeat, matches!(resource, Resource::Lambda(_))) {
            put("heartbeatInSeconds", seconds.into());
        }
        if let Some(role) = credentials.and_then(|c| c.get("RoleArn")) {
            put("taskCredentials", serde_json::json!({"roleArn": role}));
        }
        let (kind, key) = words(resource).scheduled;
        self.note(id, kind, Details::Other(key, details));
    }

    /// The frame that waits for a task, and what it is.
    fn waiting(&self, task: u64) -> Result<(u32, &'a Resource), Refusal> {
        let id = *self.machine.tasks.get(&task).ok_or(Refusal::NoTask(task))?;
        match (&self.frame(id).phase, &self.state(id).kind) {
            (Phase::Task(_), Kind::Task(kind)) => Ok((id, &kind.resource)),
            _ => Err(Refusal::NoTask(task)),
        }
    }

    /// The task is over: its timers are cleared, its number means nothing any more.
    fn close(&mut self, id: u32) {
        if let Phase::Task(running) = self.frame(id).phase.clone() {
            self.machine.tasks.remove(&running.task);
            self.clear(running.timeout);
            self.clear(running.heartbeat);
        }
    }

    pub(super) fn task_started(&mut self, task: u64) -> Result<(), Refusal> {
        let (id, resource) = self.waiting(task)?;
        if let Resource::Activity(_) = resource {
            let (kind, key) = words(resource).started;
            self.note(id, kind, Details::Other(key, Map::new()));
        }
        Ok(())
    }

    pub(super) fn task_submitted(&mut self, task: u64, output: &Value) -> Result<(), Refusal> {
        let (id, resource) = self.waiting(task)?;
        let details = Details::Output(
            "taskSubmittedEventDetails",
            named(resource),
            Arc::new(output.clone()),
        );
        self.note(id, "TaskSubmitted", details);
        Ok(())
    }

    pub(super) fn heartbeat(&mut self, task: u64) -> Result<(), Refusal> {
        let (id, _) = self.waiting(task)?;
        if let Phase::Task(running) = self.frame(id).phase.clone()
            && let Some(seconds) = running.every
        {
            self.clear(running.heartbeat);
            let timer = self.timer(id, Timer::Heartbeat, as_seconds(seconds));
            if let Phase::Task(running) = &mut self.frame_mut(id).phase {
                running.heartbeat = Some(timer);
            }
        }
        Ok(())
    }

    pub(super) fn task_succeeded(&mut self, task: u64, output: &Value) -> Result<(), Refusal> {
        // A distributed Map's results were written.
        if let Some(id) = self.machine.tasks.get(&task).copied()
            && let Phase::Writing { arn, .. } = self.frame(id).phase.clone()
        {
            self.machine.tasks.remove(&task);
            self.written(id, &arn, output);
            return Ok(());
        }
        let (id, resource) = self.waiting(task)?;
        if payload::bytes(output) > limit::PAYLOAD_BYTES {
            let trouble = Trouble::DataLimit(resource.limited().to_owned());
            let cause = trouble.cause("", 0);
            return self.task_failed(task, &Some(trouble.error().to_owned()), &Some(cause));
        }
        self.close(id);
        let output = Arc::new(output.clone());
        let (kind, key) = words(resource).succeeded;
        self.note(
            id,
            kind,
            Details::Output(key, named(resource), Arc::clone(&output)),
        );
        if let Err(trouble) = self.complete(id, output) {
            self.trouble(id, &trouble);
        }
        Ok(())
    }

    pub(super) fn task_failed(
        &mut self,
        task: u64,
        error: &Option<String>,
        cause: &Option<String>,
    ) -> Result<(), Refusal> {
        if let Some(id) = self.machine.tasks.get(&task).copied()
            && let Phase::Reading { .. } | Phase::Writing { .. } = self.frame(id).phase
        {
            self.machine.tasks.remove(&task);
            let reading = matches!(self.frame(id).phase, Phase::Reading { .. });
            let name = if reading {
                "States.ItemReaderFailed"
            } else {
                "States.ResultWriterFailed"
            };
            let failure = Failure::new(name, cause.clone().or_else(|| error.clone()));
            self.failed(id, failure);
            return Ok(());
        }
        let (id, resource) = self.waiting(task)?;
        self.close(id);
        let (error, cause) = (shorten(error, limit::ERROR), shorten(cause, limit::CAUSE));
        let (kind, key) = words(resource).failed;
        let details = Details::Failure(key, named(resource), error.clone(), cause.clone());
        self.note(id, kind, details);
        let failure = Failure {
            error,
            cause,
            terminal: false,
        };
        self.failed(id, failure);
        Ok(())
    }

    pub(super) fn task_timed_out(&mut self, id: u32, error: &'static str) {
        let Kind::Task(task) = &self.state(id).kind else {
            return;
        };
        if let Phase::Task(running) = self.frame(id).phase.clone() {
            self.effects.push(Effect::Cancel { task: running.task });
        }
        self.close(id);
        let (kind, key) = words(&task.resource).timed_out;
        let details = Details::Failure(key, named(&task.resource), Some(error.to_owned()), None);
        self.note(id, kind, details);
        self.failed(id, Failure::new(error, None));
    }
}

fn shorten(text: &Option<String>, most: usize) -> Option<String> {
    text.as_ref().map(|t| t.chars().take(most).collect())
}

/// The region an ARN names.
fn region(arn: &str) -> &str {
    arn.split(':').nth(3).unwrap_or_default()
}
