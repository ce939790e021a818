//! What requests are answered and refused with.

use super::*;

#[tokio::test]
async fn what_is_not_built_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let app = &engine.app;
    let definition = json!({"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "End": true}}});
    let machine = machine(app, "glue", &definition).await;
    let execution = begin(app, &machine, json!({})).await;
    let described = end(app, &execution).await;
    assert_eq!(described["error"], "Stagewright.NotBuilt");
    assert!(
        described["cause"]
            .as_str()
            .unwrap()
            .contains("glue:startJobRun"),
        "{described}"
    );
    let refused = call(app, "TestMachine", json!({})).await.unwrap_err();
    assert_eq!(
        (refused.status, refused.code.as_str()),
        (501, "UnknownOperationException")
    );
    assert!(
        refused.message.contains("TestMachine"),
        "{}",
        refused.message
    );
    engine.shut_down().await;
}

#[tokio::test]
async fn requests_are_refused_as_step_functions_does() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let app = &engine.app;
    let wait = json!({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish.waitForTaskToken",
        "Parameters": {"TopicArn": "none"}, "End": true}}});
    let held = machine(app, "held", &wait).await;
    let role = "arn:aws:iam::123456789012:role/states";
    let cases = [
        (
            "CreateStateMachine",
            json!({"name": "a b", "definition": "{}", "roleArn": role}),
            "InvalidName",
        ),
        (
            "CreateStateMachine",
            json!({"name": "a", "definition": "{}", "roleArn": role}),
            "InvalidDefinition",
        ),
        (
            "CreateStateMachine",
            json!({"name": "a", "roleArn": role}),
            "ValidationException",
        ),
        (
            "CreateStateMachine",
            json!({"name": "held", "definition": json!({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}).to_string(), "roleArn": role}),
            "StateMachineAlreadyExists",
        ),
        (
            "DescribeStateMachine",
            json!({"stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:none"}),
            "StateMachineDoesNotExist",
        ),
        (
            "DescribeStateMachine",
            json!({"stateMachineArn": "held"}),
            "InvalidArn",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": held, "input": "{"}),
            "InvalidExecutionInput",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": held, "name": "a/b"}),
            "InvalidName",
        ),
        (
            "StartSyncExecution",
            json!({"stateMachineArn": held}),
            "StateMachineTypeNotSupported",
        ),
        (
            "UpdateStateMachine",
            json!({"stateMachineArn": held}),
            "MissingRequiredParameter",
        ),
        (
            "DescribeExecution",
            json!({"executionArn": held.replace("stateMachine", "execution") + ":none"}),
            "ExecutionDoesNotExist",
        ),
        (
            "DescribeActivity",
            json!({"activityArn": held.replace("stateMachine", "activity")}),
            "ActivityDoesNotExist",
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": held, "nextToken": "x"}),
            "InvalidToken",
        ),
    ];
    for (operation, body, code) in cases {
        let fault = call(app, operation, body.clone()).await.unwrap_err();
        assert_eq!(fault.code, code, "{operation} {body}: {}", fault.message);
    }
    engine.shut_down().await;
}

#[tokio::test]
async fn versions_and_aliases_keep_their_definitions() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let app = &engine.app;
    let gives = |n: u64| json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": n, "End": true}}});
    let arn = machine(app, "numbers", &gives(1)).await;
    let first = ok(
        app,
        "PublishStateMachineVersion",
        json!({"stateMachineArn": arn}),
    )
    .await["stateMachineVersionArn"]
        .clone();
    let changed =
        json!({"stateMachineArn": arn, "definition": gives(2).to_string(), "publish": true});
    ok(app, "UpdateStateMachine", changed).await;
    let alias = json!({"name": "live", "routingConfiguration": [{"stateMachineVersionArn": first, "weight": 100}]});
    let alias = ok(app, "CreateStateMachineAlias", alias).await["stateMachineAliasArn"].clone();
    for (of, wanted) in [
        (json!(arn), 2),
        (first.clone(), 1),
        (json!(format!("{arn}:2")), 2),
        (alias, 1),
    ] {
        let started = ok(app, "StartExecution", json!({"stateMachineArn": of})).await;
        let described = end(app, started["executionArn"].as_str().unwrap()).await;
        assert_eq!(output(&described), json!(wanted), "{of}");
    }
    let held = call(
        app,
        "DeleteStateMachineVersion",
        json!({"stateMachineVersionArn": first}),
    )
    .await
    .unwrap_err();
    assert_eq!(held.code, "ConflictException");
    let versions = ok(
        app,
        "ListStateMachineVersions",
        json!({"stateMachineArn": arn}),
    )
    .await;
    assert_eq!(
        versions["stateMachineVersions"].as_array().unwrap().len(),
        2
    );
    let page = ok(
        app,
        "ListExecutions",
        json!({"stateMachineArn": arn, "maxResults": 3}),
    )
    .await;
    assert_eq!(page["executions"].as_array().unwrap().len(), 3);
    let rest = json!({"stateMachineArn": arn, "maxResults": 3, "nextToken": page["nextToken"]});
    assert_eq!(
        ok(app, "ListExecutions", rest).await["executions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    engine.shut_down().await;
}
