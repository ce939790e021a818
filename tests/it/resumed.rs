//! State machines that start a pipeline and wait for it: `task-start-pipeline`, the pipeline, `event-pipeline`.

use harness::{
    engine::{Engine, pipeline, zip},
    http,
    process::{built, wait},
};
use serde_json::{Value, json};

use crate::connectors::commit_status::listen;

const CONFIG: &str = r#"
[bucket.artifacts]
[bucket.source]
[function.task-start-pipeline]
timeout_seconds = 30
environment = { STAGEWRIGHT_TABLE = "tokens" }
[function.event-pipeline]
timeout_seconds = 30
environment = { STAGEWRIGHT_TABLE = "tokens" }
"#;

/// The example of `docs/pipeline-tasks.md`, without the variables, which its pipeline would have to declare.
fn definition() -> Value {
    let page = include_str!("../../docs/pipeline-tasks.md");
    let example = page.split("```json\n").nth(1);
    let example = example.and_then(|rest| rest.split("```").next());
    let mut definition: Value =
        serde_json::from_str(example.expect("the page has an example")).expect("JSON");
    definition["States"]["Ship"]["Parameters"]["Payload"]["variables"] = json!({});
    definition
}

fn states(engine: &Engine, operation: &str, input: &Value) -> Value {
    let target = format!("AWSStepFunctions.{operation}");
    let answer = http::json(&engine.server.url, "states", &target, input).expect("an answer");
    assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
    answer.json()
}

#[test]
fn a_machine_waits_for_the_pipeline_that_it_started() {
    built(&["task-start-pipeline", "event-pipeline"]);
    let engine = Engine::start(CONFIG);
    engine.table("tokens");
    listen(&engine, "event-pipeline");
    engine.put(
        "/source?versioning",
        b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    );
    engine.put("/source/app.zip", &zip(&[("index.html", "hello")]));
    let approval = json!({"name": "Ok", "configuration": {},
        "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}});
    engine.ask("CreatePipeline", &pipeline("shop", "Ask", &[approval]));
    let first = engine.actions("shop", "Ask", |all| !all.is_empty());
    let stop = |execution: &Value| {
        let input =
            json!({"pipelineName": "shop", "pipelineExecutionId": execution, "abandon": true});
        engine.ask("StopPipelineExecution", &input);
    };
    stop(&first[0]["pipelineExecutionId"]);
    let made = json!({"name": "ship", "roleArn": "arn:aws:iam::123456789012:role/states", "definition": definition().to_string()});
    let machine = states(&engine, "CreateStateMachine", &made)["stateMachineArn"].clone();
    for (name, approved) in [("good", true), ("stopped", false)] {
        let input = json!({"stateMachineArn": machine, "name": name});
        let execution = states(&engine, "StartExecution", &input)["executionArn"].clone();
        let token = wait("the approval", || {
            let state = engine.ask("GetPipelineState", &json!({"name": "shop"}));
            let action = &state["stageStates"][1]["actionStates"][0]["latestExecution"];
            let waits = action["status"] == "InProgress";
            waits.then(|| {
                (
                    action["token"].clone(),
                    state["stageStates"][1]["latestExecution"]["pipelineExecutionId"].clone(),
                )
            })
        });
        let now = states(
            &engine,
            "DescribeExecution",
            &json!({"executionArn": execution}),
        );
        assert_eq!(now["status"], "RUNNING", "{now}");
        if approved {
            let result = json!({"pipelineName": "shop", "stageName": "Ask", "actionName": "Ok", "token": token.0,
                "result": {"summary": "yes", "status": "Approved"}});
            engine.ask("PutApprovalResult", &result);
        } else {
            stop(&token.1);
        }
        let ended = wait("the machine's end", || {
            let now = states(
                &engine,
                "DescribeExecution",
                &json!({"executionArn": execution}),
            );
            (now["status"] != "RUNNING").then_some(now)
        });
        if approved {
            let output = ended["output"].as_str().expect("an output");
            assert!(output.contains("Succeeded"), "{ended}");
        } else {
            // The example's Catch took PipelineStopped.
            assert_eq!(ended["error"], "RolledBack", "{ended}");
        }
    }
}
