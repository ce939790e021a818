//! One action, `action-http-check`, on three hosts under the engine: the same outcome.

use std::{
    fs,
    io::Cursor,
    time::{Duration, Instant},
};

use harness::{
    http::{Answer, codepipeline, request},
    process::{PATIENCE, Server},
};
use serde_json::{Value, json};
use shared::archive::{files_below, pack};

const CONFIG: &str = r#"
[engine]
continuation_seconds = 1
[bucket.artifacts]
[bucket.source]
versioned = true
[bucket.site]
website = true
[function.action-http-check]
timeout_seconds = 40
environment = { STAGEWRIGHT_TABLE = "hosts", STAGEWRIGHT_ACTION_TYPE = "Test/HttpCheck/1" }
"#;

struct Engine {
    server: Server,
    _folder: tempfile::TempDir,
}

impl Engine {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("stagewright.toml");
        fs::write(&config, CONFIG).expect("written");
        let state = folder.path().join("state");
        let server = Server::start(&state, &["--config", &config.display().to_string()]);
        Self {
            server,
            _folder: folder,
        }
    }

    fn signed(
        &self,
        service: &str,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(more);
        let answer = request(&self.server.url, method, path, &headers, body).expect("an answer");
        assert!(
            answer.status < 300,
            "{method} {path}: {} {}",
            answer.status,
            answer.text()
        );
        answer
    }

    fn put(&self, path: &str, body: &[u8]) {
        self.signed("s3", "PUT", path, &[], body);
    }

    fn table(&self) {
        let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
        let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
        let table = json!({
            "TableName": "hosts", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [attribute("pk"), attribute("sk")],
            "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")]
        });
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "DynamoDB_20120810.CreateTable"),
        ];
        self.signed(
            "dynamodb",
            "POST",
            "/",
            &headers,
            table.to_string().as_bytes(),
        );
    }

    fn ask(&self, operation: &str, input: &Value) -> Value {
        let answer = codepipeline(&self.server.url, operation, input).expect("an answer");
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
        answer.json()
    }

    fn invoke(&self, event: &Value) -> Value {
        let path = "/2015-03-31/functions/action-http-check/invocations";
        let body = event.to_string();
        self.signed("lambda", "POST", path, &[], body.as_bytes())
            .json()
    }

    /// Executions of both actions, by name, once `enough` says so.
    fn actions(&self, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let listed = self.ask("ListActionExecutions", &json!({"pipelineName": "hosts"}));
            let mut actions = listed["actionExecutionDetails"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            actions.retain(|action| action["stageName"] == "Check");
            actions.sort_by_key(|action| action["actionName"].to_string());
            if enough(&actions) {
                return actions;
            }
            assert!(Instant::now() < until, "{actions:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn source() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("index.html"), "fresh bread").expect("written");
    let files = files_below(folder.path()).expect("listed");
    let mut zip = Cursor::new(Vec::new());
    pack(folder.path(), &files, &mut zip).expect("packed");
    zip.into_inner()
}

fn definition(page: &str) -> Value {
    let action = |name: &str, kind: Value, configuration: Value| {
        json!({"name": name, "runOrder": 1, "actionTypeId": kind, "configuration": configuration,
               "inputArtifacts": [{"name": "App"}]})
    };
    let parameters = json!({"url": page, "matchArtifactFile": "index.html", "timeoutSeconds": 60});
    let invoke = action(
        "Invoked",
        json!({"category": "Invoke", "owner": "AWS", "provider": "Lambda", "version": "1"}),
        json!({"FunctionName": "action-http-check", "UserParameters": parameters.to_string()}),
    );
    let worker = action(
        "Worked",
        json!({"category": "Test", "owner": "Custom", "provider": "HttpCheck", "version": "1"}),
        json!({"url": page, "matchArtifactFile": "index.html", "timeoutSeconds": "60"}),
    );
    json!({"pipeline": {
        "name": "hosts", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [{"name": "Take",
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
                "configuration": {"S3Bucket": "source", "S3ObjectKey": "app.zip", "PollForSourceChanges": "false"},
                "outputArtifacts": [{"name": "App"}]}]},
            {"name": "Check", "actions": [invoke, worker]}]
    }})
}

