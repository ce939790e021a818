//! Executions from start to end: order, artifacts, variables, events, failures, stops, retries, modes.

use std::collections::BTreeMap;

use engine_plan::event::Event;
use serde_json::json;

use crate::harness::{Desk, declared, pipeline, start, succeeded, succeeded_with};

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
    let approval = desk.task("a").approval.unwrap();
    assert_eq!(
        approval.expires,
        desk.now + jiff::SignedDuration::from_hours(24 * 7)
    );
    desk.events();
    desk.tell(Event::Approval {
        pipeline: "p".to_owned(),
        stage: "Deploy".to_owned(),
        action: "a".to_owned(),
        token: approval.token,
        approved: true,
        summary: "go".to_owned(),
        by: "arn:aws:iam::123456789012:user/dana".to_owned(),
    });
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
    let _ = (start("p"), BTreeMap::<String, String>::new());
}
