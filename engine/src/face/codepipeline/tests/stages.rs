//! Rollback, automatic retry and their members in replies (`codepipeline.md` 2.3, 3.4 and 3.5).

use super::*;

/// An execution of `shop` that has succeeded; its id.
async fn succeeded(client: &mut Session) -> Value {
    let approve = |token: String| {
        json!({"pipelineName": "shop", "stageName": "Release", "actionName": "Ask",
            "result": {"summary": "fine", "status": "Approved"}, "token": token})
    };
    let approve = approve(token(&client.desk).await);
    client.call("PutApprovalResult", approve).await;
    let listed = client
        .call("ListPipelineExecutions", json!({"pipelineName": "shop"}))
        .await;
    let id = listed["pipelineExecutionSummaries"][0]["pipelineExecutionId"].clone();
    ended(&client.desk, id.as_str().unwrap()).await;
    id
}

#[tokio::test]
async fn s3_5_rollback_stage_shows_in_every_reply() {
    let mut client = Session::new();
    client
        .call("CreatePipeline", json!({"pipeline": definition()}))
        .await;
    let target = succeeded(&mut client).await;
    let request = |stage: &str, target: &Value| json!({"pipelineName": "shop", "stageName": stage, "targetPipelineExecutionId": target});
    for (body, exception) in [
        (json!({}), "ValidationException"),
        (request("Build", &json!("no uuid")), "ValidationException"),
        (request("Nope", &target), "StageNotFoundException"),
        (
            request("Build", &json!("11111111-1111-1111-1111-111111111111")),
            "PipelineExecutionNotFoundException",
        ),
        (request("Source", &target), "UnableToRollbackStageException"),
    ] {
        let answer = client.call("RollbackStage", body).await;
        assert_eq!(answer["__type"], exception, "{answer}");
    }
    let answer = client
        .call("RollbackStage", request("Build", &target))
        .await;
    let id = &answer["pipelineExecutionId"];
    ended(&client.desk, id.as_str().unwrap()).await;

    let metadata = json!({"rollbackTargetPipelineExecutionId": target});
    let read = client
        .call(
            "GetPipelineExecution",
            json!({"pipelineName": "shop", "pipelineExecutionId": id}),
        )
        .await;
    let read = &read["pipelineExecution"];
    assert_eq!(read["executionType"], "ROLLBACK");
    assert_eq!(read["rollbackMetadata"], metadata);
    assert_eq!(
        read["trigger"],
        json!({"triggerType": "ManualRollback", "triggerDetail": CALLER})
    );
    let in_stage = |stage: &str| json!({"pipelineName": "shop", "filter": {"succeededInStage": {"stageName": stage}}});
    let listed = client
        .call("ListPipelineExecutions", in_stage("Build"))
        .await;
    let listed = listed["pipelineExecutionSummaries"].as_array().unwrap();
    let kinds: Vec<_> = listed.iter().map(|it| &it["executionType"]).collect();
    assert_eq!(kinds, ["ROLLBACK", "STANDARD"]);
    assert_eq!(listed[0]["rollbackMetadata"], metadata);
    assert_eq!(listed[1].get("rollbackMetadata"), None);
    let listed = client
        .call("ListPipelineExecutions", in_stage("Check"))
        .await;
    let listed = listed["pipelineExecutionSummaries"].as_array().unwrap();
    assert_eq!(listed.len(), 1, "the rollback ran in no other stage");
    let state = client
        .call("GetPipelineState", json!({"name": "shop"}))
        .await;
    let latest = &state["stageStates"][1]["latestExecution"];
    assert_eq!(
        *latest,
        json!({"pipelineExecutionId": id, "status": "Succeeded", "type": "ROLLBACK"})
    );
}

#[tokio::test]
async fn s3_4_an_automatic_retry_shows_in_the_state() {
    let mut client = Session::new();
    let mut pipeline = definition();
    let retry = json!({"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}});
    pipeline["stages"][3]["onFailure"] = retry.clone();
    let created = client
        .call("CreatePipeline", json!({"pipeline": pipeline}))
        .await;
    assert_eq!(created["pipeline"]["stages"][3]["onFailure"], retry);
    assert_eq!(created["pipeline"]["pipelineType"], "V2");
    let reject = |token: &str| {
        json!({"pipelineName": "shop", "stageName": "Release", "actionName": "Ask",
            "result": {"summary": "no", "status": "Rejected"}, "token": token})
    };
    let first = token(&client.desk).await;
    client.call("PutApprovalResult", reject(&first)).await;
    let second = token(&client.desk).await;
    assert_ne!(first, second);
    let state = client
        .call("GetPipelineState", json!({"name": "shop"}))
        .await;
    assert_eq!(
        state["stageStates"][3]["retryStageMetadata"],
        json!({"autoStageRetryAttempt": 1, "latestRetryTrigger": "AutomatedStageRetry"})
    );
    client.call("PutApprovalResult", reject(&second)).await;
    let id = state["stageStates"][3]["latestExecution"]["pipelineExecutionId"].clone();
    ended(&client.desk, id.as_str().unwrap()).await;
    let retry = json!({"pipelineName": "shop", "stageName": "Release", "pipelineExecutionId": id, "retryMode": "FAILED_ACTIONS"});
    client.call("RetryStageExecution", retry).await;
    let state = client
        .call("GetPipelineState", json!({"name": "shop"}))
        .await;
    assert_eq!(
        state["stageStates"][3]["retryStageMetadata"],
        json!({"autoStageRetryAttempt": 1, "manualStageRetryAttempt": 1, "latestRetryTrigger": "ManualStageRetry"})
    );
}
