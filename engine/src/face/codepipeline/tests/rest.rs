//! Operations that mostly look things up (`codepipeline.md` 2.2).

use super::*;

#[tokio::test]
async fn s2_2_revisions_targets_and_declared_types() {
    let mut client = Session::new();
    client
        .call("CreatePipeline", json!({"pipeline": definition()}))
        .await;
    token(&client.desk).await;
    let put = |pipeline: &str, stage: &str, action: &str, id: &str| {
        json!({"pipelineName": pipeline, "stageName": stage, "actionName": action,
            "actionRevision": {"revisionId": id, "revisionChangeId": "c", "created": 1_700_000_000}})
    };
    let kind =
        json!({"category": "Build", "owner": "ThirdParty", "provider": "None", "version": "1"});
    let counts = json!({"minimumCount": 0, "maximumCount": 0});
    let declared = json!({"actionType": {"id": kind, "executor": {"type": "Lambda", "configuration": {}}, "inputArtifactDetails": counts, "outputArtifactDetails": counts}});
    for (operation, body, exception) in [
        (
            "PutActionRevision",
            put("none", "Source", "Code", "v8"),
            "PipelineNotFoundException",
        ),
        (
            "PutActionRevision",
            put("shop", "Nope", "Code", "v8"),
            "StageNotFoundException",
        ),
        (
            "PutActionRevision",
            put("shop", "Source", "Nope", "v8"),
            "ActionNotFoundException",
        ),
        (
            "PutActionRevision",
            put("shop", "Build", "Compile", "v8"),
            "ActionNotFoundException",
        ),
        (
            "PutActionRevision",
            json!({"pipelineName": "shop"}),
            "ValidationException",
        ),
        (
            "ListDeployActionExecutionTargets",
            json!({"actionExecutionId": "x"}),
            "ActionExecutionNotFoundException",
        ),
        (
            "ListDeployActionExecutionTargets",
            json!({"pipelineName": "none", "actionExecutionId": "x"}),
            "PipelineNotFoundException",
        ),
        (
            "ListDeployActionExecutionTargets",
            json!({"actionExecutionId": "x", "nextToken": "?"}),
            "InvalidNextTokenException",
        ),
        ("GetActionType", kind.clone(), "ActionTypeNotFoundException"),
        (
            "GetActionType",
            json!({"category": "Build"}),
            "ValidationException",
        ),
        ("UpdateActionType", declared, "ActionTypeNotFoundException"),
        (
            "UpdateActionType",
            json!({"actionType": {"id": kind}}),
            "ValidationException",
        ),
    ] {
        let answer = client.call(operation, body).await;
        assert_eq!(answer["__type"], exception, "{operation} {answer}");
    }
    // the scripted source has given v7
    let known = client
        .call("PutActionRevision", put("shop", "Source", "Code", "v7"))
        .await;
    assert_eq!(known["newRevision"], false);
    let fresh = client
        .call("PutActionRevision", put("shop", "Source", "Code", "v8"))
        .await;
    assert_eq!(fresh["newRevision"], true);
    assert_ne!(fresh["pipelineExecutionId"], known["pipelineExecutionId"]);
    let read = client
        .call(
            "GetPipelineExecution",
            json!({"pipelineName": "shop", "pipelineExecutionId": fresh["pipelineExecutionId"]}),
        )
        .await;
    assert_eq!(
        read["pipelineExecution"]["trigger"],
        json!({"triggerType": "PutActionRevision", "triggerDetail": CALLER})
    );
    let listed = client
        .call("ListActionExecutions", json!({"pipelineName": "shop"}))
        .await;
    let id = &listed["actionExecutionDetails"][0]["actionExecutionId"];
    for body in [
        json!({"actionExecutionId": id}),
        json!({"pipelineName": "shop", "actionExecutionId": id, "filters": [{"name": "TARGET_STATUS", "values": ["Failed"]}]}),
    ] {
        let none = client.call("ListDeployActionExecutionTargets", body).await;
        assert_eq!(none, json!({"targets": []}));
    }
}
