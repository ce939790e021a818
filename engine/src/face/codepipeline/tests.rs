//! One session of a client, request by request, against a committed transcript; then what is refused.

use std::{collections::HashMap, fmt::Write as _};

use serde_json::{Map, json};

use super::*;
use crate::desk::scripted::{Scripted, definition, ended, open, token, until};

mod conditions;
mod constraints;
mod history;
mod refused;
mod rest;
mod stages;
mod webhooks;
mod workers;

const CALLER: &str = "arn:aws:iam::123456789012:user/dana";

/// A client and everything it saw, with times and ids made the same in every run.
struct Session {
    desk: Desk,
    clock: Clock,
    transcript: String,
    ids: HashMap<String, String>,
    partners: Partners,
    _folder: tempfile::TempDir,
}

impl Session {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let desk = open(&folder.path().join("journal.sqlite"), 0);
        Scripted::attach(&desk);
        Self {
            desk,
            clock: Clock::real(),
            transcript: String::new(),
            ids: HashMap::new(),
            partners: Partners::new(),
            _folder: folder,
        }
    }

    async fn ask(&self, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
        let ground = Ground {
            desk: &self.desk,
            clock: &self.clock,
            caller: CALLER,
            base_url: "http://127.0.0.1:4599",
            partners: &self.partners,
            credentials: &|task, _| json!({"accessKeyId": "AKIA", "secretAccessKey": task.action, "sessionToken": "t"}),
        };
        ground.answer(operation, body).await
    }

    /// Sends a request and notes it with its answer.
    async fn call(&mut self, operation: &str, request: Value) -> Value {
        let result = self.ask(operation, request.to_string().as_bytes()).await;
        let (status, answer) = match result {
            Ok(value) => (200, value),
            Err(refusal) => {
                let fault = fault(refusal);
                (
                    fault.status,
                    json!({"__type": fault.code, "message": fault.message}),
                )
            }
        };
        let (shown, replied) = (
            sorted(&self.steady("", &sorted(&request))),
            sorted(&self.steady("", &sorted(&answer))),
        );
        let replied = serde_json::to_string_pretty(&replied).unwrap();
        writeln!(self.transcript, "{operation} {shown}\n{status} {replied}\n").unwrap();
        answer
    }

    fn steady(&mut self, name: &str, value: &Value) -> Value {
        match value {
            // A definition is compared whole elsewhere.
            Value::Object(fields) if name == "pipeline" => {
                json!({"name": fields["name"], "version": fields.get("version"), "more": "…"})
            }
            Value::Object(fields) => {
                let steady = |(k, v): (&String, &Value)| (k.clone(), self.steady(k, v));
                fields.iter().map(steady).collect::<Map<_, _>>().into()
            }
            Value::Array(items) => items.iter().map(|item| self.steady(name, item)).collect(),
            Value::Number(number) if number.as_f64().is_some_and(|n| n > 1e9) => json!("TIME"),
            Value::String(text) if name == "nextToken" => {
                json!(if text.is_empty() { "" } else { "NEXT" })
            }
            Value::String(text) => json!(self.steady_text(text)),
            other => other.clone(),
        }
    }

    fn steady_text(&mut self, text: &str) -> String {
        let mut steady = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let uuid = rest
                .get(..36)
                .filter(|head| uuid::Uuid::try_parse(head).is_ok());
            if let Some(uuid) = uuid {
                let next = format!("ID-{}", self.ids.len() + 1);
                steady += self.ids.entry(uuid.to_owned()).or_insert(next);
                rest = &rest[36..];
            } else {
                let mut chars = rest.chars();
                steady.extend(chars.next());
                rest = chars.as_str();
            }
        }
        // The random tail of an artifact's key.
        match steady
            .strip_prefix("shop/")
            .and_then(|key| key.split_once('/'))
        {
            Some((name, _)) => format!("shop/{name}/RANDOM"),
            None => steady,
        }
    }
}

