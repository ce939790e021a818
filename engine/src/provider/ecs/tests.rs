//! Deployments against a scripted ECS and CodeDeploy.

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::provider::bench::{Answers, Bench, json_answers, told};

const APPSPEC: &str = "version: 0.0\nResources:\n  - TargetService:\n      Type: AWS::ECS::Service\n      Properties:\n        TaskDefinition: <TASK_DEFINITION>\n        LoadBalancerInfo: {ContainerName: web, ContainerPort: 80}\n";
const TASKDEF: &str =
    r#"{"family": "shop", "containerDefinitions": [{"name": "web", "image": "<WEB>"}]}"#;
const DETAIL: &str = r#"{"ImageURI": "repo@sha256:1"}"#;

const SERVICE: [(&str, &str); 2] = [("ClusterName", "live"), ("ServiceName", "web")];
const IMAGES: &str = r#"[{"name": "web", "imageUri": "repo:2"}]"#;

/// An ECS whose service runs `old:1` with two tasks; `rollout` says how it goes after an update.
fn ecs(mut rollout: impl FnMut(usize) -> Value + Send + 'static) -> Option<Answers> {
    let (mut updated, mut looks) = (false, 0);
    Some(json_answers(move |operation, _| {
        let answer = match operation {
            "DescribeServices" if updated => {
                looks += 1;
                json!({"services": [rollout(looks)]})
            }
            "DescribeServices" => {
                json!({"services": [{"status": "ACTIVE", "taskDefinition": "old:1"}]})
            }
            "DescribeTaskDefinition" => {
                json!({"taskDefinition": {"taskDefinitionArn": "old:1", "revision": 1, "status": "ACTIVE",
                "family": "shop", "cpu": "256", "registeredAt": 1.0, "compatibilities": ["EC2"],
                "containerDefinitions": [{"name": "web", "image": "repo:1"}, {"name": "log", "image": "log:1"}]},
                "tags": [{"key": "team", "value": "shop"}]})
            }
            "RegisterTaskDefinition" => json!({"taskDefinition": {"taskDefinitionArn": "new:2"}}),
            "UpdateService" => {
                updated = true;
                json!({})
            }
            _ => return (400, json!({"__type": "InvalidAction"})),
        };
        (200, answer)
    }))
}

fn service(running: u64, deployments: usize) -> Value {
    let all = vec![json!({"taskDefinition": "new:2"}); deployments];
    json!({"status": "ACTIVE", "taskDefinition": "new:2", "runningCount": running, "desiredCount": 2, "deployments": all})
}

#[tokio::test]
async fn a_service_gets_a_revision_and_is_watched_until_it_is_stable() {
    let bench = Bench::new(
        &["ecs", "codedeploy"],
        ecs(|looks| service(looks as u64, if looks < 2 { 2 } else { 1 })),
    )
    .await;
    bench.put("App", &[("imagedefinitions.json", IMAGES)]).await;
    let (outcome, log) = bench
        .run(&Ecs, &SERVICE, &["App"], CancellationToken::new())
        .await;
    assert_eq!(told(&outcome), "web on live runs new:2");
    assert!(
        log.contains("1 of 2 tasks run") && log.contains("web gets repo:2"),
        "{log}"
    );
    let expected = json!({"family": "shop", "cpu": "256", "tags": [{"key": "team", "value": "shop"}],
        "containerDefinitions": [{"name": "web", "image": "repo:2"}, {"name": "log", "image": "log:1"}]});
    assert_eq!(bench.input("RegisterTaskDefinition"), expected);
    assert_eq!(bench.input("UpdateService")["taskDefinition"], "new:2");
}

#[tokio::test]
async fn a_service_that_does_not_settle_ends_with_its_action() {
    let stop = CancellationToken::new();
    let told_to = stop.clone();
    let bench = Bench::new(
        &["ecs", "codedeploy"],
        ecs(move |looks| {
            if looks == 3 {
                told_to.cancel();
            }
            service(0, 1)
        }),
    )
    .await;
    bench.put("App", &[("imagedefinitions.json", IMAGES)]).await;
    let (outcome, log) = bench.run(&Ecs, &SERVICE, &["App"], stop).await;
    assert_eq!(told(&outcome), "stopped");
    assert!(log.contains("the service goes on"), "{log}");
}

