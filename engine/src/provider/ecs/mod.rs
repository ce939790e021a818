//! Deploy/AWS/ECS/1 and Deploy/AWS/CodeDeployToECS/1: the real APIs at an endpoint; without one simulated, saying so.

mod blue_green;
pub mod document;
mod rolling;
#[cfg(test)]
mod tests;

use engine_plan::{
    effect::{ActionTask, ArtifactLocation},
    event::{ExecutionDetails, Outcome},
};
use futures_util::future::BoxFuture;
use serde_json::Value;
use shared::archive;

use super::{Context, Provider, Trouble, artifact, chain, required, workshop::Workshop};
use crate::cloud::Client;

/// `X-Amz-Target` begins so.
const TARGET: &str = "AmazonEC2ContainerServiceV20141113";
/// Files are read up to this size, `imagedefinitions.json` as AWS says.
const LARGEST: u64 = 100 << 10;

/// A rolling update.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ecs;

/// A deployment by CodeDeploy.
#[derive(Debug, Clone, Copy, Default)]
pub struct BlueGreen;

impl Provider for Ecs {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let ended = rolling::deploy(&task, &context).await;
            Some(ended.unwrap_or_else(|trouble| failed(&task, trouble)))
        })
    }
}

impl Provider for BlueGreen {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let ended = blue_green::deploy(&task, &context).await;
            Some(ended.unwrap_or_else(|trouble| failed(&task, trouble)))
        })
    }
}

fn failed(task: &ActionTask, trouble: Trouble) -> Outcome {
    let message = match trouble.message.starts_with("action ") {
        true => trouble.message,
        false => format!("action {}: {}", task.action, trouble.message),
    };
    Trouble { message, ..trouble }.outcome(ExecutionDetails::default())
}

/// What an action works with.
struct Ground<'a> {
    task: &'a ActionTask,
    context: &'a Context,
    workshop: Workshop,
}

impl<'a> Ground<'a> {
    fn open(task: &'a ActionTask, context: &'a Context) -> Result<Self, Trouble> {
        let workshop =
            Workshop::open(task, context).map_err(|error| Trouble::job(error.to_string()))?;
        Ok(Self {
            task,
            context,
            workshop,
        })
    }

    fn client(&self, service: &'static str) -> Result<Option<Client>, Trouble> {
        Client::configured(&self.context.app, service, &self.task.region)
            .map_err(|error| Trouble::job(chain(&error)))
    }

    fn input(&self, key: &str, name: &str) -> Result<&'a ArtifactLocation, Trouble> {
        let mut inputs = self.task.inputs.iter();
        inputs.find(|it| it.name == name).ok_or_else(|| {
            Trouble::configuration(format!(
                "{key}: {name} is not an input artifact of the action"
            ))
        })
    }

    /// A file of an input artifact.
    async fn text(&self, artifact: &ArtifactLocation, file: &str) -> Result<String, Trouble> {
        let path = artifact::file(&self.workshop.objects, artifact).await?;
        let name = file.to_owned();
        let read = tokio::task::spawn_blocking(move || {
            let open = std::fs::File::open(path).map_err(|e| e.to_string())?;
            archive::read_one(std::io::BufReader::new(open), &name, LARGEST).map_err(|e| chain(&e))
        });
        let bytes = read.await.unwrap_or_else(|error| Err(error.to_string()));
        let wrong = |problem: &str| {
            Trouble::job(format!(
                "{file} of the artifact {}: {problem}",
                artifact.name
            ))
        };
        let bytes = bytes.map_err(|problem| wrong(&problem))?;
        String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))
    }

    fn say(&self, text: &str) {
        self.workshop.log(text);
    }

    /// Registers a revision; its ARN.
    async fn register(&self, ecs: &Client, definition: &Value) -> Result<String, Trouble> {
        let answer = ecs
            .json(
                &format!("{TARGET}.RegisterTaskDefinition"),
                "1.1",
                definition,
            )
            .await?;
        let arn = answer["taskDefinition"]["taskDefinitionArn"].as_str();
        let arn = arn.ok_or_else(|| Trouble::job("ECS registered a revision without an ARN"))?;
        self.say(&format!("Registered {arn}"));
        Ok(arn.to_owned())
    }

    fn simulated(&self, service: &str, summary: String) -> Outcome {
        self.say(&format!(
            "SIMULATED: no endpoint of {service} is named ([endpoint] or --endpoint {service}=URL), so that nothing is deployed"
        ));
        let summary = format!("Simulated: {summary}");
        self.say(&summary);
        succeeded(summary, None)
    }
}

fn succeeded(summary: String, id: Option<String>) -> Outcome {
    Outcome::Succeeded {
        details: ExecutionDetails {
            summary: Some(summary),
            external_execution_id: id,
            ..ExecutionDetails::default()
        },
        variables: std::collections::BTreeMap::new(),
        revision: None,
    }
}
