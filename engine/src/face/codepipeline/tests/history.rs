//! Executions that have left memory answer as the others do (`codepipeline.md` 2 and 3.5).

use std::collections::BTreeSet;

use super::*;

const EXECUTIONS: usize = 60;

impl Session {
    async fn get(&self, operation: &str, request: Value) -> Value {
        let answer = self.ask(operation, request.to_string().as_bytes()).await;
        answer.unwrap_or_else(|refusal| panic!("{operation}: {refusal}"))
    }

    /// One member of all items of all pages.
    async fn all(&self, operation: &str, list: &str, member: &str, request: Value) -> Vec<String> {
        let mut all = Vec::new();
        let mut request = request;
        loop {
            let page = self.get(operation, request.clone()).await;
            let items = page[list].as_array().unwrap();
            assert!(items.len() <= 7);
            all.extend(
                items
                    .iter()
                    .map(|it| it[member].as_str().unwrap().to_owned()),
            );
            match page.get("nextToken") {
                Some(token) => request["nextToken"] = token.clone(),
                None => return all,
            }
        }
    }
}

/// Two stages; its executions end by themselves.
async fn crowded() -> (Session, Vec<String>) {
    let session = Session::new();
    let mut definition = definition();
    definition["stages"].as_array_mut().unwrap().truncate(2);
    session
        .get("CreatePipeline", json!({"pipeline": definition}))
        .await;
    let mut ids = vec![
        session
            .desk
            .read(|state| state.pipelines["shop"].executions[0].id.clone()),
    ];
    ended(&session.desk, &ids[0]).await;
    while ids.len() < EXECUTIONS {
        let request = json!({"name": "shop", "clientRequestToken": format!("token-{}", ids.len())});
        let started = session.get("StartPipelineExecution", request).await;
        let id = started["pipelineExecutionId"].as_str().unwrap().to_owned();
        ended(&session.desk, &id).await;
        ids.push(id);
    }
    let kept = session
        .desk
        .read(|state| state.pipelines["shop"].executions.len());
    assert!(kept < EXECUTIONS / 2 + 8, "{kept} are in memory");
    (session, ids)
}

#[tokio::test]
async fn lists_go_on_into_the_archive() {
    let (session, ids) = crowded().await;
    let newest_first: Vec<_> = ids.iter().rev().cloned().collect();
    let executions = |filter: Value| {
        let request = json!({"pipelineName": "shop", "maxResults": 7, "filter": filter});
        session.all(
            "ListPipelineExecutions",
            "pipelineExecutionSummaries",
            "pipelineExecutionId",
            request,
        )
    };
    assert_eq!(executions(json!({})).await, newest_first);
    let stage = |name: &str| json!({"succeededInStage": {"stageName": name}});
    assert_eq!(executions(stage("Build")).await, newest_first);
    assert_eq!(executions(stage("Nowhere")).await, Vec::<String>::new());

    let actions = |member: &'static str, filter: Value| {
        let request = json!({"pipelineName": "shop", "maxResults": 7, "filter": filter});
        session.all(
            "ListActionExecutions",
            "actionExecutionDetails",
            member,
            request,
        )
    };
    let of = actions("pipelineExecutionId", json!({})).await;
    let twice = newest_first.iter().flat_map(|id| [id, id]);
    assert!(of.iter().eq(twice));
    let own: BTreeSet<_> = actions("actionExecutionId", json!({}))
        .await
        .into_iter()
        .collect();
    assert_eq!(own.len(), 2 * EXECUTIONS);
    for filter in [
        json!({"pipelineExecutionId": ids[3]}),
        json!({"latestInPipelineExecution": {"pipelineExecutionId": ids[3], "startTimeRange": "Latest"}}),
    ] {
        assert_eq!(actions("actionName", filter).await, ["Compile", "Code"]);
    }
    let rules = json!({"pipelineName": "shop", "filter": {"pipelineExecutionId": ids[3]}});
    let rules = session.get("ListRuleExecutions", rules).await;
    assert_eq!(rules["ruleExecutionDetails"], json!([]));
}

#[tokio::test]
async fn an_archived_execution_is_shown_and_gone_back_to() {
    let (session, ids) = crowded().await;
    let get = |id: &str| json!({"pipelineName": "shop", "pipelineExecutionId": id});
    let shown = session.get("GetPipelineExecution", get(&ids[2])).await;
    let shown = &shown["pipelineExecution"];
    assert_eq!(shown["status"], "Succeeded");
    assert_eq!(shown["artifactRevisions"][0]["revisionId"], "v7");
    for id in [ids[2].replace('-', "0"), "e".repeat(36)] {
        let unknown = session
            .ask("GetPipelineExecution", get(&id).to_string().as_bytes())
            .await;
        let refusal = unknown.unwrap_err();
        assert!(
            ["PipelineExecutionNotFoundException", "ValidationException"]
                .contains(&refusal.exception),
            "{refusal}"
        );
    }
    let again = json!({"name": "shop", "clientRequestToken": "token-2"});
    let again = session.get("StartPipelineExecution", again).await;
    assert_eq!(again["pipelineExecutionId"], ids[2]);
    let request =
        json!({"pipelineName": "shop", "stageName": "Build", "targetPipelineExecutionId": ids[2]});
    let back = session.get("RollbackStage", request).await;
    let id = back["pipelineExecutionId"].as_str().unwrap();
    ended(&session.desk, id).await;
    let shown = session.get("GetPipelineExecution", get(id)).await;
    let shown = &shown["pipelineExecution"];
    assert_eq!(shown["status"], "Succeeded");
    assert_eq!(
        shown["rollbackMetadata"]["rollbackTargetPipelineExecutionId"],
        ids[2]
    );
}