#[tokio::test]
async fn a_deployment_that_cannot_be_says_why() {
    let broken = |_| json!({"taskDefinition": "new:2", "deployments": [{"taskDefinition": "new:2", "rolloutState": "FAILED", "rolloutStateReason": "circuit breaker"}]});
    for (files, expected) in [
        (
            ("imagedefinitions.json", IMAGES),
            "JobFailed: action Deploy: web on live did not take new:2: circuit breaker",
        ),
        (
            (
                "imagedefinitions.json",
                r#"[{"name": "api", "imageUri": "x"}]"#,
            ),
            "ConfigurationError: action Deploy: Invalid action configuration: The AWS ECS container api does not exist",
        ),
        (
            ("imagedefinitions.json", "[]"),
            "JobFailed: action Deploy: Did not find the image definition file in the form [{\"name\": CONTAINER, \"imageUri\": IMAGE}]: imagedefinitions.json: the list at line 1 is empty",
        ),
        (
            (
                "imagedefinitions.json",
                "[{\"name\": \"web\",\n \"image\": \"x\"}]",
            ),
            "JobFailed: action Deploy: Did not find the image definition file in the form [{\"name\": CONTAINER, \"imageUri\": IMAGE}]: imagedefinitions.json: unknown field `image`, expected `name` or `imageUri` at line 2",
        ),
        (
            (
                "imagedefinitions.json",
                "[{\"name\": \"web\",\n\n \"imageUri\": \"\"}]",
            ),
            "JobFailed: action Deploy: Did not find the image definition file in the form [{\"name\": CONTAINER, \"imageUri\": IMAGE}]: imagedefinitions.json: it is empty at line 3",
        ),
        (
            ("other.json", IMAGES),
            "JobFailed: action Deploy: imagedefinitions.json of the artifact App: ",
        ),
    ] {
        let bench = Bench::new(&["ecs", "codedeploy"], ecs(broken)).await;
        bench.put("App", &[files]).await;
        let (outcome, _) = bench
            .run(&Ecs, &SERVICE, &["App"], CancellationToken::new())
            .await;
        assert!(told(&outcome).starts_with(expected), "{}", told(&outcome));
    }
}

const BLUE_GREEN: [(&str, &str); 6] = [
    ("ApplicationName", "shop"),
    ("DeploymentGroupName", "live"),
    ("TaskDefinitionTemplateArtifact", "App"),
    ("AppSpecTemplateArtifact", "App"),
    ("Image1ArtifactName", "Image"),
    ("Image1ContainerName", "WEB"),
];

/// A CodeDeploy whose deployment goes through these states; the last one stays.
fn codedeploy(mut states: Vec<&'static str>) -> Option<Answers> {
    Some(json_answers(move |operation, _| {
        let answer = match operation {
            "RegisterTaskDefinition" => json!({"taskDefinition": {"taskDefinitionArn": "new:2"}}),
            "CreateDeployment" => json!({"deploymentId": "d-1"}),
            "GetDeployment" => {
                let state = match states.len() {
                    1 => states[0],
                    _ => states.remove(0),
                };
                json!({"deploymentInfo": {"status": state, "errorInformation": {"code": "HEALTH_CONSTRAINTS", "message": "unwell"},
                    "rollbackInfo": {"rollbackDeploymentId": "d-2"}}})
            }
            "StopDeployment" => json!({"status": "Pending"}),
            _ => return (400, json!({"__type": "InvalidAction"})),
        };
        (200, answer)
    }))
}

async fn blue_green(bench: &Bench, files: &[(&str, &str)]) -> (Outcome, String) {
    bench.put("App", files).await;
    bench.put("Image", &[("imageDetail.json", DETAIL)]).await;
    let inputs = ["App", "Image"];
    bench
        .run(&BlueGreen, &BLUE_GREEN, &inputs, CancellationToken::new())
        .await
}

#[tokio::test]
async fn a_task_definition_and_an_app_spec_are_rendered_and_deployed() {
    let bench = Bench::new(
        &["ecs", "codedeploy"],
        codedeploy(vec!["Created", "InProgress", "Succeeded"]),
    )
    .await;
    let files = [("taskdef.json", TASKDEF), ("appspec.yaml", APPSPEC)];
    let (outcome, log) = blue_green(&bench, &files).await;
    assert_eq!(told(&outcome), "Deployment d-1 succeeded");
    assert!(log.contains("Deployment d-1 is InProgress"), "{log}");
    let image = &bench.input("RegisterTaskDefinition")["containerDefinitions"][0]["image"];
    assert_eq!(image, "repo@sha256:1");
    let content = bench.input("CreateDeployment")["revision"]["appSpecContent"]["content"].clone();
    assert_eq!(content, APPSPEC.replace("<TASK_DEFINITION>", "new:2"));
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(
        content.as_str().unwrap(),
    ));
    assert_eq!(
        bench.input("CreateDeployment")["revision"]["appSpecContent"]["sha256"],
        digest
    );
}

