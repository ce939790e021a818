//! What this side of CodePipeline refuses by name.

use super::*;

#[tokio::test]
async fn what_it_does_not_have_is_refused_by_name() {
    let client = Session::new();
    let id = "11111111-1111-1111-1111-111111111111";
    for (operation, body, exception, says) in [
        (
            "GetPipelne",
            "{}",
            "UnknownOperationException",
            "GetPipelne",
        ),
        ("GetPipeline", "{", "SerializationException", "not JSON"),
        ("GetPipeline", "[]", "SerializationException", "list"),
        (
            "GetPipeline",
            r#"{"name":"none"}"#,
            "PipelineNotFoundException",
            "Account '123456789012' does not have a pipeline with name 'none'",
        ),
        (
            "GetJobDetails",
            &format!(r#"{{"jobId":"{id}"}}"#),
            "JobNotFoundException",
            "job",
        ),
        (
            "ListPipelines",
            r#"{"nextToken":"?"}"#,
            "InvalidNextTokenException",
            "invalid format",
        ),
        (
            "TagResource",
            r#"{"resourceArn":"arn:aws:codepipeline:eu-west-1:123456789012:none","tags":[]}"#,
            "ResourceNotFoundException",
            "none",
        ),
        (
            "PollForJobs",
            r#"{"actionTypeId":{"category":"Build","owner":"Custom","provider":"None","version":"1"}}"#,
            "ActionTypeNotFoundException",
            "None",
        ),
        (
            "CreatePipeline",
            r#"{"pipeline":{"name":"x"}}"#,
            "ValidationException",
            "pipeline.roleArn",
        ),
    ] {
        let refusal = client.ask(operation, body.as_bytes()).await.unwrap_err();
        assert_eq!(refusal.exception, exception, "{operation}: {refusal}");
        assert!(refusal.message.contains(says), "{operation}: {refusal}");
    }
}

#[test]
fn cbor_is_refused_in_cbor() {
    let body = cbor_refusal("ListPipelines");
    assert_eq!(&body[..10], b"\xa2\x79\x00\x06__type");
    assert!(body.windows(13).any(|w| w == b"ListPipelines"));
}
