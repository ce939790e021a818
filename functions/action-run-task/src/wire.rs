//! Requests to ECS and CloudWatch Logs, and what is read of their answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::port::Service;

use crate::params::{Carrier, Params};

/// ECS.
pub const ECS: Service = Service::json11("ECS", "ecs", "AmazonEC2ContainerServiceV20141113");
/// CloudWatch Logs.
pub const LOGS: Service = Service::json11("CLOUDWATCH_LOGS", "logs", "Logs_20140328");

/// A task, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its ARN.
    pub task_arn: String,
    /// The revision that runs.
    #[serde(default)]
    pub task_definition_arn: Option<String>,
    /// `PROVISIONING`, `PENDING`, `ACTIVATING`, `RUNNING`, `DEACTIVATING`, `STOPPING`, `DEPROVISIONING`, `STOPPED`, `DELETED`.
    #[serde(default)]
    pub last_status: String,
    /// Why it stopped, as one word.
    #[serde(default)]
    pub stop_code: Option<String>,
    /// Why it stopped, in words.
    #[serde(default)]
    pub stopped_reason: Option<String>,
    /// Its containers.
    #[serde(default)]
    pub containers: Vec<Container>,
}

/// A container of a task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Absent when it never ran.
    #[serde(default)]
    pub exit_code: Option<i64>,
    /// Why it has none, or died.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Answer of `RunTask` and `DescribeTasks`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Tasks {
    /// The tasks.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// What was not done.
    #[serde(default)]
    pub failures: Vec<Failure>,
}

/// A failure inside an answer of status 200.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Failure {
    /// As `RESOURCE:MEMORY`, `AGENT`, `MISSING`.
    #[serde(default)]
    pub reason: String,
    /// In words.
    #[serde(default)]
    pub detail: Option<String>,
}

/// Answer of `ListTasks`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Of one page.
    #[serde(default)]
    pub task_arns: Vec<String>,
}

/// Answer of `DescribeTaskDefinition`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    /// The definition.
    pub task_definition: Definition,
}

/// A task definition, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Its containers.
    #[serde(default)]
    pub container_definitions: Vec<ContainerDefinition>,
}

/// A container of a task definition.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerDefinition {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Where its log goes.
    #[serde(default)]
    pub log_configuration: Option<LogConfiguration>,
}

/// Where a log goes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogConfiguration {
    /// `awslogs` is CloudWatch Logs.
    #[serde(default)]
    pub log_driver: String,
    /// The driver's options.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// Answer of `GetLogEvents`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Events {
    /// In order of time.
    #[serde(default)]
    pub events: Vec<Event>,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Event {
    /// The line.
    #[serde(default)]
    pub message: String,
}

/// A container's log in CloudWatch Logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStream {
    /// The group.
    pub group: String,
    /// `PREFIX/CONTAINER/TASK`.
    pub stream: String,
    /// Where the group is, when it is elsewhere.
    pub region: Option<String>,
}

/// The request that starts the task. With the same token it starts nothing a second time.
pub fn run_task(params: &Params, mark: &str) -> Value {
    let mut body = json!({
        "taskDefinition": params.task_definition, "cluster": params.cluster, "count": 1,
        "clientToken": mark, "startedBy": mark
    });
    match &params.carrier {
        None => {}
        Some(Carrier::LaunchType(kind)) => body["launchType"] = (*kind).into(),
        Some(Carrier::Provider(name)) => {
            body["capacityProviderStrategy"] = json!([{"capacityProvider": name, "weight": 1}]);
        }
    }
    if let Some(network) = &params.network {
        let public = match network.public_ip {
            true => "ENABLED",
            false => "DISABLED",
        };
        let mut awsvpc = json!({"subnets": network.subnets, "assignPublicIp": public});
        if !network.security_groups.is_empty() {
            awsvpc["securityGroups"] = json!(network.security_groups);
        }
        body["networkConfiguration"] = json!({ "awsvpcConfiguration": awsvpc });
    }
    if let Some(overrides) = &params.overrides {
        body["overrides"] = overrides.clone();
    }
    body
}

/// Where a container's log is; `Err` says where it is not.
pub fn log_stream(
    definition: &Definition,
    container: &str,
    task_arn: &str,
) -> Result<LogStream, String> {
    let all = &definition.container_definitions;
    let found = all.iter().find(|one| one.name == container);
    let log = found.and_then(|one| one.log_configuration.as_ref());
    let Some(log) = log else {
        return Err("the container has no log configuration".to_owned());
    };
    if log.log_driver != "awslogs" {
        return Err(format!(
            "its log goes to {}, not to CloudWatch",
            log.log_driver
        ));
    }
    let option = |name: &str| log.options.get(name).cloned();
    let (Some(group), Some(prefix)) = (option("awslogs-group"), option("awslogs-stream-prefix"))
    else {
        return Err("its log configuration names no awslogs-stream-prefix".to_owned());
    };
    let task = task_id(task_arn);
    Ok(LogStream {
        group,
        stream: format!("{prefix}/{container}/{task}"),
        region: option("awslogs-region"),
    })
}

/// The last part of a task's ARN.
pub fn task_id(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

/// The task's page in the console.
pub fn link(arn: &str, cluster: &str) -> Option<String> {
    let region = arn.split(':').nth(3).filter(|region| !region.is_empty())?;
    let cluster = cluster.rsplit('/').next().unwrap_or(cluster);
    let task = task_id(arn);
    Some(format!(
        "https://{region}.console.aws.amazon.com/ecs/v2/clusters/{cluster}/tasks/{task}?region={region}"
    ))
}
