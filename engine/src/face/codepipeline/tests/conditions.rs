//! Stage conditions over the face (`codepipeline.md` 2.2, 2.3 and 3.6).

use super::*;

#[tokio::test]
async fn s3_6_conditions_show_and_are_overridden() {
    let mut client = Session::new();
    let id = |provider: &str| json!({"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"});
    let mut pipeline = definition();
    // what the scripted providers give: the source's VersionId is v7, a rule's provider says yes
    let gate = json!({"conditions": [{"result": "FAIL", "rules": [
        {"name": "Version", "ruleTypeId": id("VariableCheck"), "inputArtifacts": [],
            "configuration": {"Variable": "#{code.VersionId}", "Operator": "EQ", "Value": "v8"}},
        {"name": "Tests", "ruleTypeId": id("CodeBuild"), "inputArtifacts": [{"name": "Code"}],
            "configuration": {"ProjectName": "shop"}},
    ]}]});
    pipeline["stages"][1]["beforeEntry"] = gate.clone();
    let created = client
        .call("CreatePipeline", json!({"pipeline": pipeline}))
        .await;
    assert_eq!(created["pipeline"]["stages"][1]["beforeEntry"], gate);
    let listed = client
        .call("ListPipelineExecutions", json!({"pipelineName": "shop"}))
        .await;
    let execution = listed["pipelineExecutionSummaries"][0]["pipelineExecutionId"].clone();
    ended(&client.desk, execution.as_str().unwrap()).await;

    let state = client
        .call("GetPipelineState", json!({"name": "shop"}))
        .await;
    let entry = &state["stageStates"][1]["beforeEntryConditionState"];
    let why = "Version: 'v7' EQ 'v8' does not hold";
    assert_eq!(
        entry["latestExecution"],
        json!({"status": "Failed", "summary": why})
    );
    let rules = &entry["conditionStates"][0]["ruleStates"];
    assert_eq!(rules[0]["latestExecution"]["status"], "Failed");
    assert_eq!(rules[1]["ruleName"], "Tests");
    assert_eq!(rules[1]["latestExecution"]["status"], "Succeeded");
    assert_eq!(rules[1]["latestExecution"]["summary"], "scripted");
    let read = client
        .call(
            "GetPipelineExecution",
            json!({"pipelineName": "shop", "pipelineExecutionId": execution}),
        )
        .await;
    let summary = format!("Stage 'Build': the beforeEntry condition failed: {why}");
    assert_eq!(read["pipelineExecution"]["statusSummary"], summary);

    let page = |token: &Value| {
        json!({"pipelineName": "shop", "maxResults": 1, "nextToken": token,
        "filter": {"latestInPipelineExecution": {"pipelineExecutionId": execution, "startTimeRange": "Latest"}}})
    };
    let first = client.call("ListRuleExecutions", page(&Value::Null)).await;
    let second = client
        .call("ListRuleExecutions", page(&first["nextToken"]))
        .await;
    assert_eq!(second.get("nextToken"), None);
    let (first, second) = (
        &first["ruleExecutionDetails"][0],
        &second["ruleExecutionDetails"][0],
    );
    assert_eq!(
        (&first["ruleName"], &second["ruleName"]),
        (&json!("Tests"), &json!("Version"))
    );
    assert_eq!(first["input"]["ruleTypeId"], id("CodeBuild"));
    assert_eq!(first["input"]["inputArtifacts"][0]["name"], "Code");
    assert_eq!(second["input"]["resolvedConfiguration"]["Variable"], "v7");
    assert_eq!(
        second["output"]["executionResult"]["errorDetails"],
        json!({"code": "RuleFailed", "message": "'v7' EQ 'v8' does not hold"})
    );

    let request = |kind: &str| json!({"pipelineName": "shop", "stageName": "Build", "pipelineExecutionId": execution, "conditionType": kind});
    for (kind, exception) in [
        ("ON_FAILURE", "ValidationException"),
        ("ON_SUCCESS", "ConditionNotOverridableException"),
    ] {
        let answer = client.call("OverrideStageCondition", request(kind)).await;
        assert_eq!(answer["__type"], exception, "{answer}");
    }
    let answer = client
        .call("OverrideStageCondition", request("BEFORE_ENTRY"))
        .await;
    assert_eq!(answer, json!({}));
    token(&client.desk).await;
    let state = client
        .call("GetPipelineState", json!({"name": "shop"}))
        .await;
    let build = &state["stageStates"][1];
    assert_eq!(build["latestExecution"]["status"], "Succeeded");
    let entry = &build["beforeEntryConditionState"]["latestExecution"];
    assert_eq!(entry["status"], "Overridden");
}

#[tokio::test]
async fn s3_6_rule_types_are_listed() {
    let mut client = Session::new();
    let all = client.call("ListRuleTypes", json!({})).await;
    let all = all["ruleTypes"].as_array().unwrap();
    let names: Vec<_> = all.iter().map(|it| it["id"]["provider"].as_str()).collect();
    let known = [
        "LambdaInvoke",
        "CloudWatchAlarm",
        "DeploymentWindow",
        "VariableCheck",
        "Commands",
        "CodeBuild",
    ];
    assert_eq!(names, known.map(Some));
    assert_eq!(
        all[1]["ruleConfigurationProperties"][0]["name"],
        "AlarmName"
    );
    let none = client
        .call("ListRuleTypes", json!({"regionFilter": "mars-north-1"}))
        .await;
    assert_eq!(none, json!({"ruleTypes": []}));
}
