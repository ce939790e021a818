//! Broken constraints of CodePipeline's requests, in AWS's words.

use serde_json::{Value, json};

use super::super::model;
use crate::face::constraint::{Member, check};

fn says(body: Value, members: &'static [Member]) -> String {
    check(&body, members).map_or_else(|refusal| refusal.to_string(), |()| "fine".to_owned())
}

#[test]
fn broken_constraints_are_worded_as_aws_does() {
    let id = "11111111-abcd-1111-abcd-111111abcdef";
    for (body, members, expected) in [
        (json!({"name": "shop", "more": 1}), model::BY_NAME, "fine"),
        (
            json!({}),
            model::BY_NAME,
            "ValidationException: 1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null",
        ),
        (
            json!({"name": "a b"}),
            model::BY_NAME,
            r"ValidationException: 1 validation error detected: Value 'a b' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9.@\-_]+",
        ),
        (
            json!({"pipelineName": "p", "stageName": "s", "pipelineExecutionId": "E", "retryMode": "ALL"}),
            model::RETRY,
            "ValidationException: 2 validation errors detected: Value 'E' at 'pipelineExecutionId' failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}; Value 'ALL' at 'retryMode' failed to satisfy constraint: Member must satisfy enum value set: [FAILED_ACTIONS, ALL_ACTIONS]",
        ),
        (
            json!({"name": "p", "variables": [{"name": "v"}]}),
            model::START,
            "ValidationException: 1 validation error detected: Value null at 'variables.1.member.value' failed to satisfy constraint: Member must not be null",
        ),
        (
            json!({"maxResults": 0}),
            model::LIST_PIPELINES,
            "ValidationException: 1 validation error detected: Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            json!({"jobId": id, "executionDetails": {"percentComplete": 101}}),
            model::JOB_SUCCESS,
            "ValidationException: 1 validation error detected: Value '101' at 'executionDetails.percentComplete' failed to satisfy constraint: Member must have value less than or equal to 100",
        ),
        (
            json!({"jobId": id, "outputVariables": {"a b": "x"}}),
            model::JOB_SUCCESS,
            r"ValidationException: 1 validation error detected: Value at 'outputVariables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [A-Za-z0-9@\-_]+]",
        ),
        (
            json!({"name": 7}),
            model::BY_NAME,
            "SerializationException: NUMBER_VALUE can not be converted to a String",
        ),
        (
            json!({"name": []}),
            model::BY_NAME,
            "SerializationException: Start of list found where not expected",
        ),
        (
            json!({"resourceArn": "arn:aws:codepipeline:eu-west-1:123456789012:shop", "tags": [{"key": "", "value": ""}]}),
            model::TAG_RESOURCE,
            "ValidationException: 1 validation error detected: Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
    ] {
        assert_eq!(says(body.clone(), members), expected, "{body}");
    }
}

#[test]
fn a_secret_is_not_repeated() {
    let body = json!({"pipelineName": "p", "stageName": "s", "actionName": "a", "token": "PLANTED",
        "result": {"summary": "", "status": "Approved"}});
    let said = says(body, model::APPROVAL);
    assert!(said.contains("Value at 'token' failed"), "{said}");
    assert!(!said.contains("PLANTED"));
}
