//! Tasks against services: the engine's own and others'.

use std::collections::BTreeMap;

use axum::{Router, http::HeaderMap, routing::any};

use super::*;
use crate::{
    states::declared::HttpConnectionConfig,
    store::objects::{Body, BucketSettings, PutOptions},
};

/// A server that tells what it was asked, or refuses what is not signed.
pub(super) async fn echo() -> String {
    let answer = |method: http::Method, uri: http::Uri, headers: HeaderMap, body: String| async move {
        let header = |name: &str| {
            let value = headers.get(name);
            value
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        if uri.path() == "/missing" {
            return (http::StatusCode::NOT_FOUND, "nothing here".to_owned());
        }
        if body.contains("no-such-queue") {
            let refused = json!({"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "The specified queue does not exist."});
            return (http::StatusCode::BAD_REQUEST, refused.to_string());
        }
        let told = json!({"method": method.as_str(), "uri": uri.to_string(), "key": header("x-api-key"), "auth": header("authorization"),
            "target": header("x-amz-target"), "body": body});
        (http::StatusCode::OK, told.to_string())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

pub(super) async fn with(folder: &Path, config: Config, upstream: Option<String>) -> Engine {
    let mut options = Options::new(config, folder);
    options.fast_clock = true;
    options.upstream = upstream;
    let (engine, _) = assemble::start(options).await.unwrap();
    engine.perform();
    engine
}

/// The end of a machine with one task.
async fn task(app: &App, name: &str, resource: &str, arguments: Value) -> Value {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "T", "States": {"T": {"Type": "Task",
        "Resource": format!("arn:aws:states:::{resource}"), "Arguments": arguments, "End": true}}});
    let machine = machine(app, name, &definition).await;
    let execution = begin(app, &machine, json!({})).await;
    end(app, &execution).await
}

#[tokio::test]
async fn http_tasks_go_out_with_their_connection() {
    let url = echo().await;
    let folder = TempDir::new().unwrap();
    let mut config = Config::default();
    let connection = HttpConnectionConfig {
        user: Some("dana".to_owned()),
        password: Some("pass".to_owned().into()),
        headers: BTreeMap::from([("x-api-key".to_owned(), "k1".to_owned().into())]),
    };
    config.http_connection.insert("shop".to_owned(), connection);
    let engine = with(folder.path(), config, None).await;
    let app = &engine.app;
    let arn = "arn:aws:events:eu-west-1:123456789012:connection/shop/1";
    let arguments = json!({"ApiEndpoint": format!("{url}/orders"), "Method": "POST", "QueryParameters": {"page": "1 2"},
        "Authentication": {"ConnectionArn": arn}, "RequestBody": {"n": 1}, "Headers": {"Accept": "x"}});
    let good = output(&task(app, "good", "http:invoke", arguments.clone()).await);
    assert_eq!(good["StatusCode"], 200, "{good}");
    let body = &good["ResponseBody"];
    assert_eq!(
        (&body["method"], &body["uri"], &body["key"], &body["auth"]),
        (
            &json!("POST"),
            &json!("/orders?page=1+2"),
            &json!("k1"),
            &json!("Basic ZGFuYTpwYXNz")
        )
    );
    assert_eq!(body["body"], r#"{"n":1}"#);
    let mut form = arguments.clone();
    form["Transform"] = json!({"RequestBodyEncoding": "URL_ENCODED"});
    form["RequestBody"] = json!({"a": "x y", "b": [1, 2]});
    let sent = output(&task(app, "form", "http:invoke", form).await);
    assert_eq!(sent["ResponseBody"]["body"], "a=x+y&b=1&b=2");

    let state = json!({"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": arguments, "End": true});
    for reveal in [false, true] {
        let trial = json!({"definition": state.to_string(), "inspectionLevel": "TRACE", "revealSecrets": reveal});
        let tried = ok(app, "TestState", trial).await;
        let (request, response) = (
            &tried["inspectionData"]["request"],
            &tried["inspectionData"]["response"],
        );
        assert_eq!(
            (&request["method"], &request["body"]),
            (&json!("POST"), &json!(r#"{"n":1}"#))
        );
        assert!(
            request["url"]
                .as_str()
                .unwrap()
                .ends_with("/orders?page=1+2"),
            "{tried}"
        );
        let headers = request["headers"].as_str().unwrap();
        assert!(headers.contains("\"accept\""), "{tried}");
        assert_eq!(headers.contains("k1"), reveal, "{tried}");
        assert_eq!(
            (&response["statusCode"], &response["statusMessage"]),
            (&json!("200"), &json!("OK"))
        );
    }

    let cases = [
        (
            "missing",
            json!({"ApiEndpoint": format!("{url}/missing")}),
            "States.Http.StatusCode.404",
        ),
        (
            "closed",
            json!({"ApiEndpoint": "http://127.0.0.1:1/"}),
            "States.Http.Socket",
        ),
        (
            "unknown",
            json!({"Authentication": {"ConnectionArn": arn.replace("shop", "none")}}),
            "Events.ConnectionResource.ResourceNotFoundException",
        ),
        (
            "header",
            json!({"Headers": {"Host": "elsewhere"}}),
            "States.Runtime",
        ),
        ("url", json!({"ApiEndpoint": "nowhere"}), "States.Runtime"),
    ];
    for (name, change, error) in cases {
        let mut wanted = arguments.clone();
        for (key, value) in change.as_object().unwrap() {
            wanted[key] = value.clone();
        }
        let failed = task(app, name, "http:invoke", wanted).await;
        assert_eq!(failed["error"], error, "{name}: {failed}");
        assert!(!failed["cause"].to_string().contains("pass"), "{failed}");
    }
    engine.shut_down().await;
}

#[tokio::test]
async fn services_without_a_face_are_called_at_their_endpoint_and_refused_without_one() {
    let url = echo().await;
    let folder = TempDir::new().unwrap();
    let engine = with(folder.path(), Config::default(), Some(url)).await;
    let app = &engine.app;
    let message = json!({"QueueUrl": "http://q/1/mine", "MessageBody": {"a": 1}});
    let sent = output(&task(app, "sqs", "sqs:sendMessage", message.clone()).await);
    assert_eq!(sent["target"], "AmazonSQS.SendMessage", "{sent}");
    assert!(
        sent["auth"]
            .as_str()
            .unwrap()
            .contains("/eu-west-1/sqs/aws4_request"),
        "{sent}"
    );
    let body: Value = serde_json::from_str(sent["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["MessageBody"], r#"{"a":1}"#);
    let missing = json!({"QueueUrl": "http://q/1/no-such-queue", "MessageBody": "a"});
    let failed = task(app, "gone", "sqs:sendMessage", missing).await;
    assert_eq!(
        failed["error"], "SQS.QueueDoesNotExistException",
        "{failed}"
    );
    let build =
        json!({"ProjectName": "p", "EnvironmentVariablesOverride": [{"Name": "A", "Value": "1"}]});
    let built = output(&task(app, "build", "aws-sdk:codebuild:startBuild", build).await);
    // Answers of services with small letters get capitals.
    assert_eq!(built["Target"], "CodeBuild_20161006.StartBuild");
    let body: Value = serde_json::from_str(built["Body"].as_str().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"projectName": "p", "environmentVariablesOverride": [{"name": "A", "value": "1"}]})
    );
    engine.shut_down().await;

    let folder = TempDir::new().unwrap();
    let engine = with(folder.path(), Config::default(), None).await;
    let failed = task(&engine.app, "sqs", "sqs:sendMessage", message).await;
    assert_eq!(failed["error"], "Stagewright.NotBuilt", "{failed}");
    let cause = failed["cause"].as_str().unwrap();
    assert!(cause.contains("[endpoint] sqs"), "{failed}");
    engine.shut_down().await;
}

#[tokio::test]
async fn the_engines_own_services_are_called_and_refuse_by_name() {
    let folder = TempDir::new().unwrap();
    let engine = with(folder.path(), Config::default(), None).await;
    let app = &engine.app;
    app.objects
        .create_bucket("kept", BucketSettings::default())
        .await
        .unwrap();
    let put = task(
        app,
        "put",
        "aws-sdk:s3:putObject",
        json!({"Bucket": "kept", "Key": "a/b", "Body": {"x": 1}}),
    )
    .await;
    assert_eq!(put["status"], "SUCCEEDED", "{put}");
    let got = output(
        &task(
            app,
            "get",
            "aws-sdk:s3:getObject",
            json!({"Bucket": "kept", "Key": "a/b"}),
        )
        .await,
    );
    assert_eq!(got["Body"], r#"{"x":1}"#);
    let listed = output(
        &task(
            app,
            "list",
            "aws-sdk:s3:listObjectsV2",
            json!({"Bucket": "kept", "Prefix": "a/"}),
        )
        .await,
    );
    assert_eq!(
        (&listed["KeyCount"], &listed["Contents"][0]["Key"]),
        (&json!(1), &json!("a/b"))
    );

    let entry = json!({"Entries": [{"Source": "shop", "DetailType": "Sold", "Detail": {"n": 1}, "EventBusName": "default"}]});
    let told = output(&task(app, "events", "events:putEvents", entry).await);
    assert_eq!(told["FailedEntryCount"], 0);
    let id = &told["Entries"][0]["EventId"];
    let sent = app.bus.since(0).into_iter().find(|e| &e.item["id"] == id);
    assert_eq!(sent.expect("it was sent").item["detail"], json!({"n": 1}));

    let cases = [
        (
            "s3",
            "aws-sdk:s3:getObject",
            json!({"Bucket": "kept", "Key": "none"}),
            "S3.NoSuchKeyException",
        ),
        (
            "bucket",
            "aws-sdk:s3:getObject",
            json!({"Bucket": "none", "Key": "none"}),
            "S3.NoSuchBucketException",
        ),
        (
            "pipe",
            "aws-sdk:codepipeline:startPipelineExecution",
            json!({"Name": "none"}),
            "CodePipeline.PipelineNotFoundException",
        ),
        (
            "sfn",
            "aws-sdk:sfn:describeExecution",
            json!({"ExecutionArn": "arn:aws:states:eu-west-1:123456789012:execution:a:b"}),
            "Sfn.ExecutionDoesNotExistException",
        ),
        (
            "start",
            "states:startExecution",
            json!({"StateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:none"}),
            "StepFunctions.StateMachineDoesNotExistException",
        ),
        (
            "table",
            "aws-sdk:dynamodb:getItem",
            json!({"TableName": "none", "Key": {"id": {"S": "1"}}}),
            "DynamoDb.ResourceNotFoundException",
        ),
        (
            "table2",
            "dynamodb:getItem",
            json!({"TableName": "none", "Key": {"id": {"S": "1"}}}),
            "DynamoDB.ResourceNotFoundException",
        ),
        (
            "topic",
            "sns:publish",
            json!({"TopicArn": "arn:aws:sns:eu-west-1:123456789012:none", "Message": "m"}),
            "SNS.NotFoundException",
        ),
        (
            "entry",
            "events:putEvents",
            json!({"Entries": [{"Source": "aws.shop", "DetailType": "Sold", "Detail": {}}]}),
            "EventBridge.FailedEntry",
        ),
        (
            "nolambda",
            "lambda:invoke",
            json!({"FunctionName": "none", "Payload": {}}),
            "Lambda.ResourceNotFoundException",
        ),
    ];
    for (name, resource, arguments, error) in cases {
        let failed = task(app, name, resource, arguments).await;
        assert_eq!(failed["error"], error, "{name}: {failed}");
    }
    engine.shut_down().await;
}

/// The token of the only open task, as a service got it.
async fn token(app: &App, execution: &str) -> String {
    let history = ok(
        app,
        "GetExecutionHistory",
        json!({"executionArn": execution}),
    )
    .await;
    let events = history["events"].as_array().unwrap();
    let parameters = events
        .iter()
        .find_map(|e| e["taskScheduledEventDetails"]["parameters"].as_str());
    let parameters: Value = serde_json::from_str(parameters.expect("it was scheduled")).unwrap();
    parameters["Message"]["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_sent_to_a_topic_answers_beats_fails_and_expires() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let app = &engine.app;
    let topic = app.topics.create("asked", BTreeMap::new()).unwrap();
    let definition = json!({"StartAt": "Ask", "States": {"Ask": {"Type": "Task",
        "Resource": "arn:aws:states:::sns:publish.waitForTaskToken", "HeartbeatSeconds": 600, "TimeoutSeconds": 3600,
        "Parameters": {"TopicArn": topic, "Message": {"token.$": "$$.Task.Token"}}, "End": true}}});
    let machine = machine(app, "asker", &definition).await;
    let start = async |name: &str| {
        // What a person does holds a fast clock.
        let busy = app.clock.busy();
        let body = json!({"stateMachineArn": machine, "name": name});
        let execution = ok(app, "StartExecution", body).await["executionArn"]
            .as_str()
            .unwrap()
            .to_owned();
        while !kinds(app, &execution)
            .await
            .contains(&"TaskSubmitted".to_owned())
        {
            tokio::task::yield_now().await;
        }
        (token(app, &execution).await, execution, busy)
    };

    let (good, execution, busy) = start("good").await;
    ok(app, "SendTaskHeartbeat", json!({"taskToken": good})).await;
    ok(
        app,
        "SendTaskSuccess",
        json!({"taskToken": good, "output": "{\"by\":\"dana\"}"}),
    )
    .await;
    drop(busy);
    assert_eq!(output(&end(app, &execution).await), json!({"by": "dana"}));

    let (bad, execution, busy) = start("bad").await;
    ok(
        app,
        "SendTaskFailure",
        json!({"taskToken": bad, "error": "Rejected", "cause": "no"}),
    )
    .await;
    drop(busy);
    let described = end(app, &execution).await;
    assert_eq!(
        (&described["error"], &described["cause"]),
        (&json!("Rejected"), &json!("no"))
    );

    let (late, execution, busy) = start("late").await;
    drop(busy);
    assert_eq!(
        end(app, &execution).await["error"],
        "States.HeartbeatTimeout"
    );
    for (operation, token) in [
        ("SendTaskSuccess", &late),
        ("SendTaskFailure", &good),
        ("SendTaskHeartbeat", &bad),
    ] {
        let body = json!({"taskToken": token, "output": "1"});
        assert_eq!(
            call(app, operation, body).await.unwrap_err().code,
            "TaskTimedOut",
            "{operation}"
        );
    }
    assert_eq!(
        kinds(app, &execution).await,
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSubmitted",
            "TaskTimedOut",
            "ExecutionFailed"
        ]
    );
    engine.shut_down().await;
}

#[tokio::test]
async fn a_distributed_map_reads_and_writes_objects_and_its_run_can_be_looked_at() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let app = &engine.app;
    app.objects
        .create_bucket("data", BucketSettings::default())
        .await
        .unwrap();
    for (key, text) in [
        ("in/list.json", r#"[{"n":1},{"n":2},{"n":3}]"#),
        ("in/lines.jsonl", "{\"n\":1}\n{\"n\":2}\n"),
        ("in/table.csv", "n,name\n1,\"a, b\"\n2,c\n"),
    ] {
        let body = Body::Bytes(text.into());
        app.objects
            .put("data", key, PutOptions::default(), body)
            .await
            .unwrap();
    }
    let definition = |reader: Value, item: Value| {
        json!({"StartAt": "M", "States": {"M": {"Type": "Map", "Label": "L", "ItemReader": reader, "End": true,
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": item}},
            "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "data", "Prefix": "out"}},
            "ToleratedFailureCount": 1}}})
    };
    let get = |kind: &str, key: &str| {
        json!({"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "data", "Key": key},
            "ReaderConfig": {"InputType": kind, "CSVHeaderLocation": "FIRST_ROW"}})
    };
    let list = json!({"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "data", "Prefix": "in/"}});
    let pass = json!({"Type": "Pass", "End": true});
    for (name, reader, inputs) in [
        (
            "json",
            get("JSON", "in/list.json"),
            vec![r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#],
        ),
        (
            "lines",
            get("JSONL", "in/lines.jsonl"),
            vec![r#"{"n":1}"#, r#"{"n":2}"#],
        ),
        (
            "csv",
            get("CSV", "in/table.csv"),
            vec![r#"{"n":"1","name":"a, b"}"#, r#"{"n":"2","name":"c"}"#],
        ),
        (
            "objects",
            list,
            vec!["in/lines.jsonl", "in/list.json", "in/table.csv"],
        ),
    ] {
        let machine = machine(app, name, &definition(reader, pass.clone())).await;
        let execution = begin(app, &machine, json!({})).await;
        let described = end(app, &execution).await;
        assert_eq!(described["status"], "SUCCEEDED", "{name}: {described}");
        let place = &output(&described)["ResultWriterDetails"];
        assert_eq!(place["Bucket"], "data");
        let manifest = read(app, place["Key"].as_str().unwrap()).await;
        let file = manifest["ResultFiles"]["SUCCEEDED"][0]["Key"]
            .as_str()
            .unwrap()
            .to_owned();
        let results = read(app, &file).await;
        let found: Vec<&str> = results
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["Input"].as_str().unwrap())
            .collect();
        assert_eq!(found.len(), inputs.len(), "{name}: {results}");
        for (found, wanted) in found.iter().zip(&inputs) {
            assert!(found.contains(wanted), "{name}: {found}");
        }
    }
    let gone = machine(
        app,
        "gone",
        &definition(get("JSON", "in/none"), pass.clone()),
    )
    .await;
    let execution = begin(app, &gone, json!({})).await;
    assert_eq!(
        end(app, &execution).await["error"],
        "States.ItemReaderFailed"
    );

    // One child fails, within what is tolerated; the others wait for their workers.
    let activity = ok(app, "CreateActivity", json!({"name": "do"})).await["activityArn"].clone();
    let wait = json!({"Type": "Task", "Resource": activity, "End": true});
    let held = machine(app, "held", &definition(get("JSON", "in/list.json"), wait)).await;
    let execution = begin(app, &held, json!({})).await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(
            ok(app, "GetActivityTask", json!({"activityArn": activity})).await["taskToken"].clone(),
        );
    }
    let run =
        ok(app, "ListMapRuns", json!({"executionArn": execution})).await["mapRuns"][0]["mapRunArn"]
            .clone();
    ok(
        app,
        "SendTaskFailure",
        json!({"taskToken": tokens[0], "error": "Bad"}),
    )
    .await;
    ok(
        app,
        "SendTaskSuccess",
        json!({"taskToken": tokens[1], "output": "{}"}),
    )
    .await;
    let described = ok(app, "DescribeMapRun", json!({"mapRunArn": run})).await;
    let counts = &described["executionCounts"];
    assert_eq!(
        (
            &counts["failed"],
            &counts["succeeded"],
            &counts["running"],
            &counts["total"]
        ),
        (&json!(1), &json!(1), &json!(1), &json!(3)),
        "{described}"
    );
    assert_eq!(
        (&described["status"], &described["toleratedFailureCount"]),
        (&json!("RUNNING"), &json!(1))
    );
    let children = ok(app, "ListExecutions", json!({"mapRunArn": run})).await;
    assert_eq!(children["executions"].as_array().unwrap().len(), 3);
    let failed = ok(
        app,
        "ListExecutions",
        json!({"mapRunArn": run, "statusFilter": "FAILED"}),
    )
    .await;
    let child = &failed["executions"][0]["executionArn"];
    let described = ok(app, "DescribeExecution", json!({"executionArn": child})).await;
    assert_eq!(
        (&described["error"], &described["mapRunArn"]),
        (&json!("Bad"), &run)
    );
    let history = ok(app, "GetExecutionHistory", json!({"executionArn": child})).await;
    assert_eq!(
        history["events"].as_array().unwrap().last().unwrap()["type"],
        "ExecutionFailed"
    );
    ok(
        app,
        "UpdateMapRun",
        json!({"mapRunArn": run, "maxConcurrency": 1, "toleratedFailureCount": 0}),
    )
    .await;
    let described = ok(app, "DescribeMapRun", json!({"mapRunArn": run})).await;
    assert_eq!(
        (
            &described["maxConcurrency"],
            &described["toleratedFailureCount"]
        ),
        (&json!(1), &json!(0))
    );
    // One more failure is too many now.
    ok(
        app,
        "SendTaskFailure",
        json!({"taskToken": tokens[2], "error": "Bad"}),
    )
    .await;
    assert_eq!(
        end(app, &execution).await["error"],
        "States.ExceedToleratedFailureThreshold"
    );
    let over = call(
        app,
        "UpdateMapRun",
        json!({"mapRunArn": run, "maxConcurrency": 1}),
    )
    .await
    .unwrap_err();
    assert_eq!(over.code, "ValidationException", "{over:?}");
    let none = call(
        app,
        "DescribeMapRun",
        json!({"mapRunArn": run.as_str().unwrap().replace("/L:", "/M:")}),
    )
    .await
    .unwrap_err();
    assert_eq!(none.code, "ResourceNotFound");
    engine.shut_down().await;
}

async fn read(app: &App, key: &str) -> Value {
    let (_, path) = app.objects.get("data", key, None).await.unwrap();
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn event_bridge_is_told_of_each_status_and_after_a_restart_of_what_it_missed() {
    let folder = TempDir::new().unwrap();
    let first = engine(folder.path()).await;
    let app = &first.app;
    let fails = json!({"StartAt": "F", "States": {"F": {"Type": "Choice", "Default": "Bad",
        "Choices": [{"Variable": "$.good", "IsPresent": true, "Next": "Good"}]},
        "Good": {"Type": "Succeed"}, "Bad": {"Type": "Fail", "Error": "E", "Cause": "C"}}});
    let machine = machine(app, "told", &fails).await;
    let execution = begin(app, &machine, json!({})).await;
    end(app, &execution).await;
    ok(app, "RedriveExecution", json!({"executionArn": execution})).await;
    let told = async |app: &App, last: &str, times: usize| {
        let mut follower = app.bus.follow();
        loop {
            let all = app.bus.since(0);
            let of = |e: &&Value| e["detail-type"] == "Step Functions Execution Status Change";
            let all: Vec<Value> = all.iter().map(|e| &*e.item).filter(of).cloned().collect();
            if all.iter().filter(|e| e["detail"]["status"] == last).count() >= times {
                return all;
            }
            follower.next().await;
        }
    };
    let statuses = |all: &[Value]| -> Vec<String> {
        let status = |e: &Value| e["detail"]["status"].as_str().unwrap().to_owned();
        all.iter().map(status).collect()
    };
    let all = told(app, "FAILED", 2).await;
    assert_eq!(statuses(&all), ["RUNNING", "FAILED", "RUNNING", "FAILED"]);
    let last = all.last().unwrap();
    assert_eq!(last["source"], "aws.states");
    assert_eq!(last["resources"], json!([execution]));
    let detail = &last["detail"];
    assert_eq!(
        (&detail["error"], &detail["cause"], &detail["input"]),
        (&json!("E"), &json!("C"), &json!("{}"))
    );
    first.shut_down().await;

    let db = Connection::open(folder.path().join("states.db")).unwrap();
    let kept: String = db
        .query_row("SELECT status FROM told", [], |r| r.get(0))
        .unwrap();
    assert_eq!(kept, "FAILED");
    db.execute("UPDATE told SET status = 'RUNNING'", [])
        .unwrap();
    drop(db);
    let again = engine(folder.path()).await;
    // The events of before are kept; the one that was not told follows.
    let all = told(&again.app, "FAILED", 3).await;
    assert_eq!(statuses(&all)[4..], ["FAILED"]);
    again.shut_down().await;
}
