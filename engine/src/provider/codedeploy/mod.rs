//! Deploy/AWS/CodeDeploy/1: to servers that are folders of this machine, with AppSpec, hooks, batches and rollback; else by
//! the real API at an endpoint.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use engine_plan::{
    effect::ActionTask,
    event::{ExecutionDetails, Outcome},
};
use futures_util::future::{BoxFuture, join_all};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use self::{
    fleet::Next,
    server::{Ended, LAST, Names, Server},
};
use super::{Context, Provider, Trouble, artifact, chain, failed, required, workshop::Workshop};
use crate::cloud::Client;

pub mod appspec;
mod fleet;
mod install;
mod real;
mod server;
#[cfg(test)]
mod tests;

pub use fleet::Configuration;

/// Letters of a deployment's id.
const LETTERS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// The provider. Performed again after a restart it deploys again, under the same id: what it had written is its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct CodeDeploy;

impl Provider for CodeDeploy {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let workshop = match Workshop::open(&task, &context) {
                Ok(workshop) => workshop,
                Err(error) => return Some(failed("JobFailed", error.to_string())),
            };
            match at_endpoint(&task, &context, &workshop).await {
                Ok(None) => {}
                Ok(Some(outcome)) => return Some(outcome),
                Err(trouble) => return Some(trouble.outcome(ExecutionDetails::default())),
            }
            let state = context.app.state_dir.to_path_buf();
            let deployment = match Deployment::new(&task, &workshop, state) {
                Ok(deployment) => deployment,
                Err(trouble) => return Some(trouble.outcome(ExecutionDetails::default())),
            };
            let details = deployment.details("the deployment is in progress".to_owned());
            context.progress.tell(details).await;
            Some(deployment.outcome(&task, &workshop, &context.stop).await)
        })
    }
}

/// The group's deployment by the real service, unless `stagewright.toml` knows its servers or no endpoint is named.
async fn at_endpoint(
    task: &ActionTask,
    context: &Context,
    workshop: &Workshop,
) -> Result<Option<Outcome>, Trouble> {
    let (application, group) = (
        required(task, "ApplicationName")?,
        required(task, "DeploymentGroupName")?,
    );
    let known = &workshop.config.codedeploy;
    if known.contains_key(&format!("{application}/{group}")) {
        return Ok(None);
    }
    let client = Client::configured(&context.app, "codedeploy", &task.region);
    match client.map_err(|error| Trouble::job(chain(&error)))? {
        Some(client) => real::deploy(&client, task, context, workshop)
            .await
            .map(Some),
        None => Ok(None),
    }
}

/// One deployment.
struct Deployment {
    names: Names,
    servers: Vec<Server>,
    configuration: Configuration,
    rollback: bool,
}

impl Deployment {
    fn new(task: &ActionTask, workshop: &Workshop, state: PathBuf) -> Result<Self, Trouble> {
        let application = required(task, "ApplicationName")?;
        let group = required(task, "DeploymentGroupName")?;
        let name = format!("{application}/{group}");
        let Some(known) = workshop.config.codedeploy.get(&name) else {
            return Err(Trouble::configuration(format!(
                "action {}: the servers of the deployment group {name} are not known: add [codedeploy.\"{name}\"] targets = [\"FOLDER\", …] to stagewright.toml, or name an endpoint of codedeploy ([endpoint] or --endpoint codedeploy=URL)",
                task.action
            )));
        };
        // scripts have a working folder of their own
        let absolute = |path: &Path| {
            let problem = |error| Trouble::configuration(format!("{}: {error}", path.display()));
            std::path::absolute(path).map_err(problem)
        };
        let folders = known.targets.iter().enumerate();
        let servers = folders.map(|(number, folder)| {
            Ok(Server {
                name: folder.display().to_string(),
                root: absolute(&workshop.config.path(folder))?,
                memory: absolute(&server::memory(&state, &name, number))?,
            })
        });
        Ok(Self {
            servers: servers.collect::<Result<_, Trouble>>()?,
            configuration: known.configuration,
            rollback: known.rollback,
            names: Names {
                application,
                group,
                deployment: id(&task.action_execution),
            },
        })
    }

