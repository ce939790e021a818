//! TestState: what it answers and what it refuses.

use super::*;

const INVOKE: &str = "arn:aws:states:::lambda:invoke";

fn body(state: &Value, more: Value) -> Value {
    let mut body = json!({"definition": state.to_string()});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn a_state_is_tried_without_an_execution() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let app = &engine.app;
    let inner = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}});
    let inner = machine(app, "inner", &inner).await;
    let start = json!({"Type": "Task", "Resource": "arn:aws:states:::states:startExecution",
        "Parameters": {"StateMachineArn": inner, "Name": "tried", "Input.$": "$"}, "ResultSelector": {"arn.$": "$.ExecutionArn"}, "Next": "Then"});
    let tried = ok(
        app,
        "TestState",
        body(
            &start,
            json!({"input": "{\"a\": 1}", "inspectionLevel": "DEBUG"}),
        ),
    )
    .await;
    assert_eq!(
        (&tried["status"], &tried["nextState"]),
        (&json!("SUCCEEDED"), &json!("Then"))
    );
    let arn = output(&tried)["arn"].as_str().unwrap().to_owned();
    assert_eq!(end(app, &arn).await["input"], r#"{"a":1}"#);
    assert_eq!(tried["inspectionData"]["afterInputPath"], r#"{"a":1}"#);
    let long = json!({"Type": "Wait", "Seconds": 299, "End": true});
    assert_eq!(
        ok(app, "TestState", body(&long, json!({}))).await["status"],
        "SUCCEEDED"
    );
    let longer = json!({"Type": "Wait", "Seconds": 301, "End": true});
    let tried = ok(app, "TestState", body(&longer, json!({}))).await;
    assert_eq!(
        (&tried["status"], &tried["error"]),
        (&json!("FAILED"), &json!("States.Timeout"))
    );
    let task = json!({"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "absent"}, "End": true});
    let tried = ok(app, "TestState", body(&task, json!({}))).await;
    assert_eq!(tried["error"], "Lambda.ResourceNotFoundException");
    assert!(tried.get("inspectionData").is_none(), "{tried}");
    let whole = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Succeed"}}});
    let tried = ok(app, "TestState", body(&whole, json!({"stateName": "A"}))).await;
    assert_eq!(tried["nextState"], "B");
    engine.shut_down().await;
}

#[tokio::test]
async fn a_trial_is_refused_as_step_functions_does() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let app = &engine.app;
    let pass = json!({"Type": "Pass", "End": true});
    let task = json!({"Type": "Task", "Resource": INVOKE, "End": true});
    let started =
        json!({"Type": "Task", "Resource": "arn:aws:states:::states:startExecution", "End": true});
    let token = json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true});
    let flow = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
    let other = json!({"StartAt": "O", "States": {"O": {"Type": "Succeed"}}});
    let parallel = json!({"Type": "Parallel", "Branches": [flow, other], "End": true});
    let map = json!({"Type": "Map", "ItemProcessor": flow, "End": true});
    let result = |text: &str| json!({"mock": {"result": text}});
    let invalid = "ValidationException";
    let cases = [
        (
            &pass,
            result("1"),
            invalid,
            "State type 'Pass' is not supported when a mock is specified",
        ),
        (
            &task,
            json!({"mock": {"result": "1", "errorOutput": {"error": "E"}}}),
            invalid,
            "A test mock should have only one of the following fields: [result, errorOutput].",
        ),
        (
            &task,
            json!({"mock": {}}),
            invalid,
            "A test mock should have only one",
        ),
        (
            &task,
            json!({"mock": {"result": "1"}, "revealSecrets": true}),
            invalid,
            "TestState does not support RevealSecrets when a mock is specified.",
        ),
        (&task, result("{"), invalid, "'result' must be JSON"),
        (
            &task,
            json!({"mock": {"result": "1", "fieldValidationMode": "SOME"}}),
            invalid,
            "[STRICT, PRESENT, NONE]",
        ),
        (
            &started,
            result("{}"),
            invalid,
            "Mock result schema validation error: Required field 'ExecutionArn' is missing",
        ),
        (
            &map,
            json!({}),
            "InvalidDefinition",
            "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]",
        ),
        (
            &parallel,
            json!({}),
            "InvalidDefinition",
            "TestState API does not support Map or Parallel states.",
        ),
        (
            &token,
            json!({}),
            "InvalidDefinition",
            "only when a mock is specified",
        ),
        (
            &parallel,
            result("{}"),
            invalid,
            "Mocked result must be an array.",
        ),
        (
            &parallel,
            result("[1]"),
            invalid,
            "Mocked result must contain the same number of items as number of Parallel branches.",
        ),
        (
            &map,
            result("{}"),
            invalid,
            "Mocked result must be an array.",
        ),
        (
            &map,
            json!({"mock": {"errorOutput": {"error": "E"}}, "stateConfiguration": {"errorCausedByState": "J"}}),
            invalid,
            "'J' names no state",
        ),
        (
            &pass,
            json!({"context": "{}"}),
            invalid,
            "together with a mock",
        ),
        (
            &pass,
            json!({"inspectionLevel": "ALL"}),
            invalid,
            "[INFO, DEBUG, TRACE]",
        ),
        (
            &pass,
            json!({"input": "{"}),
            "InvalidExecutionInput",
            "Invalid State Machine Execution Input",
        ),
        (
            &pass,
            json!({"variables": "[]"}),
            invalid,
            "'variables' must be a JSON object",
        ),
        (
            &flow,
            json!({"stateName": "X"}),
            invalid,
            "State 'X' is not in the definition",
        ),
        (&flow, json!({}), "InvalidDefinition", "Type"),
    ];
    for (state, more, code, says) in cases {
        let fault = call(app, "TestState", body(state, more.clone()))
            .await
            .unwrap_err();
        assert_eq!(fault.code, code, "{state} {more}: {}", fault.message);
        assert!(
            fault.message.contains(says),
            "{state} {more}: {}",
            fault.message
        );
    }
    engine.shut_down().await;
}
