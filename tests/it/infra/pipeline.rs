//! The example pipeline of `infra/` runs with the engine, from the template that CloudFormation takes.

use std::fs;

use engine::template::{Choice, pipeline};
use harness::{
    engine::Engine,
    example::Example,
    process::{built, run, shown},
    template::template,
    workspace::root,
};
use serde_json::{Value, json};

const PREVIEW: &str = "PreviewUrl={base-url}/_stagewright/site/corner-bakery-preview/";
const SITE: &str = "SiteUrl={base-url}/_stagewright/site/corner-bakery-live/";
const GATE: &str = "\n[function.action-gate]\ntimeout_seconds = 60\n";
/// The custom action `Gate`, done by the function that is called: docs/infra.md.
const CALLED: &str = "[connector.Gate]\nfunction = \"action-gate\"\ncategory = \"Test\"\n\
                      keys = { days = \"days\", timeoutMinutes = \"timeoutMinutes\" }\n";
/// A test passes on any day.
const ALWAYS: &str = r#"["Mon","Tue","Wed","Thu","Fri","Sat","Sun"]"#;

/// The example's account, for the functions that its pipeline names.
fn account(example: &Example, more: &str) -> String {
    built(&["action-gate"]);
    let text = fs::read_to_string(example.config()).expect("the example's configuration");
    format!("{text}{GATE}{more}")
}

/// What `stagewright run` says of the template with these parameters.
fn said(example: &Example, more: &str, parameters: &[&str]) -> String {
    fs::write(example.config(), account(example, more)).expect("written");
    let file = root().join("infra/example-pipeline.yaml");
    let (file, state) = (file.display().to_string(), example.state());
    let (config, state) = (example.config(), state.display().to_string());
    let mut arguments = vec!["run", &file, "--config", &config, "--state", &state];
    for parameter in [&["Functions="], parameters].concat() {
        arguments.extend(["--parameter", parameter]);
    }
    arguments.extend(["--variable", PREVIEW, "--variable", SITE]);
    arguments.extend(["--approve", "yes"]);
    let output = run(&example.folder(), &arguments);
    let said = shown(&output);
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn the_example_pipeline_runs_from_its_template() {
    let said = said(&Example::new(), "", &[]);
    for action in [
        "action-http-check",
        "action-gate",
        "action-publish-site",
        "Hours",
        "Approved in decision",
    ] {
        assert!(said.contains(action), "{action}: {said}");
    }
    assert!(!said.contains("Weekdays"), "{said}");
}

#[test]
fn its_custom_action_runs_as_a_connector() {
    let days = format!("Days={ALWAYS}");
    let said = said(&Example::new(), CALLED, &["Worker=true", &days]);
    assert!(said.contains("✓ Publish  Weekdays"), "{said}");
}

#[test]
fn its_custom_action_runs_in_the_worker_that_the_templates_rule_wakes() {
    let example = Example::new();
    let environment = "environment = { STAGEWRIGHT_TABLE = \"gates\", STAGEWRIGHT_ACTION_TYPE = \"Test/Gate/1\" }\n";
    let account = account(&example, environment);
    // Without its last part: no approval functions, approvals are answered below.
    let (config, gate) = (account.find("# Approval mails"), account.find(GATE));
    let (config, gate) = (
        config.expect("the approvals' part"),
        gate.expect("just added"),
    );
    let config = format!(
        "{}[topic.release-approvals]\n{}",
        &account[..config],
        &account[gate..]
    );
    let engine = Engine::start(&config);
    engine.table("gates");
    engine.ask("CreateCustomActionType", &custom_type("ActionGateType"));
    let functions = template("template.yaml");
    let started = &functions["Resources"]["ActionGate"]["Properties"]["Events"]["Started"];
    let pattern = started["Properties"]["Pattern"].to_string();
    engine.server.events(
        "PutRule",
        &json!({"Name": "started", "EventPattern": pattern}),
    );
    let target =
        json!({"Id": "gate", "Arn": "arn:aws:lambda:eu-west-1:123456789012:function:action-gate"});
    let put = json!({"Rule": "started", "Targets": [target]});
    engine.server.events("PutTargets", &put);

    let parameters = [("Functions", ""), ("Worker", "true"), ("Days", ALWAYS)];
    let choice = Choice {
        parameters: parameters.map(|(k, v)| (k.into(), v.into())).into(),
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
        ..Choice::default()
    };
    let mut definition = pipeline(&template("example-pipeline.yaml"), &choice).expect("a pipeline");
    for (variable, bucket) in definition["variables"]
        .as_array_mut()
        .expect("variables")
        .iter_mut()
        .zip(["preview", "live"])
    {
        let site = format!(
            "{}/_stagewright/site/corner-bakery-{bucket}/",
            engine.server.url
        );
        variable["defaultValue"] = site.into();
    }
    engine.ask("CreatePipeline", &json!({ "pipeline": definition }));

    approve(&engine);
    let over = |action: &Value| action["status"] != "InProgress";
    let actions = engine.actions("site-release", "Publish", |actions| {
        actions.len() == 4 && actions.iter().all(over)
    });
    let worked = actions
        .iter()
        .find(|action| action["actionName"] == "Weekdays");
    let worked = worked.expect("the custom action");
    assert_eq!(worked["input"]["actionTypeId"]["owner"], "Custom");
    let failed: Vec<&Value> = actions
        .iter()
        .filter(|action| action["status"] != "Succeeded")
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let summary = &worked["output"]["executionResult"]["externalExecutionSummary"];
    assert_eq!(summary, "the gate is open, after 0 s", "{worked:#}");
}

/// CreateCustomActionType's input, from the template of custom action types.
fn custom_type(id: &str) -> Value {
    let template = template("custom-action-types.yaml");
    api_spelling(&template["Resources"][id]["Properties"])
}

fn api_spelling(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, inner)| {
                let (first, rest) = key.split_at(1);
                (first.to_lowercase() + rest, api_spelling(inner))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(api_spelling).collect(),
        other => other.clone(),
    }
}

/// Approves, once it is asked for.
fn approve(engine: &Engine) {
    engine.actions("site-release", "Approve", |actions| !actions.is_empty());
    let state = engine.ask("GetPipelineState", &json!({"name": "site-release"}));
    let stages = state["stageStates"].as_array().expect("stages");
    let stage = stages
        .iter()
        .find(|stage| stage["stageName"] == "Approve")
        .expect("the approval's stage");
    let token = &stage["actionStates"][0]["latestExecution"]["token"];
    engine.ask(
        "PutApprovalResult",
        &json!({"pipelineName": "site-release", "stageName": "Approve", "actionName": "Release", "token": token,
                "result": {"summary": "looks good", "status": "Approved"}}),
    );
}
