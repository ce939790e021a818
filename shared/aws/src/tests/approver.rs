//! The approver role: whose name a result is sent under, and that nothing else sends it.

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::{
    approval::{
        asker::{Asker, MachineTask},
        decide::SendAnswer,
        id::{ApprovalId, DecisionId, RecipientId},
        port::{Answer, ResultSender},
        request::{Decision, Facts, Record, Request, Target, Verdict},
        rules::RuleSet,
    },
    port::PortError,
    secret::Secret,
};

use super::stub::{Answer as Reply, Stub};
use crate::pipelines::Pipelines;

const ROLE: &str = "arn:aws:iam::123456789012:role/approver";
const ASSUMED: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAAPPROVER</AccessKeyId><SecretAccessKey>planted</SecretAccessKey><SessionToken>planted-token</SessionToken></Credentials></AssumeRoleResult></AssumeRoleResponse>";

pub(super) fn request() -> Request {
    Request {
        id: ApprovalId::from_random([7; 16]),
        asker: Asker::Pipeline,
        target: Target {
            pipeline: "p".parse().unwrap(),
            stage: "S".parse().unwrap(),
            action: "A".parse().unwrap(),
        },
        execution: "e1".parse().unwrap(),
        action_execution: "a1".parse().unwrap(),
        token: Secret::new("t".to_owned()),
        asked_at: Timestamp::UNIX_EPOCH,
        expires_at: Timestamp::UNIX_EPOCH,
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
        custom_data: None,
        external_link: None,
        facts: Facts::default(),
    }
}

/// Asked of one person.
pub(super) fn record(request: Request) -> Record {
    let rules = RuleSet::simple(["o'neill@example.com"], 1);
    let rule = rules.and_then(RuleSet::into_only).unwrap();
    Record::opened(request, rule, || {
        (RecipientId::from_random([3; 8]), [3; 32])
    })
}

async fn put(stub: &Stub, role: Option<&str>) -> Result<SendAnswer, PortError> {
    let pipelines = Pipelines::new(&stub.aws()).answering_as(role);
    let record = record(request());
    let decision = Decision {
        id: DecisionId::from_random([1; 12]),
        verdict: Verdict::Approve,
        at: Timestamp::UNIX_EPOCH,
        newer: None,
    };
    let answer = Answer {
        record: &record,
        decision: &decision,
        summary: "Approved in decision x",
        approver: Some("o'neill@example.com"),
        approvers: vec!["o'neill@example.com"],
    };
    pipelines.put(&answer).await
}

#[tokio::test]
async fn threat_49_a_result_is_sent_in_a_session_named_after_its_approver() {
    let stub = Stub::start(|_, asked| match asked.body.contains("AssumeRole") {
        true => Reply::of(200, ASSUMED),
        false => Reply::Full(
            200,
            vec![("x-amzn-RequestId", "r-1".to_owned())],
            r#"{"approvedAt":1}"#.to_owned(),
        ),
    });
    let accepted = SendAnswer::Accepted {
        request: Some("r-1".to_owned()),
    };
    assert_eq!(put(&stub, Some(ROLE)).await.unwrap(), accepted);
    let asked = stub.asked();
    assert_eq!(asked.len(), 2);
    for part in [
        "Action=AssumeRole",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fapprover",
        "RoleSessionName=o%3D27neill%40example.com",
        "SourceIdentity=o%3D27neill%40example.com",
    ] {
        assert!(asked[0].body.contains(part), "{part}: {}", asked[0].body);
    }
    assert_eq!(asked[1].signer(), "ASIAAPPROVER");
    assert_eq!(asked[1].header("x-amz-security-token"), "planted-token");
}

#[tokio::test]
async fn who_may_not_assume_the_role_sends_nothing() {
    let denied = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
    let stub = Stub::start(|_, _| Reply::of(403, denied));
    let error = put(&stub, Some(ROLE)).await.unwrap_err();
    assert!(matches!(error, PortError::Denied { .. }), "{error:?}");
    assert_eq!(
        stub.asked().len(),
        1,
        "the function's own role is no way round"
    );
}

