//! One task: started, found again, looked at, stopped; its log.

use std::{collections::BTreeMap, fs};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::{
    action::Done,
    fault::{Fault, FaultKind},
    follow::{Look, Setback, Vendor},
    job::{Details, Job},
    port::{Artifacts, PortError, Service, ServiceCall, Services},
    results::hand_over,
    start::{Found, StartError, Starter},
    wire::from_value,
};

use crate::{
    judge::{Verdict, judge, not_run, tail},
    params::Params,
    wire::{
        self, Definition, Described, ECS, Events, LOGS, Listed, LogStream, Task, Tasks, log_stream,
        run_task, task_id,
    },
};

/// A task for one step.
pub struct Run<'a, S, A> {
    /// The services.
    pub services: &'a S,
    /// What is wanted.
    pub params: &'a Params,
    /// What marks the task: its token and `startedBy`.
    pub mark: String,
    /// Where its log goes; `None` when it is only looked for or stopped.
    pub output: Option<(&'a A, &'a Job)>,
}

/// `startedBy` had this limit before it grew to 128; a job's id has it exactly.
pub const LONGEST_MARK: usize = 36;
/// Of a failure message's 5,000 characters, for the log.
const LONGEST_TAIL: usize = 3_500;
/// `GetLogEvents` answers at most so many, and at most 1 MB.
const MOST_EVENTS: u64 = 10_000;
/// A last line longer than this is no output variable.
const LONGEST_LINE: usize = 1_000;

impl<S: Services, A: Artifacts> Starter for Run<'_, S, A> {
    async fn start(&self) -> Result<String, StartError> {
        let what = self.params.what();
        // ECS starts nothing twice for one token within 24 hours, so the call may be repeated.
        let body = run_task(self.params, &self.mark);
        let answer = match self.ask::<Tasks>(ECS, "RunTask", &what, body).await {
            Ok(answer) => answer,
            Err(error @ PortError::Unavailable { .. }) => {
                return Err(StartError::Unknown(error.into()));
            }
            Err(error) => {
                return Err(StartError::NotStarted(fault(
                    error,
                    "ecs:RunTask and iam:PassRole",
                )));
            }
        };
        match answer.tasks.into_iter().next() {
            Some(task) => Ok(task.task_arn),
            None => Err(StartError::NotStarted(not_run(&answer.failures))),
        }
    }

    /// Tasks that run are listed by who started them. One that has stopped already is not, but starting again with the
    /// same token answers it.
    async fn find(&self) -> Result<Found, Fault> {
        let body = json!({"cluster": self.params.cluster, "startedBy": self.mark});
        let what = format!("the tasks of {}", self.params.cluster);
        let listed = self.ask::<Listed>(ECS, "ListTasks", &what, body).await;
        let listed = listed.map_err(|error| fault(error, "ecs:ListTasks"))?;
        let first = listed.task_arns.into_iter().next();
        Ok(first.map_or(Found::Nothing, Found::Run))
    }
}

