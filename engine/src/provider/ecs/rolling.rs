//! A rolling update: a new revision from the one that runs, and the service is updated and watched.

use std::time::Duration;

use engine_plan::{
    effect::ActionTask,
    event::{ExecutionDetails, Outcome},
};
use serde_json::{Value, json};

use super::{Context, Ground, TARGET, Trouble, document, required, succeeded};
use crate::cloud::Client;

/// Between two looks at a service.
const LOOK: Duration = Duration::from_secs(15);
const FILE: &str = "imagedefinitions.json";

/// How a deployment stands.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Moves(String),
    Stable,
    Failed(String),
}

pub async fn deploy(task: &ActionTask, context: &Context) -> Result<Outcome, Trouble> {
    let cluster = required(task, "ClusterName")?;
    let service = required(task, "ServiceName")?;
    let file = task
        .configuration
        .get("FileName")
        .filter(|it| !it.is_empty());
    let file = file.map_or(FILE, String::as_str);
    let ground = Ground::open(task, context)?;
    let [input] = task.inputs.as_slice() else {
        return Err(Trouble::configuration(
            "an ECS action has exactly one input artifact",
        ));
    };
    let images = document::images(file, &ground.text(input, file).await?)?;
    for image in &images {
        ground.say(&format!("{} gets {}", image.name, image.image_uri));
    }
    let Some(ecs) = ground.client("ecs")? else {
        let summary = format!("{service} on {cluster} would get {} image(s)", images.len());
        return Ok(ground.simulated("ecs", summary));
    };
    let running = described(&ecs, &cluster, &service).await?;
    let running = running["taskDefinition"].as_str().unwrap_or_default();
    ground.say(&format!("{service} on {cluster} runs {running}"));
    let input = json!({"taskDefinition": running, "include": ["TAGS"]});
    let description = ecs
        .json(&format!("{TARGET}.DescribeTaskDefinition"), "1.1", &input)
        .await?;
    let revised = document::revised(&description, &images)?;
    let arn = ground.register(&ecs, &revised).await?;
    let input = json!({"cluster": cluster, "service": service, "taskDefinition": arn});
    ecs.json(&format!("{TARGET}.UpdateService"), "1.1", &input)
        .await?;
    let mut told = String::new();
    loop {
        let now = described(&ecs, &cluster, &service).await?;
        match standing(&now, &arn) {
            Standing::Stable => {
                let summary = format!("{service} on {cluster} runs {arn}");
                ground.say(&summary);
                return Ok(succeeded(summary, Some(arn)));
            }
            Standing::Failed(why) => {
                let text = format!("{service} on {cluster} did not take {arn}: {why}");
                return Err(Trouble::job(text));
            }
            Standing::Moves(how) if how != told => {
                ground.say(&how);
                told.clone_from(&how);
                let details = ExecutionDetails {
                    summary: Some(how),
                    external_execution_id: Some(arn.clone()),
                    ..ExecutionDetails::default()
                };
                context.progress.tell(details).await;
            }
            Standing::Moves(_) => {}
        }
        if ground.context.pause(LOOK).await {
            ground.say("The action was given up or timed out; the service goes on");
            return Ok(Outcome::Stopped);
        }
    }
}

async fn described(ecs: &Client, cluster: &str, service: &str) -> Result<Value, Trouble> {
    let input = json!({"cluster": cluster, "services": [service]});
    let answer = ecs
        .json(&format!("{TARGET}.DescribeServices"), "1.1", &input)
        .await?;
    let found = answer["services"].as_array().and_then(|all| all.first());
    let found = found.filter(|it| it["status"] != "INACTIVE");
    found.cloned().ok_or_else(|| {
        Trouble::configuration(format!(
            "the cluster {cluster} has no active service {service}"
        ))
    })
}

/// As the SDKs' waiter for stable services judges, and by the circuit breaker's word.
fn standing(service: &Value, arn: &str) -> Standing {
    let deployments = service["deployments"].as_array();
    let ours = deployments.into_iter().flatten();
    let mut ours = ours.filter(|it| it["taskDefinition"] == arn);
    if let Some(failed) = ours.find(|it| it["rolloutState"] == "FAILED") {
        let why = failed["rolloutStateReason"]
            .as_str()
            .unwrap_or("its rollout failed");
        return Standing::Failed(why.to_owned());
    }
    if service["taskDefinition"] != arn {
        let other = service["taskDefinition"].as_str().unwrap_or_default();
        return Standing::Failed(format!("somebody else deployed {other}"));
    }
    let running = service["runningCount"].as_u64().unwrap_or_default();
    let desired = service["desiredCount"].as_u64().unwrap_or_default();
    let alone = deployments.is_none_or(|all| all.len() <= 1);
    match alone && running == desired {
        true => Standing::Stable,
        false => Standing::Moves(format!("{running} of {desired} tasks run")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_stable_failed_or_on_its_way() {
        let of = |running: u64, deployments: Value| {
            let service = json!({"taskDefinition": "new", "runningCount": running, "desiredCount": 2, "deployments": deployments});
            standing(&service, "new")
        };
        let new = json!({"taskDefinition": "new", "rolloutState": "IN_PROGRESS"});
        let old = json!({"taskDefinition": "old"});
        let broken =
            json!({"taskDefinition": "new", "rolloutState": "FAILED", "rolloutStateReason": "no"});
        assert_eq!(of(2, json!([new])), Standing::Stable);
        assert_eq!(
            of(2, json!([new, old])),
            Standing::Moves("2 of 2 tasks run".to_owned())
        );
        assert_eq!(
            of(1, json!([new])),
            Standing::Moves("1 of 2 tasks run".to_owned())
        );
        assert_eq!(
            of(2, json!([broken, old])),
            Standing::Failed("no".to_owned())
        );
        let other = json!({"taskDefinition": "old", "runningCount": 2, "desiredCount": 2});
        assert!(matches!(standing(&other, "new"), Standing::Failed(why) if why.contains("old")));
    }
}