#[tokio::test]
async fn a_deployment_of_codedeploy_that_cannot_be_says_why() {
    let good = ("appspec.yaml", APPSPEC);
    for (files, expected) in [
        (
            vec![("taskdef.json", TASKDEF), good],
            "JobFailed: action Deploy: Deployment d-1 failed: HEALTH_CONSTRAINTS unwell; rolled back by d-2",
        ),
        (
            vec![good],
            "JobFailed: action Deploy: Exception while trying to read the task definition artifact file from: App: taskdef.json of the artifact App",
        ),
        (
            vec![("taskdef.json", "{}"), good],
            "ConfigurationError: action Deploy: taskdef.json has no <WEB>",
        ),
        (
            vec![("taskdef.json", r#"{"x": "<WEB>"}"#), good],
            "JobFailed: action Deploy: taskdef.json: missing field `family` at line 1",
        ),
        (
            vec![
                ("taskdef.json", TASKDEF),
                ("appspec.yaml", "version: 0.0\nResources: []\n"),
            ],
            "JobFailed: action Deploy: appspec.yaml: Resources must hold a TargetService of Type AWS::ECS::Service at line 2",
        ),
        (
            vec![("taskdef.json", TASKDEF), ("appspec.yaml", "a: [\n")],
            "JobFailed: action Deploy: appspec.yaml: ",
        ),
    ] {
        let bench = Bench::new(&["ecs", "codedeploy"], codedeploy(vec!["Failed"])).await;
        let (outcome, _) = blue_green(&bench, &files).await;
        assert!(told(&outcome).starts_with(expected), "{}", told(&outcome));
    }
}

#[test]
fn image_details_and_task_definitions_that_are_wrong_name_their_line() {
    for (text, says) in [
        (
            "{\"ImageURI\":\n7}",
            "invalid type: integer `7`, expected a text at line 2",
        ),
        (
            "{\n\"Version\": \"1.0\"\n}",
            "missing field `ImageURI` at line 3",
        ),
        ("{\n\"ImageURI\": \"\"}", "it is empty at line 2"),
        ("{\"ImageURI\": ", "EOF while parsing a value at line 1"),
    ] {
        let told = document::image_uri("imageDetail.json of Image", text).unwrap_err();
        let begins = "imageDetail.json of Image does not tell an ImageURI: ";
        let told = told.message;
        assert!(told.starts_with(begins) && told.contains(says), "{told}");
    }
    for (text, says) in [
        (
            "{\"family\": \"a\",\n\"containerDefinitions\": []}",
            "containerDefinitions is empty at line 2",
        ),
        (
            "{\"family\": \"a\",\n\"containerDefinitions\": {}}",
            "expected a sequence at line 2",
        ),
        ("{\"family\": \"a\",\n}", "trailing comma at line 2"),
    ] {
        let told = document::task_definition("taskdef.json", text, &[]).unwrap_err();
        assert!(told.message.contains(says), "{}", told.message);
    }
    let spec = "Resources:\n  - TargetService:\n      Type: AWS::ECS::Service\n      Properties:\n        TaskDefinition: x\n";
    let told = document::app_spec("appspec.yaml", spec, "arn").unwrap_err();
    assert!(
        told.message
            .ends_with("must be <TASK_DEFINITION> at line 5"),
        "{}",
        told.message
    );
}

#[tokio::test]
async fn without_an_endpoint_nothing_is_deployed_and_that_is_said() {
    let bench = Bench::new(&["ecs", "codedeploy"], None).await;
    bench.put("App", &[("imagedefinitions.json", IMAGES)]).await;
    let (outcome, log) = bench
        .run(&Ecs, &SERVICE, &["App"], CancellationToken::new())
        .await;
    assert_eq!(
        told(&outcome),
        "Simulated: web on live would get 1 image(s)"
    );
    assert!(log.contains("SIMULATED: no endpoint of ecs"), "{log}");
    let (outcome, _) = blue_green(
        &bench,
        &[("taskdef.json", TASKDEF), ("appspec.yaml", APPSPEC)],
    )
    .await;
    assert_eq!(told(&outcome), "Simulated: shop/live would deploy shop");
}
