//! ECS with its tasks, and the logs of their containers in CloudWatch.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Refusal, operation, reply, required, seconds, text, texts};
use crate::{Asked, Reply, StandIn};

/// How tasks end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// As `EssentialContainerExited`.
    pub stop_code: &'static str,
    /// In words.
    pub reason: &'static str,
    /// Containers, their exit codes and reasons.
    pub containers: Vec<(&'static str, Option<i64>, Option<&'static str>)>,
}

/// A container's log configuration and lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    /// The group; another driver than `awslogs` when absent.
    pub group: Option<&'static str>,
    /// What the container writes.
    pub lines: Vec<String>,
}

/// The cluster `default`, one task definition, and what was run.
#[derive(Debug, Clone)]
pub struct Containers {
    /// How tasks end.
    pub ending: Ending,
    /// Logs by container.
    pub logs: BTreeMap<&'static str, Log>,
    /// Reasons of starts that are answered with failures, the next first.
    pub failures: Vec<&'static str>,
    /// How long a task takes until it runs, and until it stops.
    pub times: (Duration, Duration),
    /// Whether ECS forgets tasks that have stopped at once.
    pub forgets: bool,
    /// A status it answers in place of the right one.
    pub odd_status: Option<&'static str>,
    /// What was run.
    pub tasks: Vec<Task>,
}

/// A task that was run.
#[derive(Debug, Clone)]
pub struct Task {
    arn: String,
    token: String,
    request: Value,
    created: Timestamp,
    stopped: Option<Timestamp>,
}

const ACCOUNT: &str = "arn:aws:ecs:eu-west-1:123456789012";

impl Default for Containers {
    fn default() -> Self {
        let log = Log {
            group: Some("/ecs/migrate"),
            lines: vec!["begin".into(), "42 rows".into()],
        };
        Self {
            ending: Ending {
                stop_code: "EssentialContainerExited",
                reason: "Essential container in task exited",
                containers: vec![("app", Some(0), None)],
            },
            logs: BTreeMap::from([("app", log)]),
            failures: Vec::new(),
            times: (Duration::from_secs(20), Duration::from_secs(70)),
            forgets: false,
            odd_status: None,
            tasks: Vec::new(),
        }
    }
}

impl StandIn for Containers {
    fn handle(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        reply(operation(asked).and_then(|(service, operation, body)| {
            match (service.as_str(), operation.as_str()) {
                ("Logs_20140328", "GetLogEvents") => self.log_events(&body, now),
                ("AmazonEC2ContainerServiceV20141113", operation) => {
                    self.ecs(operation, &body, now)
                }
                _ => Err(Refusal::new("UnknownOperationException", operation)),
            }
        }))
    }
}

impl Containers {
    /// Tasks that were started, in order.
    pub fn started(&self) -> usize {
        self.tasks.len()
    }

    /// Tasks that nobody stopped.
    pub fn going(&self) -> usize {
        let tasks = self.tasks.iter();
        tasks.filter(|task| task.stopped.is_none()).count()
    }

    /// The request a task was started with.
    pub fn request(&self, number: usize) -> Value {
        self.tasks
            .get(number)
            .map_or(Value::Null, |task| task.request.clone())
    }

    /// Whether a task was stopped by somebody.
    pub fn was_stopped(&self, number: usize) -> bool {
        self.tasks
            .get(number)
            .is_some_and(|task| task.stopped.is_some())
    }

    fn ecs(&mut self, operation: &str, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let cluster = text(body, "cluster");
        if !["", "default"].contains(&cluster) {
            return Err(Refusal::new(
                "ClusterNotFoundException",
                "Cluster not found.",
            ));
        }
        match operation {
            "RunTask" => self.run(body, now),
            "DescribeTasks" => Ok(self.describe(body, now)),
            "ListTasks" => Ok(self.list(body, now)),
            "StopTask" => self.stop(body, now),
            "DescribeTaskDefinition" => self.definition(),
            _ => Err(Refusal::new("UnknownOperationException", operation)),
        }
    }

    fn run(&mut self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let definition = required(body, "taskDefinition")?;
        if !definition.starts_with("migrate") {
            return Err(Refusal::new("ClientException", "TaskDefinition not found."));
        }
        if !self.failures.is_empty() {
            let reason = self.failures.remove(0);
            let arn = format!("{ACCOUNT}:container-instance/default/1");
            return Ok(json!({"tasks": [], "failures": [{"arn": arn, "reason": reason}]}));
        }
        let token = text(body, "clientToken");
        let known = self
            .tasks
            .iter()
            .find(|task| !token.is_empty() && task.token == token);
        let task = match known {
            Some(task) if task.request == *body => task.clone(),
            Some(_) => {
                return Err(Refusal::new(
                    "ConflictException",
                    "The token was used with other parameters",
                ));
            }
            None => {
                let task = Task {
                    arn: format!("{ACCOUNT}:task/default/{:032x}", self.tasks.len() + 1),
                    token: token.to_owned(),
                    request: body.clone(),
                    created: now,
                    stopped: None,
                };
                self.tasks.push(task.clone());
                task
            }
        };
        Ok(json!({"tasks": [self.shown(&task, now)], "failures": []}))
    }

