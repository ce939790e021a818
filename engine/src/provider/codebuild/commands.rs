//! The Commands action and rule: shell commands without a project, on the same runner as a build.

use std::collections::BTreeMap;

use engine_plan::effect::ActionTask;

use super::{
    buildspec::{ArtifactSpec, Buildspec, Command, Phase, PhaseSpec, Shell, is_variable_name},
    stored::{Declared, Reference},
};
use crate::provider::Trouble;

/// Settings of AWS's machine that this one does not have; they are noted in the log.
const MACHINE: [&str; 4] = ["ComputeType", "VpcId", "Subnets", "SecurityGroupIds"];

/// Whether a task is one of Commands.
pub(super) fn is_one(task: &ActionTask) -> bool {
    task.action_type.provider == engine_plan::rule_type::COMMANDS
}

/// Where AWS keeps its log.
pub(super) fn log_group(task: &ActionTask) -> String {
    format!("/aws/codepipeline/{}", task.pipeline)
}

/// The environment that the action declares.
///
/// # Errors
/// An unknown type, a bad name; values are never part of it.
pub(super) fn environment(task: &ActionTask) -> Result<Declared, Trouble> {
    let mut all = Declared::default();
    for variable in &task.environment {
        let name = &variable.name;
        if !is_variable_name(name) {
            let text = format!("environmentVariables: {name:?} is not a variable name");
            return Err(Trouble::configuration(text));
        }
        match variable.kind.as_deref() {
            None | Some("PLAINTEXT") => {
                all.plain.insert(name.clone(), variable.value.clone());
            }
            Some("SECRETS_MANAGER") => {
                let place = Reference::Secret(variable.value.clone());
                all.stored.insert(name.clone(), place);
            }
            Some(kind) => {
                return Err(Trouble::configuration(format!(
                    "environmentVariables: {name} has type {kind}; use PLAINTEXT or SECRETS_MANAGER"
                )));
            }
        }
    }
    Ok(all)
}

/// What a buildspec would say.
///
/// # Errors
/// No commands, or a machine that this is not.
pub(super) fn spec(task: &ActionTask) -> Result<Buildspec, Trouble> {
    let refuse = |text: String| {
        Err(Trouble::configuration(format!(
            "action {}: {text}",
            task.action
        )))
    };
    if task.commands.is_empty() {
        return refuse("it declares no commands".to_owned());
    }
    if let Some(command) = task.commands.iter().find(|command| command.contains('\n')) {
        let first = command.lines().next().unwrap_or_default();
        return refuse(format!(
            "a command must be a single line, the one beginning with '{first}' is not"
        ));
    }
    if let Some(kind) = task.configuration.get("EnvironmentType")
        && kind != "LINUX_CONTAINER"
    {
        return refuse(format!(
            "EnvironmentType {kind} is not supported: commands run on this machine"
        ));
    }
    if let Some(name) = task
        .output_variables
        .iter()
        .find(|name| !is_variable_name(name))
    {
        return refuse(format!(
            "the output variable {name:?} is not a variable name"
        ));
    }
    let command = |(at, text): (usize, &String)| Command {
        text: text.clone(),
        line: Some(at + 1),
    };
    let artifact = |files: &Vec<String>| ArtifactSpec {
        files: files.clone(),
        ..ArtifactSpec::default()
    };
    let notices = MACHINE
        .iter()
        .filter(|key| task.configuration.contains_key(**key))
        .map(|key| format!("{key} has no effect: commands run on this machine"))
        .collect();
    let named = |output: &&engine_plan::effect::ArtifactLocation| !output.files.is_empty();
    Ok(Buildspec {
        shell: Shell::Bash,
        variables: BTreeMap::new(),
        stored: BTreeMap::new(),
        exported: task.output_variables.clone(),
        phases: vec![PhaseSpec {
            phase: Phase::Build,
            commands: task.commands.iter().enumerate().map(command).collect(),
            finally: Vec::new(),
            on_failure: None,
        }],
        artifacts: None,
        secondary: task
            .outputs
            .iter()
            .filter(named)
            .map(|output| (output.name.clone(), artifact(&output.files)))
            .collect(),
        reports: Vec::new(),
        cache: Vec::new(),
        batch: None,
        notices,
    })
}
