//! A deployment to servers by the real CodeDeploy, at its endpoint.

use engine_plan::{effect::ActionTask, event::Outcome};
use serde_json::json;

use crate::{
    cloud::Client,
    provider::{Context, Trouble, bundle, deployment, required, workshop::Workshop},
};

/// CodePipeline's bound of an artifact, 1 GB as of its other actions: none of CodeDeploy's own is documented.
const LARGEST: u64 = 1 << 30;

/// Deploys the only input artifact.
pub(super) async fn deploy(
    codedeploy: &Client,
    task: &ActionTask,
    context: &Context,
    workshop: &Workshop,
) -> Result<Outcome, Trouble> {
    let [artifact] = task.inputs.as_slice() else {
        return Err(Trouble::configuration(
            "a CodeDeploy action has exactly one input artifact",
        ));
    };
    workshop.log(&format!("CodeDeploy at {}", codedeploy.endpoint()));
    bundle::place(artifact, LARGEST, &task.region, context, workshop).await?;
    let input = json!({
        "applicationName": required(task, "ApplicationName")?,
        "deploymentGroupName": required(task, "DeploymentGroupName")?,
        "description": format!("{} {}", task.pipeline, task.execution),
        "revision": {"revisionType": "S3", "s3Location": {
            "bucket": artifact.bucket, "key": artifact.key, "bundleType": "zip"}}
    });
    deployment::run(codedeploy, &input, context, workshop).await
}
