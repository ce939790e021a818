//! Which task is run and how, parsed and checked.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use shared::wire::object::Object;

/// Checked parameters.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Params {
    /// Family, family and revision, or ARN.
    pub task_definition: String,
    /// Name or ARN.
    pub cluster: String,
    /// Who carries the task; the cluster's own strategy when absent.
    pub carrier: Option<Carrier>,
    /// The task's network, of task definitions with `awsvpc`.
    pub network: Option<Network>,
    /// `TaskOverride` as ECS takes it.
    pub overrides: Option<Value>,
    /// Containers whose exit codes count; all when empty.
    pub exit_codes_of: Vec<String>,
    /// Lines of the log that a failure shows.
    pub log_lines: u64,
    /// How long the task may take, counted from the start of the action.
    pub patience: Duration,
}

/// Who carries a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrier {
    /// `FARGATE`, `EC2` or `EXTERNAL`.
    LaunchType(&'static str),
    /// A capacity provider of the cluster.
    Provider(String),
}

/// Where a task's network interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// At least one.
    pub subnets: Vec<String>,
    /// The default group of the network when empty.
    pub security_groups: Vec<String>,
    /// Whether it has an address of its own.
    pub public_ip: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    task_definition: String,
    cluster: Option<String>,
    container: Option<String>,
    command: Option<Vec<String>>,
    environment: Option<BTreeMap<String, String>>,
    #[serde(default)]
    subnets: Vec<String>,
    #[serde(default)]
    security_groups: Vec<String>,
    launch_type: Option<LaunchType>,
    #[serde(default = "default_patience")]
    timeout_minutes: u64,
    #[serde(default)]
    assign_public_ip: bool,
    capacity_provider: Option<String>,
    overrides: Option<Object>,
    #[serde(default)]
    exit_codes_of: Vec<String>,
    #[serde(default = "default_lines")]
    log_lines: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum LaunchType {
    Fargate,
    Ec2,
    External,
}

const fn default_patience() -> u64 {
    60
}
const fn default_lines() -> u64 {
    20
}

/// CodePipeline ends a job's continuations after 24 hours.
pub const LONGEST_PATIENCE: u64 = 24 * 60;
/// A failure message has 5,000 characters.
pub const MOST_LINES: u64 = 100;
/// `awsvpcConfiguration` of ECS takes 16 subnets; security groups are 5.
const MOST_SUBNETS: usize = 16;
const LONGEST_NAME: usize = 255;

/// Why parameters were refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// One parameter is wrong by itself.
    #[error("{name} {problem}")]
    Wrong {
        /// Which.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// One says nothing without another.
    #[error("{name} is given without {needs}")]
    Alone {
        /// Which.
        name: &'static str,
        /// The other one.
        needs: &'static str,
    },
    /// Two that exclude each other.
    #[error("{0} and {1} are both given: choose one")]
    Both(&'static str, &'static str),
}

impl TryFrom<Raw> for Params {
    type Error = ParamsError;

    fn try_from(raw: Raw) -> Result<Self, ParamsError> {
        let wrong = |name, problem: String| ParamsError::Wrong { name, problem };
        if !(1..=LONGEST_PATIENCE).contains(&raw.timeout_minutes) {
            let problem = format!("must be from 1 to {LONGEST_PATIENCE}");
            return Err(wrong("timeoutMinutes", problem));
        }
        if raw.log_lines > MOST_LINES {
            return Err(wrong("logLines", format!("must be from 0 to {MOST_LINES}")));
        }
        if raw.subnets.len() > MOST_SUBNETS {
            return Err(wrong("subnets", format!("must be at most {MOST_SUBNETS}")));
        }
        let texts = [
            ("subnets", &raw.subnets),
            ("securityGroups", &raw.security_groups),
            ("exitCodesOf", &raw.exit_codes_of),
        ];
        for (name, list) in texts {
            for text in list {
                named(name, text)?;
            }
        }
        named("taskDefinition", &raw.task_definition)?;
        let cluster = raw.cluster.as_deref().unwrap_or("default");
        named("cluster", cluster)?;
        Ok(Self {
            cluster: cluster.to_owned(),
            carrier: carrier(&raw)?,
            network: network(&raw)?,
            overrides: overrides(&raw)?,
            task_definition: raw.task_definition,
            exit_codes_of: raw.exit_codes_of,
            log_lines: raw.log_lines,
            patience: Duration::from_secs(raw.timeout_minutes * 60),
        })
    }
}

/// A name or ARN: printable, without spaces.
fn named(name: &'static str, text: &str) -> Result<(), ParamsError> {
    let allowed =
        (1..=LONGEST_NAME).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
    match allowed {
        true => Ok(()),
        false => Err(ParamsError::Wrong {
            name,
            problem: format!("must be a name of 1 to {LONGEST_NAME} characters without spaces"),
        }),
    }
}