impl<S: Services, A: Artifacts> Vendor for Run<'_, S, A> {
    type Notes = ();

    async fn look(&self, run: &str, (): &mut ()) -> Result<Look, Setback> {
        let what = format!("the task {}", task_id(run));
        let Some(task) = self.task(run).await? else {
            return Err(Setback::Odd(Fault::new(
                FaultKind::Failed,
                format!(
                    "ECS knows nothing of {what} any more, so its exit code cannot be read: it shows tasks for about an hour \
                     after their end"
                ),
            )));
        };
        if task.last_status != "STOPPED" {
            let status = match task.last_status.as_str() {
                "" => "UNKNOWN",
                status => status,
            };
            return Ok(Look::Going {
                summary: format!("{what} is {status}"),
                percent: None,
                again_in: None,
            });
        }
        match judge(&task, &self.params.exit_codes_of) {
            Verdict::Good => Ok(Look::Passed(self.passed(run, &task).await?)),
            Verdict::Bad { why, container } => {
                let log = match container {
                    Some(container) => self.told(&task, &container).await,
                    None => String::new(),
                };
                Err(Setback::Final(Fault::new(
                    FaultKind::Failed,
                    format!("{}: {why}{log}", self.params.what()),
                )))
            }
        }
    }

    async fn stop(&self, run: &str) -> Result<(), Fault> {
        let body = json!({
            "cluster": self.params.cluster, "task": run, "reason": "the pipeline's action was given up"
        });
        let what = format!("the task {}", task_id(run));
        match self.ask::<Value>(ECS, "StopTask", &what, body).await {
            Ok(_) => Ok(()),
            // It may have ended already, which is as good.
            Err(error @ PortError::Invalid { .. }) => match self.task(run).await {
                Ok(None) => Ok(()),
                Ok(Some(task)) if task.last_status == "STOPPED" => Ok(()),
                _ => Err(error.into()),
            },
            Err(error) => Err(fault(error, "ecs:StopTask")),
        }
    }

    fn link(&self, run: &str) -> Option<String> {
        wire::link(run, &self.params.cluster)
    }
}

impl<S: Services, A: Artifacts> Run<'_, S, A> {
    /// Asks a service. An answer of another shape is a passing fault: it is asked for again.
    async fn ask<V: DeserializeOwned>(
        &self,
        service: Service,
        operation: &'static str,
        what: &str,
        body: Value,
    ) -> Result<V, PortError> {
        let call = ServiceCall::new(service, operation, what, body);
        self.read(&call).await
    }

    async fn read<V: DeserializeOwned>(&self, call: &ServiceCall<'_>) -> Result<V, PortError> {
        let answer = self.services.call(call).await?;
        from_value(answer).map_err(|error| PortError::Unavailable {
            what: call.what.to_owned(),
            source: Some(format!("the answer has an unexpected shape: {error}").into()),
        })
    }

    async fn task(&self, run: &str) -> Result<Option<Task>, Fault> {
        let body = json!({"cluster": self.params.cluster, "tasks": [run]});
        let what = format!("the task {}", task_id(run));
        let answer = self.ask::<Tasks>(ECS, "DescribeTasks", &what, body).await;
        let answer = answer.map_err(|error| fault(error, "ecs:DescribeTasks"))?;
        Ok(answer.tasks.into_iter().find(|task| task.task_arn == run))
    }

    async fn definition(&self, task: &Task) -> Result<Definition, String> {
        let arn = task.task_definition_arn.as_deref();
        let body = json!({"taskDefinition": arn.unwrap_or(&self.params.task_definition)});
        let what = "the task definition";
        let answer = self.ask::<Described>(ECS, "DescribeTaskDefinition", what, body);
        let answer = answer.await.map_err(|error| error.to_string())?;
        Ok(answer.task_definition)
    }

    async fn lines(&self, log: &LogStream, most: u64) -> Result<Vec<String>, String> {
        let body = json!({
            "logGroupName": log.group, "logStreamName": log.stream, "limit": most, "startFromHead": false
        });
        let what = format!("the log {}", log.group);
        let call = ServiceCall {
            region: log.region.as_deref(),
            ..ServiceCall::new(LOGS, "GetLogEvents", &what, body)
        };
        let answer: Events = self.read(&call).await.map_err(|error| error.to_string())?;
        Ok(answer
            .events
            .into_iter()
            .map(|event| event.message)
            .collect())
    }

    /// The end of a container's log, for a failure's message.
    async fn told(&self, task: &Task, container: &str) -> String {
        if self.params.log_lines == 0 {
            return String::new();
        }
        let lines = async {
            let definition = self.definition(task).await?;
            let log = log_stream(&definition, container, &task.task_arn)?;
            self.lines(&log, self.params.log_lines).await
        };
        match lines.await {
            Ok(lines) if lines.is_empty() => "; its log is empty".to_owned(),
            Ok(lines) => format!("; its log ends with:\n{}", tail(&lines, LONGEST_TAIL)),
            Err(why) => format!("; its log cannot be shown: {why}"),
        }
    }

    async fn passed(&self, run: &str, task: &Task) -> Result<Done, Fault> {
        let last = self.hand_over(task).await?;
        let code = task.containers.iter().find_map(|one| one.exit_code);
        let variables = [
            ("TaskArn", Some(run.to_owned())),
            ("TaskId", Some(task_id(run).to_owned())),
            ("TaskDefinitionArn", task.task_definition_arn.clone()),
            ("ExitCode", code.map(|code| code.to_string())),
            ("StoppedReason", task.stopped_reason.clone()),
            ("LastLine", last),
        ];
        let variables = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(Done {
            details: Details {
                summary: Some(format!("{} ended with exit code 0", self.params.what())),
                ..Details::default()
            },
            variables: variables.collect::<BTreeMap<_, _>>(),
        })
    }

    /// The logs as output artifact, where there is one. Answers the last line of the first container that counts, where
    /// it can be read.
    async fn hand_over(&self, task: &Task) -> Result<Option<String>, Fault> {
        let output = self.output.filter(|(_, job)| !job.outputs.is_empty());
        if output.is_none() && self.params.log_lines == 0 {
            return Ok(None);
        }
        let definition = self.definition(task).await;
        let counting = &self.params.exit_codes_of;
        let (mut last, mut logs) = (None, BTreeMap::new());
        for container in &task.containers {
            let counts = counting.is_empty() || counting.contains(&container.name);
            if output.is_none() && (!counts || last.is_some()) {
                continue;
            }
            let most = if output.is_some() { MOST_EVENTS } else { 1 };
            let text = match &definition {
                Err(why) => Err(why.clone()),
                Ok(definition) => match log_stream(definition, &container.name, &task.task_arn) {
                    Err(why) => Err(why),
                    Ok(log) => self.lines(&log, most).await,
                },
            };
            if let (Ok(lines), true, None) = (&text, counts, &last) {
                last = lines.last().map(|line| line.trim_end().to_owned());
            }
            logs.insert(container.name.as_str(), text);
        }
        if let Some((artifacts, job)) = output {
            write(artifacts, job, task, &logs).await?;
        }
        Ok(last.filter(|line| line.len() <= LONGEST_LINE))
    }
}