#[tokio::test]
async fn a_session_reads_as_recorded() {
    let mut client = Session::new();
    let pipeline = json!({"pipeline": definition(), "tags": [{"key": "team", "value": "web"}]});
    client.call("CreatePipeline", pipeline).await;
    let token = token(&client.desk).await;
    client.call("ListPipelines", json!({})).await;
    client.call("GetPipeline", json!({"name": "shop"})).await;
    client
        .call("GetPipelineState", json!({"name": "shop"}))
        .await;
    let listed = client
        .call("ListPipelineExecutions", json!({"pipelineName": "shop"}))
        .await;
    let id = listed["pipelineExecutionSummaries"][0]["pipelineExecutionId"].clone();

    let answer = |token: &str| {
        json!({"pipelineName": "shop", "stageName": "Release", "actionName": "Ask",
            "result": {"summary": "fine", "status": "Approved"}, "token": token})
    };
    client
        .call(
            "PutApprovalResult",
            answer("11111111-1111-1111-1111-111111111111"),
        )
        .await;
    client.call("PutApprovalResult", answer(&token)).await;
    ended(&client.desk, id.as_str().unwrap()).await;
    client.call("PutApprovalResult", answer(&token)).await;

    let execution = json!({"pipelineName": "shop", "pipelineExecutionId": id});
    client.call("GetPipelineExecution", execution).await;
    let filter = json!({"pipelineExecutionId": id});
    let page = json!({"pipelineName": "shop", "filter": filter, "maxResults": 2});
    let first = client.call("ListActionExecutions", page.clone()).await;
    let mut page = page;
    page["nextToken"] = first["nextToken"].clone();
    page["maxResults"] = json!(100);
    client.call("ListActionExecutions", page).await;
    client
        .call("GetPipelineState", json!({"name": "shop"}))
        .await;

    let stage = json!({"pipelineName": "shop", "stageName": "Build", "transitionType": "Inbound"});
    let mut disable = stage.clone();
    disable["reason"] = json!("freeze");
    client.call("DisableStageTransition", disable).await;
    let second = client
        .call(
            "StartPipelineExecution",
            json!({"name": "shop", "clientRequestToken": "once"}),
        )
        .await;
    let again = client
        .call(
            "StartPipelineExecution",
            json!({"name": "shop", "clientRequestToken": "once"}),
        )
        .await;
    assert_eq!(second, again);
    let second = second["pipelineExecutionId"].clone();
    until(&client.desk, |state| {
        state.pipelines["shop"]
            .stage("Build")
            .filter(|stage| !stage.waiting.is_empty())
            .map(|_| ())
    })
    .await;
    client
        .call("GetPipelineState", json!({"name": "shop"}))
        .await;
    let stop = json!({"pipelineName": "shop", "pipelineExecutionId": second, "reason": "not now"});
    client.call("StopPipelineExecution", stop.clone()).await;
    client.call("StopPipelineExecution", stop).await;
    client.call("EnableStageTransition", stage).await;
    client
        .call(
            "ListPipelineExecutions",
            json!({"pipelineName": "shop", "maxResults": 1}),
        )
        .await;
    let retry = json!({"pipelineName": "shop", "stageName": "Build", "pipelineExecutionId": id, "retryMode": "FAILED_ACTIONS"});
    client.call("RetryStageExecution", retry).await;

    let arn = "arn:aws:codepipeline:eu-west-1:123456789012:shop";
    client
        .call(
            "TagResource",
            json!({"resourceArn": arn, "tags": [{"key": "cost", "value": "7"}]}),
        )
        .await;
    client
        .call(
            "UntagResource",
            json!({"resourceArn": arn, "tagKeys": ["team"]}),
        )
        .await;
    client
        .call("ListTagsForResource", json!({"resourceArn": arn}))
        .await;
    client
        .call("UpdatePipeline", json!({"pipeline": definition()}))
        .await;
    client
        .call("GetPipeline", json!({"name": "shop", "version": 1}))
        .await;
    client.call("DeletePipeline", json!({"name": "shop"})).await;
    client.call("GetPipeline", json!({"name": "shop"})).await;
    let golden = include_str!("session.golden");
    assert!(
        client.transcript == golden,
        "the session now reads:\n{}",
        client.transcript
    );
}