    fn describe(&self, body: &Value, now: Timestamp) -> Value {
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for arn in texts(body, "tasks") {
            let found = self.tasks.iter().find(|task| task.arn == arn);
            match found.filter(|task| !(self.forgets && self.status(task, now) == "STOPPED")) {
                Some(task) => tasks.push(self.shown(task, now)),
                None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
            }
        }
        json!({"tasks": tasks, "failures": failures})
    }

    /// Without `desiredStatus` only tasks that should run are listed.
    fn list(&self, body: &Value, now: Timestamp) -> Value {
        let by = text(body, "startedBy");
        let running = |task: &&Task| {
            text(&task.request, "startedBy") == by && self.status(task, now) != "STOPPED"
        };
        let arns: Vec<&str> = self
            .tasks
            .iter()
            .filter(running)
            .map(|task| task.arn.as_str())
            .collect();
        json!({ "taskArns": arns })
    }

    fn stop(&mut self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let arn = required(body, "task")?;
        let found = self.tasks.iter().position(|task| task.arn == arn);
        let Some(index) = found else {
            let message = "The referenced task was not found.";
            return Err(Refusal::new("InvalidParameterException", message));
        };
        if self.status(&self.tasks[index], now) != "STOPPED" {
            self.tasks[index].stopped = Some(now);
        }
        Ok(json!({"task": self.shown(&self.tasks[index], now)}))
    }

    fn definition(&self) -> Result<Value, Refusal> {
        let containers: Vec<Value> = self
            .logs
            .iter()
            .map(|(name, log)| {
                let log = match log.group {
                    Some(group) => json!({"logDriver": "awslogs", "options": {
                        "awslogs-group": group, "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "ecs"
                    }}),
                    None => json!({"logDriver": "splunk", "options": {"splunk-url": "u"}}),
                };
                json!({"name": name, "image": "i", "essential": true, "logConfiguration": log})
            })
            .collect();
        Ok(json!({"taskDefinition": {
            "taskDefinitionArn": format!("{ACCOUNT}:task-definition/migrate:7"), "family": "migrate", "revision": 7,
            "containerDefinitions": containers, "networkMode": "awsvpc", "status": "ACTIVE"
        }}))
    }

    fn log_events(&self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let (group, stream) = (
            required(body, "logGroupName")?,
            required(body, "logStreamName")?,
        );
        let missing = || {
            let message = "The specified log stream does not exist.";
            Refusal::new("ResourceNotFoundException", message)
        };
        let mut parts = stream.split('/');
        let (prefix, container) = (parts.next(), parts.next().unwrap_or_default());
        let task = parts.next().unwrap_or_default();
        let log = self
            .logs
            .get(container)
            .filter(|log| log.group == Some(group));
        let known = self.tasks.iter().any(|one| one.arn.ends_with(task));
        let log = log
            .filter(|_| prefix == Some("ecs") && known)
            .ok_or_else(missing)?;
        let limit = usize::try_from(body["limit"].as_u64().unwrap_or(10_000)).unwrap_or_default();
        let skipped = log.lines.len().saturating_sub(limit);
        let at = now.as_millisecond();
        let event = |line: &String| json!({"timestamp": at, "message": line, "ingestionTime": at});
        let events: Vec<Value> = log.lines.iter().skip(skipped).map(event).collect();
        Ok(json!({"events": events, "nextForwardToken": "f/1", "nextBackwardToken": "b/1"}))
    }

    fn status(&self, task: &Task, now: Timestamp) -> &'static str {
        let age = Duration::try_from(now.duration_since(task.created)).unwrap_or_default();
        let (until_running, until_stopped) = self.times;
        match task.stopped {
            Some(_) => "STOPPED",
            None if age >= until_stopped => "STOPPED",
            None if age >= until_running => "RUNNING",
            None => "PROVISIONING",
        }
    }

    fn shown(&self, task: &Task, now: Timestamp) -> Value {
        let status = self.status(task, now);
        let stopped = status == "STOPPED";
        let containers: Vec<Value> = self
            .ending
            .containers
            .iter()
            .map(|(name, code, reason)| {
                let mut one = json!({
                    "containerArn": format!("{ACCOUNT}:container/default/1/{name}"), "taskArn": task.arn, "name": name,
                    "lastStatus": status, "networkInterfaces": [], "healthStatus": "UNKNOWN", "cpu": "0"
                });
                if stopped {
                    let code = if task.stopped.is_some() { Some(143) } else { *code };
                    if let Some(code) = code {
                        one["exitCode"] = code.into();
                    }
                    if let Some(reason) = reason {
                        one["reason"] = (*reason).into();
                    }
                }
                one
            })
            .collect();
        let mut shown = json!({
            "taskArn": task.arn, "clusterArn": format!("{ACCOUNT}:cluster/default"), "containers": containers,
            "taskDefinitionArn": format!("{ACCOUNT}:task-definition/migrate:7"), "createdAt": seconds(task.created),
            "lastStatus": self.odd_status.unwrap_or(status), "desiredStatus": if stopped { "STOPPED" } else { "RUNNING" },
            "startedBy": task.request["startedBy"], "launchType": "FARGATE", "version": 3, "attachments": [], "tags": []
        });
        if stopped {
            let (code, reason) = match task.stopped {
                Some(_) => ("UserInitiated", "stopped by hand"),
                None => (self.ending.stop_code, self.ending.reason),
            };
            shown["stopCode"] = code.into();
            shown["stoppedReason"] = reason.into();
            shown["stoppedAt"] = seconds(task.stopped.unwrap_or(now));
        }
        shown
    }
}