/// `task.json` and a file for each container's log, as the output artifact.
async fn write(
    artifacts: &impl Artifacts,
    job: &Job,
    task: &Task,
    logs: &BTreeMap<&str, Result<Vec<String>, String>>,
) -> Result<(), Fault> {
    let disk = |error: std::io::Error| {
        let text = "the task's log could not be written to /tmp";
        Fault::new(FaultKind::Internal, text).because(error)
    };
    let folder = tempfile::tempdir().map_err(disk)?;
    let spool = tempfile::NamedTempFile::new().map_err(disk)?;
    fs::write(
        folder.path().join("task.json"),
        format!("{:#}\n", json!(task)),
    )
    .map_err(disk)?;
    for (container, log) in logs {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if container.is_empty() || !container.chars().all(plain) {
            continue;
        }
        let text = match log {
            Ok(lines) => lines
                .iter()
                .map(|line| format!("{}\n", line.trim_end()))
                .collect(),
            Err(why) => format!("{why}\n"),
        };
        fs::write(folder.path().join(format!("{container}.log")), text).map_err(disk)?;
    }
    hand_over(artifacts, job, folder.path(), spool.path()).await
}

impl Params {
    /// For sentences.
    pub fn what(&self) -> String {
        let definition = self.task_definition.rsplit('/').next().unwrap_or_default();
        format!("the task {definition}")
    }
}

fn fault(error: PortError, needed: &str) -> Fault {
    match error {
        PortError::Denied { .. } => {
            let text = format!("{error}: the function's role needs {needed}");
            Fault::new(FaultKind::Permission, text).because(error)
        }
        error => error.into(),
    }
}