#[tokio::test]
async fn a_job_worker_polls_acknowledges_continues_and_ends() {
    let mut client = Session::new();
    let id = json!({"category": "Build", "owner": "Custom", "provider": "Mine", "version": "1"});
    let property = |name: &str, secret: bool, queryable: bool| json!({"name": name, "required": true, "key": true, "secret": secret, "queryable": queryable, "type": "String"});
    let kind = json!({
        "category": "Build", "provider": "Mine", "version": "1",
        "configurationProperties": [property("Project", false, true), property("Password", true, false)],
        "inputArtifactDetails": {"minimumCount": 0, "maximumCount": 1},
        "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 1},
    });
    client.call("CreateCustomActionType", kind).await;
    let custom = client
        .call("ListActionTypes", json!({"actionOwnerFilter": "Custom"}))
        .await;
    assert_eq!(custom["actionTypes"][0]["id"], id);
    let github = client
        .call(
            "ListActionTypes",
            json!({"actionOwnerFilter": "ThirdParty"}),
        )
        .await;
    let github = sorted(&github).to_string();
    assert!(
        github.contains(r#""name":"OAuthToken","queryable":false,"required":true,"secret":true"#),
        "{github}"
    );
    let mut pipeline = definition();
    let compile = &mut pipeline["stages"][1]["actions"][0];
    compile["actionTypeId"] = id.clone();
    compile["configuration"] = json!({"Project": "shop", "Password": "PLANTED"});
    client
        .call("CreatePipeline", json!({"pipeline": pipeline}))
        .await;
    until(&client.desk, |state| {
        (!state.queued_jobs.is_empty()).then_some(())
    })
    .await;

    let query = |value: &str| json!({"actionTypeId": id, "queryParam": {"Project": value}, "maxBatchSize": 5});
    let none = client.call("PollForJobs", query("other")).await;
    assert_eq!(none, json!({"jobs": []}));
    let missing = client
        .call("PollForJobs", json!({"actionTypeId": id}))
        .await;
    assert_eq!(missing["__type"], "ValidationException");
    let polled = client.call("PollForJobs", query("shop")).await;
    let job = &polled["jobs"][0];
    let data = &job["data"];
    assert_eq!(
        data["actionConfiguration"]["configuration"]["Password"],
        "PLANTED"
    );
    assert_eq!(data["pipelineContext"]["stage"]["name"], "Build");
    assert_eq!(
        data["inputArtifacts"][0]["location"]["s3Location"]["bucketName"],
        "artifacts"
    );
    assert_eq!(data["artifactCredentials"]["secretAccessKey"], "Compile");
    assert_eq!(
        client.call("PollForJobs", query("shop")).await,
        json!({"jobs": []})
    );

    let report = |id: &Value, token: Option<&str>| json!({"jobId": id, "continuationToken": token, "executionDetails": {"percentComplete": 40, "externalExecutionId": "run-7"}});
    let early = client
        .call("PutJobSuccessResult", report(&job["id"], None))
        .await;
    assert_eq!(early["__type"], "InvalidJobStateException");
    let acknowledge = json!({"jobId": job["id"], "nonce": job["nonce"]});
    let status = client.call("AcknowledgeJob", acknowledge.clone()).await;
    assert_eq!(status, json!({"status": "InProgress"}));
    let twice = client.call("AcknowledgeJob", acknowledge).await;
    assert_eq!(twice["__type"], "InvalidNonceException");
    client
        .call("PutJobSuccessResult", report(&job["id"], Some("half")))
        .await;
    until(&client.desk, |state| {
        (!state.queued_jobs.is_empty()).then_some(())
    })
    .await;
    let next = client.call("PollForJobs", query("shop")).await;
    let next = &next["jobs"][0];
    assert_ne!(next["id"], job["id"]);
    assert_eq!(next["data"]["continuationToken"], "half");
    let details = client
        .call("GetJobDetails", json!({"jobId": next["id"]}))
        .await;
    assert_eq!(details["jobDetails"]["data"], next["data"]);
    assert_eq!(details["jobDetails"]["accountId"], "123456789012");
    client
        .call(
            "AcknowledgeJob",
            json!({"jobId": next["id"], "nonce": next["nonce"]}),
        )
        .await;
    client
        .call("PutJobSuccessResult", report(&next["id"], None))
        .await;
    token(&client.desk).await;
    let state = client
        .call("GetPipelineState", json!({"name": "shop"}))
        .await;
    let compile = &state["stageStates"][1]["actionStates"][0]["latestExecution"];
    assert_eq!(
        (&compile["status"], &compile["externalExecutionId"]),
        (&json!("Succeeded"), &json!("run-7"))
    );

    // Secrets read back masked, and a mask that comes back keeps the secret.
    let mut read = client.call("GetPipeline", json!({"name": "shop"})).await;
    assert_eq!(
        read["pipeline"]["stages"][1]["actions"][0]["configuration"]["Password"],
        "****"
    );
    let listed = client
        .call("ListActionExecutions", json!({"pipelineName": "shop"}))
        .await
        .to_string();
    assert!(!listed.contains("PLANTED"), "{listed}");
    read.as_object_mut().unwrap().remove("metadata");
    client.call("UpdatePipeline", read).await;
    client.desk.read(|state| {
        let stored = &state.pipelines["shop"].definition.stages[1].actions[0].configuration;
        assert_eq!(stored["Password"], "PLANTED");
    });
}

/// The same with members in the order of their names, whatever serde_json's own map does in this build.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: std::collections::BTreeMap<&String, Value> = fields
                .iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect();
            json!(fields)
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