    fn details(&self, summary: String) -> ExecutionDetails {
        ExecutionDetails {
            summary: Some(summary),
            external_execution_id: Some(self.names.deployment.clone()),
            ..ExecutionDetails::default()
        }
    }

    async fn outcome(
        &self,
        task: &ActionTask,
        workshop: &Workshop,
        stop: &CancellationToken,
    ) -> Outcome {
        match self.run(task, workshop, stop).await {
            Ok(Some(summary)) => {
                workshop.log(&summary);
                Outcome::Succeeded {
                    details: self.details(summary),
                    variables: BTreeMap::new(),
                    revision: None,
                }
            }
            Ok(None) => Outcome::Stopped,
            Err(trouble) => {
                workshop.log(&trouble.message);
                let summary = format!("Deployment {} failed", self.names.deployment);
                trouble.outcome(self.details(summary))
            }
        }
    }

    /// Deploys; the summary, or `None` when it was told to stop.
    async fn run(
        &self,
        task: &ActionTask,
        workshop: &Workshop,
        stop: &CancellationToken,
    ) -> Result<Option<String>, Trouble> {
        let [input] = task.inputs.as_slice() else {
            return Err(Trouble::configuration(
                "a CodeDeploy action has exactly one input artifact",
            ));
        };
        let bundle = workshop.scratch("bundle");
        artifact::unpack(&workshop.objects, input, &bundle).await?;
        let all = self.servers.len();
        let (mut reached, mut problems) = (Vec::new(), Vec::new());
        loop {
            let batch = match self.configuration.next(all, reached.len(), problems.len()) {
                Next::Succeeded => break,
                Next::Failed => return Err(self.failed(&reached, &problems, workshop, stop).await),
                Next::Batch(size) => self.servers.iter().skip(reached.len()).take(size),
            };
            if stop.is_cancelled() {
                return Ok(None);
            }
            let batch: Vec<&Server> = batch.collect();
            let ends = batch
                .iter()
                .map(|server| server.deploy(&bundle, &self.names, workshop, stop));
            for (server, end) in batch.iter().zip(join_all(ends).await) {
                match end {
                    Ok(()) => reached.push((*server, true)),
                    Err(Ended::Stopped) => return Ok(None),
                    Err(Ended::Failed(event, text)) => {
                        let problem = format!("{event} on {}: {text}", server.name);
                        workshop.log(&problem);
                        problems.push(problem);
                        reached.push((*server, false));
                    }
                }
            }
        }
        for (server, _) in reached.iter().filter(|(_, succeeded)| *succeeded) {
            server::remember(server, &bundle).map_err(|error| {
                Trouble::job(format!(
                    "the revision of {} cannot be kept: {error}",
                    server.name
                ))
            })?;
        }
        let done = all - problems.len();
        Ok(Some(format!(
            "Deployment {} succeeded on {done} of {all} servers",
            self.names.deployment
        )))
    }

    /// What is told of a failed deployment, after its rollback.
    async fn failed(
        &self,
        reached: &[(&Server, bool)],
        problems: &[String],
        workshop: &Workshop,
        stop: &CancellationToken,
    ) -> Trouble {
        let mut text = format!(
            "Deployment {} failed: {}",
            self.names.deployment,
            problems.join("; ")
        );
        if !self.rollback {
            return Trouble::job(text);
        }
        let names = Names {
            deployment: id(&format!("{} rollback", self.names.deployment)),
            ..self.names.clone()
        };
        for (server, _) in reached {
            let last = server.memory.join(LAST);
            if !last.is_dir() {
                text += &format!("; {} has no earlier revision to go back to", server.name);
                continue;
            }
            text += &match server.deploy(&last, &names, workshop, stop).await {
                Ok(()) => format!("; {} is back at its last revision", server.name),
                Err(Ended::Stopped) => format!("; the rollback of {} was stopped", server.name),
                Err(Ended::Failed(event, why)) => {
                    format!("; the rollback of {} failed: {event}: {why}", server.name)
                }
            };
        }
        Trouble::job(text)
    }
}

/// `d-` and nine letters, always the same of the same action execution.
fn id(of: &str) -> String {
    let digest = Sha256::digest(of);
    let letters = digest.iter().take(9);
    let letters = letters.map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
    format!("d-{}", letters.collect::<String>())
}
