//! State machines that start a pipeline and wait for it: `task-start-pipeline`, the pipeline, `event-pipeline`.

use harness::{
    engine::{Engine, pipeline, zip},
    http,
    process::{built, wait},
};
use serde_json::{Value, json};

const CONFIG: &str = r#"
[bucket.artifacts]
[bucket.source]
[function.task-start-pipeline]
timeout_seconds = 30
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

fn start(engine: &Engine, machine: &Value, name: &str) -> Value {
    // What the name begins with names the run: see `a_run_that_has_ended_answers_the_next_attempt_at_once`.
    let run = json!({"run": name.split('-').next()});
    let input = json!({"stateMachineArn": machine, "name": name, "input": run.to_string()});
    let started = states(engine, "StartExecution", &input);
    json!({"executionArn": started["executionArn"]})
}

fn ended(engine: &Engine, execution: &Value) -> Value {
    wait("the machine's end", || {
        let now = states(engine, "DescribeExecution", execution);
        (now["status"] != "RUNNING").then_some(now)
    })
}

/// The open approval's token, and the execution that asks it; not `before`.
fn asked(engine: &Engine, before: &Value) -> (Value, Value) {
    wait("the approval", || {
        let state = engine.ask("GetPipelineState", &json!({"name": "shop"}));
        let stage = &state["stageStates"][1];
        let action = &stage["actionStates"][0]["latestExecution"];
        let execution = &stage["latestExecution"]["pipelineExecutionId"];
        let waits = action["status"] == "InProgress" && execution != before;
        waits.then(|| (action["token"].clone(), execution.clone()))
    })
}

fn stop(engine: &Engine, execution: &Value) {
    let input = json!({"pipelineName": "shop", "pipelineExecutionId": execution, "abandon": true});
    engine.ask("StopPipelineExecution", &input);
}

fn decide(engine: &Engine, token: &Value, status: &str) {
    let result = json!({"pipelineName": "shop", "stageName": "Ask", "actionName": "Ok", "token": token,
        "result": {"summary": "seen", "status": status}});
    engine.ask("PutApprovalResult", &result);
}

/// An engine with the pipeline `shop`, whose first execution was stopped: that execution.
fn shop() -> (Engine, Value) {
    built(&["task-start-pipeline", "event-pipeline"]);
    let engine = Engine::start(CONFIG);
    engine.put(
        "/source?versioning",
        b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    );
    engine.put("/source/app.zip", &zip(&[("index.html", "hello")]));
    let approval = json!({"name": "Ok", "configuration": {},
        "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}});
    engine.ask("CreatePipeline", &pipeline("shop", "Ask", &[approval]));
    let (_, first) = asked(&engine, &Value::Null);
    stop(&engine, &first);
    (engine, first)
}

fn machine(engine: &Engine, definition: &Value) -> Value {
    let made = json!({"name": "ship", "roleArn": "arn:aws:iam::123456789012:role/states", "definition": definition.to_string()});
    states(engine, "CreateStateMachine", &made)["stateMachineArn"].clone()
}

/// What is kept of the task that waits for an execution.
fn waiter(engine: &Engine, execution: &Value) -> Value {
    let key = format!("resume#{}", execution.as_str().expect("an id"));
    let get = json!({"TableName": "stagewright", "Key": {"pk": {"S": key}, "sk": {"S": "task"}}});
    let target = "DynamoDB_20120810.GetItem";
    let answer = http::json(&engine.server.url, "dynamodb", target, &get).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["Item"].clone()
}

#[test]
fn a_machine_waits_for_the_pipeline_that_it_started() {
    let (engine, first) = shop();
    let machine = machine(&engine, &definition());

    let execution = start(&engine, &machine, "good");
    let (token, good) = asked(&engine, &first);
    let now = states(&engine, "DescribeExecution", &execution);
    assert_eq!(now["status"], "RUNNING", "{now}");
    decide(&engine, &token, "Approved");
    let output = ended(&engine, &execution)["output"].clone();
    let output = output.as_str().expect("an output");
    assert!(output.contains("Succeeded"), "{output}");

    // The example's Catch takes PipelineStopped and PipelineFailed.
    let execution = start(&engine, &machine, "stopped");
    let (_, stopped) = asked(&engine, &good);
    stop(&engine, &stopped);
    assert_eq!(ended(&engine, &execution)["error"], "RolledBack");

    // The second waits before the stage when the third takes its place; the first holds the stage and is refused then.
    let failed = start(&engine, &machine, "failed");
    let (token, _) = asked(&engine, &stopped);
    let waiting = |times: usize| {
        wait("an execution before the stage", || {
            let all = engine.ask("ListPipelineExecutions", &json!({"pipelineName": "shop"}));
            let all = all["pipelineExecutionSummaries"].as_array()?.clone();
            let state = engine.ask("GetPipelineState", &json!({"name": "shop"}));
            let inbound = state["stageStates"][1]["inboundExecution"]["status"] == "InProgress";
            let superseded = all.iter().filter(|e| e["status"] == "Superseded").count();
            (inbound && superseded == times).then_some(())
        });
    };
    let superseded = start(&engine, &machine, "superseded");
    waiting(0);
    let last = start(&engine, &machine, "last");
    waiting(1);
    assert_eq!(ended(&engine, &superseded)["error"], "PipelineSuperseded");
    decide(&engine, &token, "Rejected");
    assert_eq!(ended(&engine, &failed)["error"], "RolledBack");
    // What is resumed is resumed by its own execution alone.
    let now = states(&engine, "DescribeExecution", &last);
    assert_eq!(now["status"], "RUNNING", "{now}");

    // A token whose machine was stopped is forgotten at the next change, and the pipeline goes on to its end.
    let (token, gone) = asked(&engine, &stopped);
    assert!(waiter(&engine, &gone).is_object(), "its token is kept");
    states(&engine, "StopExecution", &last);
    decide(&engine, &token, "Approved");
    wait("the token's end", || {
        waiter(&engine, &gone).is_null().then_some(())
    });
    let input = json!({"pipelineName": "shop", "pipelineExecutionId": gone});
    wait("the pipeline's end", || {
        let now = engine.ask("GetPipelineExecution", &input);
        (now["pipelineExecution"]["status"] == "Succeeded").then_some(())
    });
}

/// A retry of the state, or Lambda's repeat of the call, finds the execution that the first attempt started.
#[test]
fn a_run_that_has_ended_answers_the_next_attempt_at_once() {
    let (engine, mut before) = shop();
    let mut definition = definition();
    let payload = &mut definition["States"]["Ship"]["Parameters"]["Payload"];
    payload["run.$"] = json!("$.run");
    let machine = machine(&engine, &definition);
    for (run, decision, end) in [
        ("good", "Approved", "SUCCEEDED"),
        ("bad", "Rejected", "FAILED"),
    ] {
        let first = start(&engine, &machine, &format!("{run}-first"));
        let (token, execution) = asked(&engine, &before);
        decide(&engine, &token, decision);
        assert_eq!(ended(&engine, &first)["status"], end);
        let second = start(&engine, &machine, &format!("{run}-second"));
        let (first, second) = (ended(&engine, &first), ended(&engine, &second));
        assert_eq!(
            (&second["status"], &second["output"]),
            (&first["status"], &first["output"])
        );
        let state = engine.ask("GetPipelineState", &json!({"name": "shop"}));
        let latest = &state["stageStates"][1]["latestExecution"]["pipelineExecutionId"];
        assert_eq!(latest, &execution, "nothing was started again");
        before = execution;
    }
}
