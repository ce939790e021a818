//! Deploy/AWS/CloudFormation/1: the real API at an endpoint; without one it is simulated, and says so.

mod api;
mod files;
mod plan;
mod run;
mod simulate;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use engine_plan::{
    effect::ActionTask,
    event::{ExecutionDetails, Outcome},
};
use futures_util::future::BoxFuture;

use self::{
    api::Api,
    files::{Desired, desired},
    plan::{Mode, Plan},
    run::Deploying,
};
use super::{Context, Provider, Trouble, artifact, chain, workshop::Workshop};
use crate::cloud::Client;

/// The provider. Performed again after a restart it makes the same calls with the same token, which CloudFormation takes
/// for one.
#[derive(Debug, Clone, Copy, Default)]
pub struct CloudFormation;

impl Provider for CloudFormation {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let ended = deploy(&task, &context).await;
            Some(ended.unwrap_or_else(|trouble| trouble.outcome(ExecutionDetails::default())))
        })
    }
}

/// How the work ended.
struct Ended {
    summary: String,
    stack: Option<String>,
    outputs: BTreeMap<String, String>,
}

async fn deploy(task: &ActionTask, context: &Context) -> Result<Outcome, Trouble> {
    let workshop = Workshop::open(task, context)
        .map_err(|error| Trouble::job(format!("action {}: {error}", task.action)))?;
    let plan = Plan::of(task).map_err(|trouble| about(task, trouble))?;
    let desired = desired(&plan, task, &workshop).await?;
    let client = Client::configured(&context.app, "cloudformation", &task.region)
        .map_err(|error| Trouble::job(chain(&error)))?;
    let ended = match client {
        None => simulate::simulate(&plan, desired.as_ref(), &workshop)?,
        Some(client) => {
            workshop.log(&format!("CloudFormation at {}", client.endpoint()));
            let deploying = Deploying {
                api: Api(client),
                plan: &plan,
                desired: desired.as_ref(),
                task,
                context,
                workshop: &workshop,
            };
            match deploying.finish().await? {
                Some(ended) => ended,
                None => return Ok(Outcome::Stopped),
            }
        }
    };
    workshop.log(&ended.summary);
    write(task, &plan, &ended.outputs, &workshop).await?;
    let variables = match plan.mode {
        Mode::DeleteOnly => BTreeMap::new(),
        _ => ended.outputs,
    };
    Ok(Outcome::Succeeded {
        details: ExecutionDetails {
            summary: Some(ended.summary),
            external_execution_id: ended.stack,
            ..ExecutionDetails::default()
        },
        variables,
        revision: None,
    })
}

fn about(task: &ActionTask, trouble: Trouble) -> Trouble {
    match trouble.message.starts_with("action ") {
        true => trouble,
        false => Trouble {
            message: format!("action {}: {}", task.action, trouble.message),
            ..trouble
        },
    }
}

/// `OutputFileName`: the outputs, in the output artifact.
async fn write(
    task: &ActionTask,
    plan: &Plan,
    outputs: &BTreeMap<String, String>,
    workshop: &Workshop,
) -> Result<(), Trouble> {
    let (Some(name), Some(output)) = (&plan.output_file, task.outputs.first()) else {
        return Ok(());
    };
    let folder = workshop.scratch("output");
    let file = folder.join(name);
    let text = serde_json::to_string_pretty(outputs).unwrap_or_default();
    let written = async {
        tokio::fs::create_dir_all(file.parent().unwrap_or(&folder)).await?;
        tokio::fs::write(&file, text).await
    };
    written
        .await
        .map_err(|e| Trouble::job(format!("action {}: {name}: {e}", task.action)))?;
    let zip = workshop.scratch("output.zip");
    let key = task.encryption_key.as_ref();
    artifact::pack(&workshop.objects, output, key, &folder, &zip).await?;
    Ok(())
}
