//! The ports of the hosts against a server on this machine: jobs of workers, the ledger, tokens, secrets, files.

use std::io::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::{
    fault::FaultKind,
    job::RawParameters,
    port::{
        ArtifactFiles, Intent, JobSource, Ledger, LedgerEntry, OpenJob, OpenJobs, PortError,
        SecretStore, Shelf, TaskCallback, TaskOutcome,
    },
    secret::Secret,
};

use super::{
    artifact, job,
    stub::{Answer, Stub, job_credentials},
};
use crate::{
    artifacts::S3Artifacts, codepipeline::CodePipeline, ledger::DynamoLedger, rules,
    secrets::Secrets, task_tokens::TaskTokens,
};

fn body(stub: &Stub, number: usize) -> Value {
    serde_json::from_str(&stub.asked()[number].body).unwrap()
}

#[tokio::test]
async fn jobs_are_polled_by_type_and_query() {
    let stub = Stub::start(|number, _| match number {
        0 => Answer::of(
            200,
            r#"{"jobs":[{"id":"1-a","nonce":"3","accountId":"1","data":{}}]}"#,
        ),
        1 => Answer::of(200, r#"{"jobs":[]}"#),
        _ => Answer::of(
            400,
            r#"{"__type":"ActionTypeNotFoundException","message":"no"}"#,
        ),
    });
    let pipeline = CodePipeline::new(&stub.aws());
    let kind = "Build/Jenkins/1".parse().unwrap();
    let polled = pipeline
        .poll(&kind, Some(("ProjectName", "site")), 5)
        .await
        .unwrap();
    assert_eq!(
        (polled[0].id.as_str(), polled[0].nonce.as_str()),
        ("1-a", "3")
    );
    assert!(pipeline.poll(&kind, None, 1).await.unwrap().is_empty());
    let unknown = pipeline.poll(&kind, None, 1).await;
    assert!(
        matches!(unknown, Err(PortError::NotFound { .. })),
        "{unknown:?}"
    );
    assert_eq!(
        body(&stub, 0),
        json!({"actionTypeId": {"owner": "Custom", "category": "Build", "provider": "Jenkins", "version": "1"},
               "maxBatchSize": 5, "queryParam": {"ProjectName": "site"}})
    );
    assert_eq!(body(&stub, 1).get("queryParam"), None);
}

#[tokio::test]
async fn an_acknowledgement_is_one_call() {
    let stub = Stub::start(|number, _| match number {
        0 => Answer::of(200, r#"{"status":"InProgress"}"#),
        1 => Answer::of(200, r#"{"status":"Succeeded"}"#),
        2 => Answer::of(400, r#"{"__type":"InvalidNonceException","message":"no"}"#),
        _ => Answer::of(500, "{}"),
    });
    let pipeline = CodePipeline::new(&stub.aws());
    assert!(pipeline.acknowledge(&job(), "3").await.unwrap());
    assert!(!pipeline.acknowledge(&job(), "3").await.unwrap());
    let used = pipeline.acknowledge(&job(), "3").await;
    assert!(matches!(used, Err(PortError::Conflict { .. })), "{used:?}");
    let lost = pipeline.acknowledge(&job(), "3").await;
    assert!(
        matches!(lost, Err(PortError::Unavailable { .. })),
        "{lost:?}"
    );
    assert_eq!(stub.asked().len(), 4);
}

#[tokio::test]
async fn a_workers_job_is_read_with_fresh_credentials() {
    let location =
        |key: &str| json!({"type": "S3", "s3Location": {"bucketName": "store", "objectKey": key}});
    let details = json!({"jobDetails": {"id": job().as_str(), "accountId": "1", "data": {
        "actionTypeId": {"owner": "Custom", "category": "Test", "provider": "X", "version": "1"},
        "actionConfiguration": {"configuration": {"url": "u", "tries": "3"}},
        "pipelineContext": {"pipelineName": "p", "stage": {"name": "s"}, "action": {"name": "a", "actionExecutionId": "9-9"}},
        "inputArtifacts": [{"name": "In", "location": location("k")}],
        "outputArtifacts": [{"name": "Out", "location": location("o")}],
        "artifactCredentials": {"accessKeyId": "planted-a", "secretAccessKey": "planted-s", "sessionToken": "planted-t"},
        "continuationToken": "t", "encryptionKey": {"id": "key", "type": "KMS"}
    }}});
    let text = details.to_string();
    let stub = Stub::start(move |number, _| match number {
        0 => Answer::of(200, &text),
        _ => Answer::of(200, &text.replace("bucketName", "other")),
    });
    let pipeline = CodePipeline::new(&stub.aws());
    let read = pipeline.details(&job()).await.unwrap().unwrap();
    assert_eq!(
        (read.run_key.as_str(), read.continuation.as_deref()),
        ("9-9", Some("t"))
    );
    assert_eq!(
        (read.inputs[0].key.as_str(), read.outputs[0].key.as_str()),
        ("k", "o")
    );
    assert_eq!(read.encryption_key.as_deref(), Some("key"));
    assert!(!format!("{read:?}").contains("planted"));
    let RawParameters::Flat(flat) = &read.parameters else {
        unreachable!("{:?}", read.parameters);
    };
    assert_eq!((flat["url"].as_str(), flat["tries"].as_str()), ("u", "3"));

    // A job without a bucket is a fault to report, for its id is known.
    let fault = pipeline.details(&job()).await.unwrap().unwrap_err();
    assert!(
        fault
            .public
            .contains("inputArtifacts[0].location.s3Location"),
        "{fault}"
    );
}

#[tokio::test]
async fn the_ledger_is_written_on_conditions_and_read_consistently() {
    let stub = Stub::start(
        |number, asked| match (number, asked.header("x-amz-target")) {
            (1, _) => Answer::of(
                400,
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#,
            ),
            (_, "DynamoDB_20120810.GetItem") => Answer::of(
                200,
                r#"{"Item":{"state":{"S":"started"},"run":{"S":"17"},"text":{"S":"kept"}}}"#,
            ),
            (_, "DynamoDB_20120810.Query") => Answer::of(
                200,
                r#"{"Items":[{"sk":{"S":"1-a"},"nonce":{"S":"3"},"by":{"S":"d"},"until":{"S":"2026-01-02T03:04:05.000000000Z"}}]}"#,
            ),
            _ => Answer::of(200, "{}"),
        },
    );
    let ledger = DynamoLedger::new(&stub.aws(), "table");
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    let intent = |by: &str| Intent {
        at,
        until: at + SignedDuration::from_secs(90),
        by: by.to_owned(),
    };
    ledger.intend("a/1", &intent("d-1")).await.unwrap();
    let second = ledger.intend("a/1", &intent("d-2")).await;
    assert!(
        matches!(second, Err(PortError::Conflict { .. })),
        "{second:?}"
    );
    let entry = ledger.read("a/1").await.unwrap();
    assert_eq!(entry, Some(LedgerEntry::Started { run: "17".into() }));
    ledger
        .take_over("a/1", &intent("d-1"), &intent("d-2"))
        .await
        .unwrap();
    assert_eq!(
        Shelf::get(&ledger, "a/1", "n").await.unwrap().as_deref(),
        Some("kept")
    );
    let left = ledger.left_open("action-x", at, 5).await.unwrap();
    assert_eq!((left[0].job.as_str(), left[0].nonce.as_str()), ("1-a", "3"));
    let new = OpenJob {
        by: "d-2".into(),
        ..left[0].clone()
    };
    ledger.reopen("action-x", &left[0], &new).await.unwrap();

    let put = body(&stub, 0);
    assert_eq!(put["TableName"], "table");
    assert_eq!(put["Item"]["pk"]["S"], "run#a/1");
    assert_eq!(
        put["Item"]["expires"]["N"],
        (1_700_000_000 + 14 * 86_400).to_string()
    );
    assert_eq!(
        put["ExpressionAttributeNames"],
        json!({"#state": "state", "#by": "by"})
    );
    assert_eq!(body(&stub, 2)["ConsistentRead"], true);
    let values = &body(&stub, 3)["ExpressionAttributeValues"];
    assert_eq!(values[":until"]["S"], "2023-11-14T22:14:50.000000000Z");
    assert_eq!(body(&stub, 4)["Key"]["sk"]["S"], "progress#n");
    assert_eq!(stub.asked()[0].signer(), "AKIDFUNCTION");
}

#[tokio::test]
async fn a_token_is_answered_or_found_closed() {
    let stub = Stub::start(|number, _| match number {
        0..3 => Answer::of(200, "{}"),
        3 => Answer::of(400, r#"{"__type":"TaskTimedOut","message":"no"}"#),
        4 => Answer::of(400, r#"{"__type":"TaskDoesNotExist","message":"no"}"#),
        5 => Answer::of(400, r#"{"__type":"InvalidToken","message":"no"}"#),
        _ => Answer::of(400, r#"{"__type":"InvalidOutput","message":"no"}"#),
    });
    let machines = TaskTokens::new(&stub.aws());
    let token = Secret::new("planted-token".to_owned());
    let failure = TaskOutcome::Failure {
        kind: FaultKind::TimedOut,
        cause: "too long".into(),
    };
    let success = TaskOutcome::Success(json!({"status": "SUCCEEDED"}));
    machines.finish(&token, &success).await.unwrap();
    machines.finish(&token, &failure).await.unwrap();
    machines.heartbeat(&token).await.unwrap();
    for _ in 0..3 {
        let closed = machines.finish(&token, &success).await;
        assert!(
            matches!(closed, Err(PortError::Conflict { .. })),
            "{closed:?}"
        );
    }
    let refused = machines.finish(&token, &success).await;
    assert!(
        matches!(refused, Err(PortError::Invalid { .. })),
        "{refused:?}"
    );
    let target = "AWSStepFunctions.SendTaskSuccess";
    assert_eq!(stub.asked()[0].header("x-amz-target"), target);
    assert_eq!(
        body(&stub, 0),
        json!({"taskToken": "planted-token", "output": r#"{"status":"SUCCEEDED"}"#})
    );
    assert_eq!(
        body(&stub, 1),
        json!({"taskToken": "planted-token", "error": "TimedOut", "cause": "too long"})
    );
}

#[test]
fn rules_are_read_from_a_file_or_a_parameter() {
    let stub = Stub::start(|number, _| match number {
        0 => Answer::of(200, r#"{"Parameter":{"Value":"{\"version\":1}"}}"#),
        _ => Answer::of(400, r#"{"__type":"ParameterNotFound","message":"no"}"#),
    });
    let aws = stub.aws();
    assert_eq!(rules::read(&aws, "ssm:/rules").unwrap(), "{\"version\":1}");
    for (name, want) in [
        (
            "ssm:/other",
            "ssm:/other cannot be read: the secret ssm:/other was not found",
        ),
        ("ssm:a b", "write ssm: and the name of a parameter"),
        ("no/such/file.json", "no/such/file.json cannot be read: "),
    ] {
        let error = rules::read(&aws, name).unwrap_err();
        assert!(error.starts_with(want), "{error}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{}").unwrap();
    let path = file.path().display().to_string();
    assert_eq!(rules::read(&aws, &path).unwrap(), "{}");
}

#[tokio::test]
async fn secrets_are_read_from_both_services() {
    let stub = Stub::start(|number, _| match number {
        0 => Answer::of(503, "<html>"),
        1 | 2 => Answer::of(200, r#"{"SecretString":"{\"token\":\"planted-1\"}"}"#),
        3 => Answer::of(200, r#"{"Parameter":{"Value":"planted-2"}}"#),
        _ => Answer::of(
            400,
            r#"{"__type":"ResourceNotFoundException","Message":"no"}"#,
        ),
    });
    let secrets = Secrets::new(&stub.aws());
    let read = async |text: &str| secrets.read(&text.parse().unwrap()).await;
    assert_eq!(
        read("secretsmanager:ci#token").await.unwrap().reveal(),
        "planted-1"
    );
    let missing = read("secretsmanager:ci#other").await;
    assert!(
        matches!(missing, Err(PortError::NotFound { .. })),
        "{missing:?}"
    );
    assert_eq!(read("ssm:/ci/token").await.unwrap().reveal(), "planted-2");
    let unknown = read("secretsmanager:no").await.unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "the secret secretsmanager:no was not found"
    );
    let asked = stub.asked();
    assert_eq!(
        asked[1].header("x-amz-target"),
        "secretsmanager.GetSecretValue"
    );
    assert!(
        asked[1]
            .header("authorization")
            .contains("/eu-west-1/secretsmanager/aws4_request")
    );
    assert_eq!(
        body(&stub, 3),
        json!({"Name": "/ci/token", "WithDecryption": true})
    );
}

#[tokio::test]
async fn one_file_is_read_out_of_an_artifact() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    // Stored, so that the archive is text the stub can send.
    let plain =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("a/p.json", plain).unwrap();
    zip.write_all(b"{}").unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let stub = Stub::serving(bytes);
    let artifacts = S3Artifacts::new(&stub.aws());
    let credentials = job_credentials();
    let read = async |path: &str, limit| {
        ArtifactFiles::read(&artifacts, Some(&credentials), &artifact(), path, limit).await
    };
    assert_eq!(read("a/p.json", 2).await.unwrap(), b"{}");
    assert!(matches!(
        read("b", 2).await,
        Err(PortError::NotFound { .. })
    ));
    assert!(matches!(
        read("a/p.json", 1).await,
        Err(PortError::Invalid { .. })
    ));
}