fn carrier(raw: &Raw) -> Result<Option<Carrier>, ParamsError> {
    let launch_type = raw.launch_type.as_ref().map(|kind| match kind {
        LaunchType::Fargate => "FARGATE",
        LaunchType::Ec2 => "EC2",
        LaunchType::External => "EXTERNAL",
    });
    match (launch_type, &raw.capacity_provider) {
        (Some(_), Some(_)) => Err(ParamsError::Both("launchType", "capacityProvider")),
        (Some(kind), None) => Ok(Some(Carrier::LaunchType(kind))),
        (None, Some(name)) => {
            named("capacityProvider", name)?;
            Ok(Some(Carrier::Provider(name.clone())))
        }
        (None, None) => Ok(None),
    }
}

fn network(raw: &Raw) -> Result<Option<Network>, ParamsError> {
    if raw.subnets.is_empty() {
        let alone = |name| ParamsError::Alone {
            name,
            needs: "subnets",
        };
        return match (raw.security_groups.is_empty(), raw.assign_public_ip) {
            (false, _) => Err(alone("securityGroups")),
            (_, true) => Err(alone("assignPublicIp")),
            (true, false) => Ok(None),
        };
    }
    Ok(Some(Network {
        subnets: raw.subnets.clone(),
        security_groups: raw.security_groups.clone(),
        public_ip: raw.assign_public_ip,
    }))
}

fn overrides(raw: &Raw) -> Result<Option<Value>, ParamsError> {
    let Some(container) = &raw.container else {
        let alone = |name| ParamsError::Alone {
            name,
            needs: "container",
        };
        return match (&raw.command, &raw.environment) {
            (Some(command), _) if !command.is_empty() => Err(alone("command")),
            (_, Some(environment)) if !environment.is_empty() => Err(alone("environment")),
            _ => Ok(raw.overrides.as_ref().map(|all| all.0.clone().into())),
        };
    };
    named("container", container)?;
    if raw.overrides.is_some() {
        return Err(ParamsError::Both("container", "overrides"));
    }
    let mut one = json!({ "name": container });
    if let Some(command) = raw.command.as_ref().filter(|command| !command.is_empty()) {
        one["command"] = json!(command);
    }
    if let Some(environment) = &raw.environment {
        let pair = |(name, value)| json!({"name": name, "value": value});
        one["environment"] = environment.iter().map(pair).collect();
    }
    Ok(Some(json!({ "containerOverrides": [one] })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<Params, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_given_is_taken() {
        let params = read(json!({
            "taskDefinition": "migrate:7", "container": "app", "command": ["./migrate", "up"],
            "environment": {"STAGE": "live"}, "subnets": ["subnet-1"], "launchType": "FARGATE"
        }))
        .unwrap();
        assert_eq!(
            params.overrides,
            Some(json!({"containerOverrides": [{
                "name": "app", "command": ["./migrate", "up"], "environment": [{"name": "STAGE", "value": "live"}]
            }]}))
        );
        assert_eq!(params.carrier, Some(Carrier::LaunchType("FARGATE")));
        assert_eq!(params.cluster, "default");
        let whole = json!({"taskDefinition": "m", "overrides": r#"{"cpu": "512"}"#});
        assert_eq!(read(whole).unwrap().overrides, Some(json!({"cpu": "512"})));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |name: &str, value: Value| {
            let mut all = json!({ "taskDefinition": "m" });
            all[name] = value;
            all
        };
        let long = "x".repeat(LONGEST_NAME + 1);
        for (value, want) in [
            (json!({}), "missing field `taskDefinition`"),
            (json!({"taskDefinition": 7}), "expected a string"),
            (
                json!({"taskDefinition": ""}),
                "taskDefinition must be a name of 1 to 255",
            ),
            (
                json!({ "taskDefinition": long }),
                "taskDefinition must be a name",
            ),
            (with("cluster", json!("a b")), "cluster must be a name"),
            (with("subnets", json!("subnet-1")), "expected a sequence"),
            (
                with("subnets", json!(vec!["a"; 17])),
                "subnets must be at most 16",
            ),
            (
                with("securityGroups", json!(["sg-1"])),
                "securityGroups is given without subnets",
            ),
            (
                with("assignPublicIp", json!(true)),
                "assignPublicIp is given without subnets",
            ),
            (
                with("command", json!(["a"])),
                "command is given without container",
            ),
            (
                with("environment", json!({"a": "b"})),
                "environment is given without container",
            ),
            (
                with("launchType", json!("fargate")),
                "expected one of `FARGATE`",
            ),
            (
                with("timeoutMinutes", json!(0)),
                "timeoutMinutes must be from 1 to 1440",
            ),
            (
                with("logLines", json!(101)),
                "logLines must be from 0 to 100",
            ),
            (
                with("overrides", json!("planted")),
                "expected a JSON object, or its text",
            ),
            (with("planted", json!(1)), "unknown field `planted`"),
            (
                json!({"taskDefinition": "m", "launchType": "EC2", "capacityProvider": "SPOT"}),
                "launchType and capacityProvider are both given",
            ),
            (
                json!({"taskDefinition": "m", "container": "a", "overrides": {}}),
                "container and overrides are both given",
            ),
        ] {
            let error = read(value.clone()).unwrap_err();
            assert!(error.contains(want), "{value}: {error}");
        }
    }
}
