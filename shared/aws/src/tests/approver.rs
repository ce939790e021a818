//! The approver role: whose name a result is sent under, and that nothing else sends it.

use jiff::Timestamp;
use shared::{
    approval::{
        decide::SendAnswer,
        id::{ApprovalId, DecisionId},
        port::{Answer, ResultSender},
        request::{Decision, Facts, Request, Target, Verdict},
    },
    port::PortError,
    secret::Secret,
};

use super::stub::{Answer as Reply, Stub};
use crate::pipelines::Pipelines;

const ROLE: &str = "arn:aws:iam::123456789012:role/approver";
const ASSUMED: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAAPPROVER</AccessKeyId><SecretAccessKey>planted</SecretAccessKey><SessionToken>planted-token</SessionToken></Credentials></AssumeRoleResult></AssumeRoleResponse>";

fn request() -> Request {
    Request {
        id: ApprovalId::from_random([7; 16]),
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

async fn put(stub: &Stub, role: Option<&str>) -> Result<SendAnswer, PortError> {
    let pipelines = Pipelines::new(&stub.aws()).answering_as(role);
    let request = request();
    let decision = Decision {
        id: DecisionId::from_random([1; 12]),
        verdict: Verdict::Approve,
        at: Timestamp::UNIX_EPOCH,
    };
    let answer = Answer {
        request: &request,
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
        false => Reply::of(200, r#"{"approvedAt":1}"#),
    });
    put(&stub, Some(ROLE)).await.unwrap();
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
