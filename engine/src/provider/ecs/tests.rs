//! Deployments against a scripted ECS and CodeDeploy.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    assemble::{self, Engine, Options},
    cloud::scripted,
    config::Config,
    provider::{Held, Progress, workshop::tests::task},
    store::objects::BucketSettings,
};

type Asked = Arc<Mutex<Vec<scripted::Asked>>>;

type Answers = Box<dyn FnMut(&str, &Value) -> (u16, Value) + Send>;

struct Bench {
    engine: Engine,
    asked: Asked,
    folder: tempfile::TempDir,
}

const APPSPEC: &str = "version: 0.0\nResources:\n  - TargetService:\n      Type: AWS::ECS::Service\n      Properties:\n        TaskDefinition: <TASK_DEFINITION>\n        LoadBalancerInfo: {ContainerName: web, ContainerPort: 80}\n";
const TASKDEF: &str =
    r#"{"family": "shop", "containerDefinitions": [{"name": "web", "image": "<WEB>"}]}"#;
const DETAIL: &str = r#"{"ImageURI": "repo@sha256:1"}"#;

impl Bench {
    async fn new(mut answers: Option<Answers>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let asked: Asked = Arc::default();
        let mut config = Config::default();
        if let Some(mut answers) = answers.take() {
            let kept = Arc::clone(&asked);
            let url = scripted::serve(move |asked| {
                kept.lock().unwrap().push(asked.clone());
                let (status, answer) = answers(&asked.0, &asked.1);
                (status, answer.to_string())
            })
            .await;
            config.endpoint.insert("ecs".to_owned(), url.clone());
            config.endpoint.insert("codedeploy".to_owned(), url);
        }
        let mut options = Options::new(config, folder.path());
        options.fast_clock = true;
        let (engine, _) = assemble::start(options).await.unwrap();
        engine.perform();
        let objects = &engine.app.objects;
        objects
            .create_bucket("artifacts", BucketSettings::default())
            .await
            .unwrap();
        Self {
            engine,
            asked,
            folder,
        }
    }

    async fn put(&self, artifact: &str, files: &[(&str, &str)]) {
        let source = tempfile::tempdir_in(self.folder.path()).unwrap();
        for (name, text) in files {
            fs::write(source.path().join(name), text).unwrap();
        }
        let place = task("A", &[], &[artifact], &[]).inputs.remove(0);
        let zip = self.folder.path().join(format!("{artifact}.zip"));
        drop(fs::remove_file(&zip));
        artifact::pack(&self.engine.app.objects, &place, None, source.path(), &zip)
            .await
            .unwrap();
    }

    async fn run(
        &self,
        provider: &dyn Provider,
        keys: &[(&str, &str)],
        inputs: &[&str],
        stop: CancellationToken,
    ) -> (Outcome, String) {
        let task = task("Deploy", keys, inputs, &[]);
        let app = &self.engine.app;
        let context = Context {
            app: app.clone(),
            stop,
            progress: Progress {
                action_execution: task.action_execution.clone(),
                desk: app.desk.clone(),
            },
            held: Held::new(app.clock.clone(), app.clock.busy()),
        };
        let outcome = provider.perform(task.clone(), context).await.unwrap();
        let log = app
            .logs
            .read(&task.execution, &task.action_execution, 0, 1 << 20);
        (outcome, String::from_utf8(log.unwrap()).unwrap())
    }

    fn input(&self, operation: &str) -> Value {
        let asked = self.asked.lock().unwrap();
        let found = asked.iter().find(|(name, _)| name == operation);
        found.map(|(_, input)| input.clone()).unwrap_or_default()
    }
}

const SERVICE: [(&str, &str); 2] = [("ClusterName", "live"), ("ServiceName", "web")];
const IMAGES: &str = r#"[{"name": "web", "imageUri": "repo:2"}]"#;

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded { details, .. } => details.summary.clone().unwrap_or_default(),
        Outcome::Failed { code, message, .. } => format!("{code}: {message}"),
        Outcome::Stopped => "stopped".to_owned(),
    }
}

/// An ECS whose service runs `old:1` with two tasks; `rollout` says how it goes after an update.
fn ecs(mut rollout: impl FnMut(usize) -> Value + Send + 'static) -> Option<Answers> {
    let (mut updated, mut looks) = (false, 0);
    Some(Box::new(move |operation, _| {
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
    let bench = Bench::new(ecs(|looks| {
        service(looks as u64, if looks < 2 { 2 } else { 1 })
    }))
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
    let bench = Bench::new(ecs(move |looks| {
        if looks == 3 {
            told_to.cancel();
        }
        service(0, 1)
    }))
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
            "JobFailed: action Deploy: imagedefinitions.json must name",
        ),
        (
            (
                "imagedefinitions.json",
                "[{\"name\": \"web\",\n \"image\": \"x\"}]",
            ),
            "JobFailed: action Deploy: Did not find the image definition file in the form [{\"name\": CONTAINER, \"imageUri\": IMAGE}]: imagedefinitions.json: unknown field `image`, expected `name` or `imageUri` at line 2",
        ),
        (
            ("other.json", IMAGES),
            "JobFailed: action Deploy: imagedefinitions.json of the artifact App: ",
        ),
    ] {
        let bench = Bench::new(ecs(broken)).await;
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
    Some(Box::new(move |operation, _| {
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
    let bench = Bench::new(codedeploy(vec!["Created", "InProgress", "Succeeded"])).await;
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
            "JobFailed: action Deploy: taskdef.json must have a family",
        ),
        (
            vec![
                ("taskdef.json", TASKDEF),
                ("appspec.yaml", "version: 0.0\nResources: []\n"),
            ],
            "JobFailed: action Deploy: appspec.yaml: Resources must hold a TargetService",
        ),
        (
            vec![("taskdef.json", TASKDEF), ("appspec.yaml", "a: [\n")],
            "JobFailed: action Deploy: appspec.yaml: ",
        ),
    ] {
        let bench = Bench::new(codedeploy(vec!["Failed"])).await;
        let (outcome, _) = blue_green(&bench, &files).await;
        assert!(told(&outcome).starts_with(expected), "{}", told(&outcome));
    }
}

#[tokio::test]
async fn without_an_endpoint_nothing_is_deployed_and_that_is_said() {
    let bench = Bench::new(None).await;
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
