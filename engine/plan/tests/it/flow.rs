//! Executions from start to end: order, artifacts, variables, events, secrets.

use engine_plan::{effect::Effect, event::Event};
use serde_json::json;

use crate::harness::{
    Desk, approval, declared, pipeline, short, simple, succeeded, succeeded_with,
};

#[test]
fn an_execution_runs_to_its_end() {
    let mut definition = pipeline(&[
        ("Source", &["s"]),
        ("Build", &["b", "b2", "b3@2"]),
        ("Deploy", &["a"]),
    ]);
    definition["stages"][1]["actions"][2]["configuration"]["EnvironmentVariables"] =
        json!("#{sV.VersionId} #{bV.Tag} #{variables.env} #{codepipeline.PipelineExecutionId}");
    definition["variables"] = json!([{"name": "env", "defaultValue": "test"}]);
    let mut desk = Desk::with(declared(definition));
    let id = desk.start();
    assert_eq!(
        desk.events(),
        [
            "pipeline STARTED",
            "stage Source STARTED",
            "action Source/s STARTED"
        ]
    );
    let source = desk.task("s");
    assert_eq!(source.outputs[0].bucket, "artifacts");
    assert!(
        source.outputs[0].key.starts_with("p/s/"),
        "{:?}",
        source.outputs
    );
    desk.tell(succeeded_with(
        &source.action_execution,
        &[("VersionId", "v7")],
    ));
    assert_eq!(
        desk.events(),
        [
            "action Source/s SUCCEEDED",
            "stage Source SUCCEEDED",
            "stage Build STARTED",
            "action Build/b STARTED",
            "action Build/b2 STARTED",
        ]
    );
    let build = desk.task("b");
    assert_eq!(build.inputs[0].key, source.outputs[0].key);
    desk.tell(succeeded_with(&build.action_execution, &[("Tag", "t")]));
    assert_eq!(desk.events(), ["action Build/b SUCCEEDED"]);
    desk.succeed("b2");
    let third = desk.succeed("b3");
    assert_eq!(
        third.configuration["EnvironmentVariables"],
        format!("v7 t test {id}")
    );
    let request = desk.task("a").approval.unwrap();
    assert_eq!(
        request.expires,
        desk.now + jiff::SignedDuration::from_hours(24 * 7)
    );
    desk.events();
    desk.tell(approval("a", &request.token, true));
    assert_eq!(
        desk.events(),
        [
            "action Deploy/a SUCCEEDED",
            "stage Deploy SUCCEEDED",
            "pipeline SUCCEEDED"
        ]
    );
    assert_eq!(desk.statuses(), "Succeeded");
    assert_eq!(desk.state.next_due(), None);
    assert!(desk.state.outstanding().is_empty());
    assert!(desk.replayed() == desk.state);
    // a late report changes nothing
    let before = desk.state.clone();
    desk.tell(succeeded(&source.action_execution));
    assert!(before == desk.state);
}

#[test]
fn an_action_whose_variable_is_missing_fails() {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b", "b2"])]);
    definition["stages"][1]["actions"][0]["configuration"]["ProjectName"] = json!("#{sV.Other}");
    let mut desk = Desk::with(declared(definition));
    desk.start();
    desk.succeed("s");
    assert_eq!(desk.running(), "b2");
    desk.succeed("b2");
    assert_eq!(desk.statuses(), "Failed");
    let (_, run) = desk.state.pipelines["p"].latest_run("Build", "b").unwrap();
    let error = run.error.as_ref().unwrap();
    assert_eq!(error.code, "ConfigurationError");
    assert!(error.message.contains("#{sV.Other}"), "{}", error.message);
    assert_eq!(
        desk.events()[6..],
        [
            "action Build/b STARTED",
            "action Build/b FAILED",
            "action Build/b2 STARTED",
            "action Build/b2 SUCCEEDED",
            "stage Build FAILED",
            "pipeline FAILED"
        ]
    );
}

#[test]
fn what_runs_is_performed_again_with_the_same_ids() {
    let mut desk = Desk::with(declared(pipeline(&[
        ("Source", &["s"]),
        ("Deploy", &["b", "l", "a", "l2"]),
    ])));
    desk.start();
    desk.succeed("s");
    let paused = desk.tasks.iter().find(|it| it.action == "l2").unwrap();
    let job = paused.job.clone().unwrap().id;
    desk.tell(crate::harness::job_succeeded(&job, Some("half")));
    let again: Vec<_> = desk
        .replayed()
        .outstanding()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Perform(task) => Some(*task),
            _ => None,
        })
        .collect();
    desk.task("l2");
    assert_eq!(again, desk.tasks);
}