const EXECUTION: &str = "arn:aws:states:eu-west-1:123456789012:execution:shop:v42";

fn asked_by_machine() -> Record {
    let task = MachineTask {
        execution: EXECUTION.parse().unwrap(),
        subject: None,
    };
    let asker = Asker::Machine(task);
    record(Request { asker, ..request() })
}

#[tokio::test]
async fn a_machine_is_told_by_its_token_and_a_closed_one_is_looked_at() {
    let stub = Stub::start(|number, _| match number {
        0 | 1 => Reply::of(200, "{}"),
        _ => Reply::of(400, r#"{"__type":"TaskTimedOut","message":"no"}"#),
    });
    let pipelines = Pipelines::new(&stub.aws()).answering_as(Some(ROLE));
    let record = asked_by_machine();
    let decision = Decision {
        id: DecisionId::from_random([1; 12]),
        verdict: Verdict::Approve,
        at: Timestamp::UNIX_EPOCH,
        newer: None,
    };
    let answer = Answer {
        record: &record,
        decision: &decision,
        summary: "Approved",
        approver: None,
        approvers: Vec::new(),
    };
    assert_eq!(
        pipelines.put(&answer).await.unwrap(),
        SendAnswer::Accepted { request: None }
    );
    pipelines.give_up(&record).await.unwrap();
    assert_eq!(pipelines.put(&answer).await.unwrap(), SendAnswer::NotOpen);
    pipelines.give_up(&record).await.unwrap();
    let asked = stub.asked();
    let target = |at: usize| asked[at].header("x-amz-target").to_owned();
    assert_eq!(target(0), "AWSStepFunctions.SendTaskSuccess");
    assert_eq!(target(1), "AWSStepFunctions.SendTaskFailure");
    let body: Value = serde_json::from_str(&asked[1].body).unwrap();
    assert_eq!(
        (&body["taskToken"], &body["error"]),
        (&json!("t"), &json!("ApprovalExpired"))
    );
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    let output: Value = serde_json::from_str(body["output"].as_str().unwrap()).unwrap();
    assert_eq!(output["decisionId"], decision.id.as_str());
}

#[tokio::test]
async fn what_a_closed_task_was_told_is_found_in_its_history() {
    let record = asked_by_machine();
    let ours = json!({"approval": record.request.id.as_str(), "decisionId": "d"}).to_string();
    let cases = [
        (
            json!({"type": "TaskSucceeded", "taskSucceededEventDetails": {"output": ours}}),
            Some(Verdict::Approve),
        ),
        (
            json!({"type": "TaskFailed", "taskFailedEventDetails": {"error": "ApprovalRejected", "cause": ours}}),
            Some(Verdict::Reject),
        ),
        (
            json!({"type": "TaskFailed", "taskFailedEventDetails": {"error": "ApprovalExpired", "cause": ours}}),
            None,
        ),
    ];
    for (event, verdict) in cases {
        let stub = Stub::start(move |number, _| match number {
            0 => Reply::of(400, r#"{"__type":"TaskTimedOut","message":"no"}"#),
            1 => {
                let other =
                    json!({"type": "TaskSucceeded", "taskSucceededEventDetails": {"output": "{}"}});
                Reply::of(
                    200,
                    &json!({"events": [other], "nextToken": "n"}).to_string(),
                )
            }
            _ => Reply::of(200, &json!({"events": [event]}).to_string()),
        });
        let found = Pipelines::new(&stub.aws())
            .look(&record.request)
            .await
            .unwrap();
        assert_eq!((found.verdict, found.ended), (verdict, true));
        assert_eq!(found.summary.as_deref(), Some(ours.as_str()));
        let asked: Value = serde_json::from_str(&stub.asked()[2].body).unwrap();
        assert_eq!(
            (&asked["executionArn"], &asked["nextToken"]),
            (&json!(EXECUTION), &json!("n"))
        );
    }
    let waits = Stub::start(|_, _| Reply::of(200, "{}"));
    let found = Pipelines::new(&waits.aws())
        .look(&record.request)
        .await
        .unwrap();
    assert!(!found.ended);
    assert_eq!(waits.asked().len(), 1);
}
