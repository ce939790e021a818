//! The whole action over its vendors' stand-in: every outcome on every host, and every call failed, lost, cut off, repeated.

use std::{collections::BTreeMap, sync::Mutex};

use serde_json::{Value, json};

use shared::{
    config::Source,
    drive::Outcome,
    job::{FailureKind, Report},
    port::{PortError, ServiceCall, Services},
};

use shared_testkit::{
    Driven, Failing, Host, Mode, VirtualTime, World, describes, events,
    memory::{MemoryLedger, MemorySecrets},
    repeat_and_fail,
};

use stagewright_standins::{
    InMemory, Reply, Stage, Trick,
    code_host::{COMMIT, CodeHost},
};

use crate::{CommitStatus, settings::settings};

mod app;
mod ends;
mod faults;

/// GetPipelineExecution of one execution.
#[derive(Debug, Clone, Default)]
struct Pipelines(Value);

impl Services for Pipelines {
    async fn call(&self, call: &ServiceCall<'_>) -> Result<Value, PortError> {
        assert_eq!(call.operation, "GetPipelineExecution");
        Ok(json!({"pipelineExecution": self.0}))
    }
}

type Tested = CommitStatus<
    Failing<InMemory<CodeHost, VirtualTime>>,
    VirtualTime,
    Failing<MemorySecrets>,
    Failing<MemoryLedger>,
    Pipelines,
>;

struct Environment(&'static str);

impl Source for Environment {
    fn get(&self, name: &str) -> Option<String> {
        (name == "STAGEWRIGHT_COMMIT_STATUS").then(|| self.0.to_owned())
    }
}

fn parameters(provider: &str) -> Value {
    json!({"provider": provider, "repository": "shop/site", "commit": COMMIT, "state": "success",
           "token": "ssm:/token", "targetUrl": "https://ci.example.com/7"})
}

fn stage() -> Stage<CodeHost> {
    Stage::new(CodeHost::with(COMMIT))
}

fn action(world: &World, stage: &Stage<CodeHost>, execution: &Value) -> Tested {
    world.secrets.inner.set("ssm:/token", "planted-token");
    world.secrets.inner.set("ssm:/old", "planted-old");
    world.secrets.inner.set("ssm:/key", "planted-key");
    let from_events = settings(&Environment(
        r#"{"provider": "github", "token": "ssm:/token", "repository": "shop/site"}"#,
    ));
    CommitStatus::new(
        Failing::new(stage.http(world.time), &world.plan),
        world.time,
        world.secrets.clone(),
        world.ledger.clone(),
        Pipelines(execution.clone()),
        from_events.expect("settings"),
        |key, _| (key.reveal() == "planted-key").then(|| b"planted-signature".to_vec()),
    )
}

async fn everywhere(
    stage: impl Fn() -> Stage<CodeHost>,
    wanted: &Value,
) -> (Stage<CodeHost>, Report) {
    let mut last: Option<(Stage<CodeHost>, Report)> = None;
    for host in Host::ALL {
        let (world, stage) = (World::new(Mode::Work), stage());
        let action = action(&world, &stage, &Value::Null);
        let report = world.play_on(host, &action, &events::job(wanted)).await;
        let told = format!("{:?} {report:?} {action:?}", world.reporter.inner.taken());
        assert!(!told.contains("planted"), "{told}");
        if let Some((_, before)) = &last {
            let same = std::mem::discriminant(before) == std::mem::discriminant(&report);
            assert!(same, "{host:?}: {report:?}");
        }
        last = Some((stage, report));
    }
    last.expect("four hosts")
}

fn with(mut parameters: Value, more: Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        parameters[name] = value.clone();
    }
    parameters
}

fn success(report: Report) -> BTreeMap<String, String> {
    match report {
        Report::Success { variables, .. } => variables,
        report => unreachable!("{report:?}"),
    }
}

#[test]
fn the_description_agrees_with_the_parameters() {
    describes::<Tested>(&parameters("github"));
}

