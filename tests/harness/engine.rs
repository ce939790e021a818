//! One engine with a configuration of its own, and the calls that tests of functions make to it.

use std::{
    fs,
    io::Cursor,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use shared::archive::{files_below, pack};

use crate::{
    http::{Answer, codepipeline, request},
    process::{PATIENCE, Server},
};

/// A running engine; ends with the value.
pub struct Engine {
    /// The process.
    pub server: Server,
    folder: tempfile::TempDir,
}

impl Engine {
    /// Files of its state, logs among them, that hold one of these texts.
    pub fn files_with(&self, texts: &[&str]) -> Vec<PathBuf> {
        let files = files_below(self.folder.path()).expect("listed");
        let holds = |file: &PathBuf| {
            let bytes = fs::read(self.folder.path().join(file)).unwrap_or_default();
            let has = |text: &&str| {
                bytes
                    .windows(text.len())
                    .any(|part| part == text.as_bytes())
            };
            texts.iter().any(has)
        };
        files.into_iter().filter(holds).collect()
    }

    /// Starts one with this `stagewright.toml`.
    pub fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("stagewright.toml");
        fs::write(&file, config).expect("written");
        let state = folder.path().join("state");
        let server = Server::start(&state, &["--config", &file.display().to_string()]);
        Self { server, folder }
    }

    /// A call of a service, which must not be refused.
    pub fn signed(
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

    /// Puts an object; the path begins with its bucket.
    pub fn put(&self, path: &str, body: &[u8]) {
        self.signed("s3", "PUT", path, &[], body);
    }

    /// Makes the functions' table.
    pub fn table(&self, name: &str) {
        let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
        let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
        let table = json!({
            "TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [attribute("pk"), attribute("sk")],
            "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")]
        });
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "DynamoDB_20120810.CreateTable"),
        ];
        let body = table.to_string();
        self.signed("dynamodb", "POST", "/", &headers, body.as_bytes());
    }

    /// A call of CodePipeline, which must not be refused.
    pub fn ask(&self, operation: &str, input: &Value) -> Value {
        let answer = codepipeline(&self.server.url, operation, input).expect("an answer");
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
        answer.json()
    }

    /// Calls a function and waits for its answer.
    pub fn invoke(&self, function: &str, event: &Value) -> Value {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let body = event.to_string();
        self.signed("lambda", "POST", &path, &[], body.as_bytes())
            .json()
    }

    /// Executions of a stage's actions, in the order of the actions' names, once `enough` says so.
    pub fn actions(
        &self,
        pipeline: &str,
        stage: &str,
        enough: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let listed = self.ask("ListActionExecutions", &json!({"pipelineName": pipeline}));
            let listed = listed["actionExecutionDetails"].as_array().cloned();
            let mut actions = listed.unwrap_or_default();
            actions.retain(|action| action["stageName"] == stage);
            actions.sort_by_key(|action| action["actionName"].to_string());
            if enough(&actions) {
                return actions;
            }
            assert!(Instant::now() < until, "{actions:#?}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A zip archive of these files.
pub fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder.path())).expect("a folder");
        fs::write(path, text).expect("written");
    }
    let files = files_below(folder.path()).expect("listed");
    let mut zip = Cursor::new(Vec::new());
    pack(folder.path(), &files, &mut zip).expect("packed");
    zip.into_inner()
}

/// A pipeline of a source from `source/app.zip` and one stage with these actions.
pub fn pipeline(name: &str, stage: &str, actions: &[Value]) -> Value {
    json!({"pipeline": {
        "name": name, "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [{"name": "Take",
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
                "configuration": {"S3Bucket": "source", "S3ObjectKey": "app.zip", "PollForSourceChanges": "false"},
                "outputArtifacts": [{"name": "App"}]}]},
            {"name": stage, "actions": actions}]
    }})
}

/// What EventBridge delivers when an action of a worker's type has started.
pub fn started(pipeline: &str, stage: &str, kind: &str) -> Value {
    let kind: Vec<&str> = kind.split('/').collect();
    json!({
        "version": "0", "id": "e-1", "detail-type": "CodePipeline Action Execution State Change",
        "source": "aws.codepipeline", "account": "123456789012", "time": "2026-01-02T03:04:05Z",
        "region": "eu-west-1", "resources": [format!("arn:aws:codepipeline:eu-west-1:123456789012:{pipeline}")],
        "detail": {"pipeline": pipeline, "execution-id": "01234567-0123-0123-0123-012345678901", "version": 1.0,
            "stage": stage, "action": "Worked", "state": "STARTED", "region": "eu-west-1",
            "type": {"owner": "Custom", "category": kind[0], "provider": kind[1], "version": kind[2]}}
    })
}

/// What the schedule delivers once a minute.
pub fn schedule() -> Value {
    json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
}
