//! A deployment of CodeDeploy at its endpoint: created, watched, stopped. For servers and for ECS.

use std::time::Duration;

use engine_plan::event::{ExecutionDetails, Outcome};
use serde_json::{Value, json};

use super::{Context, Trouble, workshop::Workshop};
use crate::cloud::Client;

const TARGET: &str = "CodeDeploy_20141006";
/// Between two looks at a deployment.
const LOOK: Duration = Duration::from_secs(10);

/// Creates what CreateDeployment is asked for and follows it to its end; told to stop, it stops the deployment.
///
/// # Errors
/// The service refused, or the deployment failed or was stopped by others.
pub async fn run(
    codedeploy: &Client,
    input: &Value,
    context: &Context,
    workshop: &Workshop,
) -> Result<Outcome, Trouble> {
    let made = call(codedeploy, "CreateDeployment", input).await?;
    let id = made["deploymentId"].as_str();
    let id = id.ok_or_else(|| Trouble::job("CodeDeploy made a deployment without an id"))?;
    let details = |summary: &str| ExecutionDetails {
        summary: Some(summary.to_owned()),
        external_execution_id: Some(id.to_owned()),
        ..ExecutionDetails::default()
    };
    let mut told = String::new();
    loop {
        let answer = call(codedeploy, "GetDeployment", &json!({"deploymentId": id})).await?;
        let info = &answer["deploymentInfo"];
        let status = info["status"].as_str().unwrap_or_default();
        match status {
            "Succeeded" => {
                let summary = format!("Deployment {id} succeeded");
                workshop.log(&summary);
                return Ok(Outcome::Succeeded {
                    details: details(&summary),
                    variables: std::collections::BTreeMap::new(),
                    revision: None,
                });
            }
            "Failed" | "Stopped" => {
                let part = |name: &str| info["errorInformation"][name].as_str().unwrap_or_default();
                let rollback = info["rollbackInfo"]["rollbackDeploymentId"].as_str();
                let rollback =
                    rollback.map_or_else(String::new, |id| format!("; rolled back by {id}"));
                let text = format!(
                    "Deployment {id} {}: {} {}{rollback}",
                    status.to_lowercase(),
                    part("code"),
                    part("message")
                );
                return Err(Trouble::job(text));
            }
            status if status != told => {
                let summary = format!("Deployment {id} is {status}");
                workshop.log(&summary);
                status.clone_into(&mut told);
                context.progress.tell(details(&summary)).await;
            }
            _ => {}
        }
        if context.pause(LOOK).await {
            call(codedeploy, "StopDeployment", &json!({"deploymentId": id})).await?;
            workshop.log(&format!("Deployment {id} was told to stop"));
            return Ok(Outcome::Stopped);
        }
    }
}

async fn call(client: &Client, operation: &str, input: &Value) -> Result<Value, Trouble> {
    let target = format!("{TARGET}.{operation}");
    Ok(client.json(&target, "1.1", input).await?)
}