#[tokio::test(start_paused = true)]
async fn a_commit_says_what_the_pipeline_thinks() {
    let long = "x".repeat(200);
    let wanted = with(
        parameters("github"),
        json!({"description": long, "context": "ci/build"}),
    );
    let (stage, report) = everywhere(stage, &wanted).await;
    let variables = success(report);
    assert_eq!(
        (&*variables["State"], &*variables["Commit"]),
        ("success", COMMIT)
    );
    let (commit, context, body) = stage.with(|host| host.statuses[0].clone());
    assert_eq!((commit.as_str(), context.as_str()), (COMMIT, "ci/build"));
    assert_eq!(body["description"].as_str().unwrap().chars().count(), 140);
    assert_eq!(body["target_url"], "https://ci.example.com/7");

    let context = "codepipeline/a-pipeline-with-a-very-long-name/Build";
    for user in [json!({}), json!({"user": "a@example.com"})] {
        let wanted = with(
            parameters("bitbucket"),
            json!({"context": context, "state": "stopped"}),
        );
        let wanted = with(wanted, json!({"baseUrl": "https://api.bitbucket.org/2.0"}));
        let (stage, report) = everywhere(super::tests::stage, &with(wanted, user)).await;
        assert_eq!(success(report)["State"], "STOPPED");
        let builds = stage.with(|host| host.builds.clone());
        let ((_, key), body) = builds.iter().next().expect("a build");
        assert_eq!((builds.len(), key.len()), (1, 40));
        assert_eq!(
            (&body["name"], &body["state"]),
            (&json!(context), &json!("STOPPED"))
        );
    }

    for (state, status, conclusion) in [
        ("pending", "in_progress", Value::Null),
        ("stopped", "completed", json!("cancelled")),
        ("success", "completed", json!("success")),
    ] {
        let wanted = with(parameters("github-check"), json!({"state": state}));
        let (stage, report) = everywhere(super::tests::stage, &wanted).await;
        assert_eq!(success(report)["CheckRunId"], "9000000000");
        let check = stage.with(|host| host.checks[&9_000_000_000].clone());
        assert_eq!(
            (&check["status"], &check["conclusion"]),
            (&json!(status), &conclusion)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_pipelines_events_are_told_to_its_commits() {
    let revision = json!({"name": "Source", "revisionId": COMMIT, "revisionUrl": "https://eu-west-1.console.aws.amazon.com/x"});
    let object = json!({"name": "Other", "revisionId": "an-s3-version"});
    let change = |kind: &str, state: &str, category: Option<&str>| {
        let mut event = json!({
            "id": "e", "detail-type": format!("CodePipeline {kind} Execution State Change"), "source": "aws.codepipeline",
            "account": "1", "time": "2026-01-24T22:03:07Z", "region": "eu-west-1",
            "detail": {"pipeline": "shop", "execution-id": "12345678", "state": state, "stage": "S", "action": "A"}
        });
        if let Some(category) = category {
            event["detail"]["type"] =
                json!({"owner": "AWS", "provider": "S3", "category": category, "version": "1"});
        }
        event
    };
    // Late and out of order: what counts is how the execution is now.
    for (event, status, expected) in [
        (
            change("Pipeline", "STARTED", None),
            "InProgress",
            Some("pending"),
        ),
        (
            change("Action", "SUCCEEDED", Some("Source")),
            "InProgress",
            Some("pending"),
        ),
        (
            change("Action", "SUCCEEDED", Some("Source")),
            "Succeeded",
            Some("success"),
        ),
        (
            change("Pipeline", "FAILED", None),
            "Failed",
            Some("failure"),
        ),
        (
            change("Pipeline", "STOPPED", None),
            "Stopped",
            Some("error"),
        ),
        (
            change("Pipeline", "SUPERSEDED", None),
            "Superseded",
            Some("error"),
        ),
        (
            change("Action", "SUCCEEDED", Some("Build")),
            "InProgress",
            None,
        ),
        (change("Stage", "FAILED", None), "Failed", None),
        (change("Pipeline", "STARTED", None), "Unheard", None),
    ] {
        let (world, stage) = (World::new(Mode::Work), stage());
        let execution =
            json!({"status": status, "artifactRevisions": [revision, object, revision]});
        let action = action(&world, &stage, &execution);
        let Driven::Answered(answer) = world.deliver(&action, &event).await else {
            unreachable!("nothing dies");
        };
        assert!(
            matches!(*answer, Ok(Outcome::Heard(_))),
            "{event}: {answer:?}"
        );
        let said = stage.with(|host| host.statuses.clone());
        let states: Vec<&str> = said
            .iter()
            .filter_map(|(_, _, body)| body["state"].as_str())
            .collect();
        assert_eq!(states, expected.into_iter().collect::<Vec<_>>(), "{event}");
        if let Some((_, context, body)) = said.first() {
            assert_eq!(context, "codepipeline/shop");
            let link = body["target_url"].as_str().unwrap();
            assert!(
                link.contains("/pipelines/shop/executions/12345678/"),
                "{link}"
            );
        }
    }
    // What fails brings the event again.
    let (world, stage) = (World::new(Mode::Work), stage());
    stage.always("POST", "", Trick::status(503));
    let execution = json!({"status": "Failed", "artifactRevisions": [revision]});
    let action = action(&world, &stage, &execution);
    let driven = world
        .deliver(&action, &change("Pipeline", "FAILED", None))
        .await;
    assert!(driven.is_retried(), "{driven:?}");
}