#[test]
fn events_have_the_shape_of_aws() {
    let mut desk = simple();
    let id = desk.start();
    let source = desk.task("s");
    let key = source.outputs[0].key.clone();
    desk.tell(succeeded_with(&source.action_execution, &[]));
    let envelope = |detail_type: &str, detail: serde_json::Value| {
        json!({
            "version": "0", "detail-type": detail_type, "source": "aws.codepipeline",
            "account": "123456789012", "time": "2026-01-02T03:04:05Z", "region": "us-east-1",
            "resources": ["arn:aws:codepipeline:us-east-1:123456789012:p"], "detail": detail,
        })
    };
    let at = "2026-01-02T03:04:05.678Z";
    assert_eq!(
        desk.emitted[0],
        envelope(
            "CodePipeline Pipeline Execution State Change",
            json!({"pipeline": "p", "execution-id": id, "start-time": at, "state": "STARTED",
                "execution-trigger": {"trigger-type": "StartPipelineExecution",
                    "trigger-detail": "arn:aws:iam::123456789012:user/dana"},
                "version": 1.0, "pipeline-execution-attempt": 1.0})
        )
    );
    assert_eq!(
        desk.emitted[1],
        envelope(
            "CodePipeline Stage Execution State Change",
            json!({"pipeline": "p", "execution-id": id, "start-time": at, "stage": "Source",
                "state": "STARTED", "version": 1.0, "pipeline-execution-attempt": 1.0})
        )
    );
    let artifact = json!([{"name": "s", "s3location": {"bucket": "artifacts", "key": key}}]);
    assert_eq!(
        desk.emitted[3],
        envelope(
            "CodePipeline Action Execution State Change",
            json!({"pipeline": "p", "execution-id": id, "start-time": at, "stage": "Source",
                "action-execution-id": source.action_execution, "action": "s", "state": "SUCCEEDED",
                "region": "us-east-1",
                "type": {"owner": "AWS", "provider": "S3", "category": "Source", "version": "1"},
                "version": 1.0, "pipeline-execution-attempt": 1.0,
                "output-artifacts": artifact, "execution-result": {}})
        )
    );
    let started = desk
        .emitted
        .iter()
        .find(|it| short(it) == "action Build/b STARTED");
    assert_eq!(started.unwrap()["detail"]["input-artifacts"], artifact);
    desk.fail("b");
    desk.succeed("b2");
    let failed = desk
        .emitted
        .iter()
        .find(|it| short(it) == "action Build/b FAILED");
    assert_eq!(failed.unwrap()["detail"]["input-artifacts"], artifact);
    assert_eq!(
        failed.unwrap()["detail"]["execution-result"],
        json!({"external-execution-summary": "it broke", "error-code": "JobFailed"})
    );
}

#[test]
fn debug_texts_hold_no_secrets() {
    let mut definition = pipeline(&[("Source", &["s"]), ("Deploy", &["a"])]);
    definition["stages"][0]["actions"][0]["actionTypeId"] =
        json!({"category": "Source", "owner": "ThirdParty", "provider": "GitHub", "version": "1"});
    definition["stages"][0]["actions"][0]["configuration"] =
        json!({"Owner": "o", "Repo": "r", "Branch": "main", "OAuthToken": "planted"});
    let mut desk = Desk::with(declared(definition.clone()));
    desk.start();
    let source = desk.task("s");
    assert_eq!(source.configuration["OAuthToken"], "planted");
    desk.tell(succeeded(&source.action_execution));
    let token = desk.task("a").approval.unwrap().token;
    desk.tell(approval("a", &token, true));
    let all = format!(
        "{:?}{:?}{source:?}{:?}",
        desk.state, desk.inputs, desk.emitted
    );
    assert!(!all.contains("planted") && !all.contains(token.reveal()));

    // the mask of a reply keeps what is stored
    definition["stages"][0]["actions"][0]["configuration"]["OAuthToken"] = json!("****");
    desk.tell(Event::UpdatePipeline {
        definition: declared(definition),
    });
    desk.start();
    assert_eq!(desk.task("s").configuration["OAuthToken"], "planted");
}
