//! CodeBuild on this machine: a buildspec run by the host's shell.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use engine_plan::{
    effect::{ActionTask, ArtifactLocation},
    event::Outcome,
};
use futures_util::future::BoxFuture;

use super::{Context, Provider, chain, failed, workshop::Workshop};
use build::Build;
use buildspec::Member;
use sha2::{Digest as _, Sha256};
use stored::Stores;

mod artifacts;
mod batch;
mod build;
pub mod buildspec;
mod cache;
mod commands;
mod container;
mod environment;
mod masks;
pub mod reports;
mod run;
mod shell;
mod sources;
mod stored;
mod upload;
mod work;

pub use container::program as container_program;

/// The provider of CodeBuild as an action and as a rule, and of Commands, which runs on the same machine.
#[derive(Debug, Clone, Default)]
pub struct CodeBuild {
    counting: Arc<Mutex<()>>,
}

impl Provider for CodeBuild {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        let counting = Arc::clone(&self.counting);
        Box::pin(async move {
            let stores = match Stores::open(&context.app, &task.region) {
                Ok(stores) => stores,
                Err(error) => return Some(failed("JobFailed", chain(&error))),
            };
            let workshop = match Workshop::open(&task, &context) {
                Ok(workshop) => workshop,
                Err(error) => return Some(failed("JobFailed", scratch_failed(&error))),
            };
            let project = task
                .configuration
                .get("ProjectName")
                .cloned()
                .unwrap_or_default();
            let number = if is_project_name(&project) {
                let _one = counting.lock().unwrap_or_else(PoisonError::into_inner);
                count(&context.app.state_dir, &project, &task.action_execution)
            } else {
                0
            };
            let revision = primary(&task).ok().flatten().and_then(|input| {
                context.app.desk.read(|state| {
                    let execution = state
                        .pipelines
                        .get(&task.pipeline)?
                        .executions
                        .iter()
                        .find(|one| one.id == task.execution)?;
                    let artifact = execution.artifacts.get(&input.name)?;
                    Some(artifact.revision.as_ref()?.revision_id.clone())
                })
            });
            let build = Build {
                task: &task,
                workshop: &workshop,
                stores: &stores,
                caches: Some(context.app.state_dir.join("build-cache")),
                number,
                revision,
                progress: Some(&context.progress),
                member: None,
                masks: Mutex::default(),
            };
            Some(build.perform(&context.stop).await)
        })
    }
}

/// The same when the action is performed again.
fn build_id(task: &ActionTask, member: Option<&Member>) -> String {
    let project = match task.configuration.get("ProjectName") {
        Some(project) => project.clone(),
        None if commands::is_one(task) => format!("{}-{}", task.pipeline, task.action),
        None => String::new(),
    };
    let id = match member {
        None => task.action_execution.clone(),
        Some(member) => {
            let of = format!("{} {}", task.action_execution, member.identifier);
            let digest: [u8; 32] = Sha256::digest(of).into();
            let bytes: [u8; 16] = std::array::from_fn(|at| digest[at]);
            uuid::Builder::from_random_bytes(bytes)
                .into_uuid()
                .to_string()
        }
    };
    format!("{project}:{id}")
}

/// The environment entry that every process of the build of this id has.
fn mark(build_id: &str) -> String {
    format!("CODEBUILD_BUILD_ID={build_id}")
}

/// `PrimarySource`, or the only input; of Commands the first input, if there is one.
fn primary(task: &ActionTask) -> Result<Option<&ArtifactLocation>, String> {
    if commands::is_one(task) {
        return Ok(task.inputs.first());
    }
    let named = task.configuration.get("PrimarySource");
    match (named, task.inputs.as_slice()) {
        (_, []) => Err("CodeBuild needs at least one input artifact".to_owned()),
        (None, [only]) => Ok(Some(only)),
        (None, _) => {
            Err("PrimarySource is needed when there is more than one input artifact".to_owned())
        }
        (Some(name), inputs) => inputs
            .iter()
            .find(|input| input.name == *name)
            .map(Some)
            .ok_or_else(|| format!("PrimarySource {name} is not an input artifact of the action")),
    }
}

fn scratch_failed(error: &io::Error) -> String {
    format!("the scratch folder of the build cannot be made: {error}")
}

/// CodeBuild's rule for names of projects; also what makes one a file name.
fn is_project_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= 255 && name.chars().all(plain)
}

/// The number of this build of the project; a build that is performed again keeps its number.
/// Not being able to count is no reason not to build.
fn count(state_dir: &Path, project: &str, action_execution: &str) -> u64 {
    let file: PathBuf = state_dir.join("builds").join(project);
    let last = fs::read_to_string(&file).unwrap_or_default();
    let (number, id) = last.split_once(' ').unwrap_or(("0", ""));
    let number: u64 = number.parse().unwrap_or(0);
    if id == action_execution {
        return number;
    }
    let next = number + 1;
    let written = fs::create_dir_all(state_dir.join("builds"))
        .and_then(|()| fs::write(&file, format!("{next} {action_execution}")));
    if let Err(error) = written {
        tracing::warn!(%error, project, "the build number was not kept");
    }
    next
}

#[cfg(test)]
mod tests;
