//! A deployment by CodeDeploy: task definition and AppSpec rendered out of artifacts.

use engine_plan::{effect::ActionTask, event::Outcome};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Context, Ground, Trouble, document, required};
use crate::provider::deployment;

/// Images that an action may name.
const IMAGES: u32 = 4;

pub async fn deploy(task: &ActionTask, context: &Context) -> Result<Outcome, Trouble> {
    let application = required(task, "ApplicationName")?;
    let group = required(task, "DeploymentGroupName")?;
    let ground = Ground::open(task, context)?;
    let text = |key: &str| task.configuration.get(key).filter(|it| !it.is_empty());
    let mut images = Vec::new();
    for number in 1..=IMAGES {
        let (artifact, container) = (
            format!("Image{number}ArtifactName"),
            format!("Image{number}ContainerName"),
        );
        match (text(&artifact), text(&container)) {
            (None, None) => {}
            (Some(name), Some(container)) => {
                let file = "imageDetail.json";
                let detail = ground.text(ground.input(&artifact, name)?, file).await?;
                let uri = document::image_uri(&format!("{file} of {name}"), &detail)?;
                ground.say(&format!("<{container}> is {uri}"));
                images.push((container.clone(), uri));
            }
            _ => {
                let text = format!("{artifact} and {container} belong together");
                return Err(Trouble::configuration(text));
            }
        }
    }
    let file =
        |path: &str, otherwise: &str| text(path).map_or(otherwise, String::as_str).to_owned();
    let key = "TaskDefinitionTemplateArtifact";
    let from = ground.input(key, &required(task, key)?)?;
    let path = file("TaskDefinitionTemplatePath", "taskdef.json");
    let template = ground.text(from, &path).await.map_err(|trouble| {
        Trouble::job(format!(
            "Exception while trying to read the task definition artifact file from: {}: {}",
            from.name, trouble.message
        ))
    })?;
    let definition = document::task_definition(&path, &template, &images)?;
    let key = "AppSpecTemplateArtifact";
    let from = ground.input(key, &required(task, key)?)?;
    let path = file("AppSpecTemplatePath", "appspec.yaml");
    let app_spec = ground.text(from, &path).await?;
    let name = format!("{application}/{group}");
    let clients = (ground.client("ecs")?, ground.client("codedeploy")?);
    let (Some(ecs), Some(codedeploy)) = clients else {
        document::app_spec(&path, &app_spec, "arn")?;
        let summary = format!(
            "{name} would deploy {}",
            definition["family"].as_str().unwrap_or("?")
        );
        return Ok(ground.simulated("ecs and of codedeploy", summary));
    };
    // before anything is made
    document::app_spec(&path, &app_spec, "arn")?;
    let arn = ground.register(&ecs, &definition).await?;
    let content = document::app_spec(&path, &app_spec, &arn)?;
    let digest = hex::encode(Sha256::digest(&content));
    let input = json!({
        "applicationName": application, "deploymentGroupName": group,
        "description": format!("{} {}", task.pipeline, task.execution),
        "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": content, "sha256": digest}}
    });
    deployment::run(&codedeploy, &input, context, &ground.workshop).await
}