/// The event as EventBridge delivers it; the schedule's one comes once a minute.
fn started() -> Value {
    json!({
        "version": "0", "id": "e-1", "detail-type": "CodePipeline Action Execution State Change",
        "source": "aws.codepipeline", "account": "123456789012", "time": "2026-01-02T03:04:05Z",
        "region": "eu-west-1", "resources": ["arn:aws:codepipeline:eu-west-1:123456789012:hosts"],
        "detail": {"pipeline": "hosts", "execution-id": "01234567-0123-0123-0123-012345678901", "version": 1.0,
            "stage": "Check", "action": "Worked", "state": "STARTED", "region": "eu-west-1",
            "type": {"owner": "Custom", "category": "Test", "provider": "HttpCheck", "version": "1"}}
    })
}

fn schedule() -> Value {
    json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
}

#[test]
fn one_action_has_the_same_outcome_on_three_hosts() {
    let engine = Engine::start();
    engine.table();
    engine.put("/source/app.zip", &source());
    let page = format!("{}/_stagewright/site/site/index.html", engine.server.url);
    let property = |name: &str, required: bool| json!({"name": name, "required": required, "key": false, "secret": false});
    let bounds = json!({"minimumCount": 0, "maximumCount": 1});
    engine.ask("CreateCustomActionType", &json!({
        "category": "Test", "provider": "HttpCheck", "version": "1",
        "configurationProperties": [property("url", true), property("matchArtifactFile", false), property("timeoutSeconds", false)],
        "inputArtifactDetails": bounds, "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 0}
    }));
    engine.ask("CreatePipeline", &definition(&page));

    // The page is not there yet: the worker's job goes on with a token, as the invoked one does.
    let running = |action: &Value| action["status"] == "InProgress";
    engine.actions(|actions| actions.len() == 2 && actions.iter().all(running));
    let first = engine.invoke(&started());
    assert_eq!(first["jobs"][0]["outcome"], "continue", "{first}");
    let input =
        json!({"params": {"url": page, "expectText": "fresh"}, "progress": null, "run": "by-hand"});
    let waiting = engine.invoke(&input);
    assert_eq!(waiting["status"], "RUNNING", "{waiting}");

    engine.put("/site/index.html", b"fresh bread");
    let second = engine.invoke(&schedule());
    assert_eq!(second["jobs"][0]["outcome"], "success", "{second}");
    let mut again = input.clone();
    again["progress"] = waiting["progress"].clone();
    let task = engine.invoke(&again);
    assert_eq!(task["status"], "SUCCEEDED", "{task}");

    let over = |action: &Value| action["status"] != "InProgress";
    let actions = engine.actions(|actions| actions.len() == 2 && actions.iter().all(over));
    let [invoked, worked] = &actions[..] else {
        unreachable!("two actions");
    };
    for name in ["Url", "StatusCode", "BodySha256", "BodyBytes"] {
        let [one, two] = [invoked, worked].map(|action| &action["output"]["outputVariables"][name]);
        assert!(one.is_string(), "{name}: {invoked:#}");
        assert_eq!(
            (one, two),
            (&task["variables"][name], &task["variables"][name]),
            "{name}"
        );
    }
    let none = engine.invoke(&schedule());
    assert_eq!(none, json!({"jobs": []}));
}

#[test]
fn a_tasks_failure_is_named_after_its_kind() {
    let engine = Engine::start();
    for (params, name, text) in [
        (
            json!({"url": "ftp://example.com"}),
            "Configuration",
            "url must start with",
        ),
        (json!({"urk": 1}), "Configuration", "unknown field `urk`"),
        (
            json!({"url": format!("{}/_stagewright/none", engine.server.url), "timeoutSeconds": 0}),
            "TimedOut",
            "did not come up within 0 s",
        ),
    ] {
        let answer = engine.invoke(&json!({"params": params}));
        assert_eq!(answer["errorType"], name, "{answer}");
        let message = answer["errorMessage"].as_str().unwrap_or_default();
        assert!(message.contains(text), "{answer}");
    }
    let token = engine.invoke(&json!({"params": {}, "taskToken": "planted"}));
    assert_eq!(token["errorType"], "HandlerError");
    let unknown = engine.invoke(&schedule());
    let message = unknown["errorMessage"].as_str().unwrap_or_default();
    assert!(message.contains("no jobs could be asked for"), "{unknown}");
}
