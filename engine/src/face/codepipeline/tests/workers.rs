//! Jobs of custom and partner actions through the API (`codepipeline.md` 5).

use std::collections::BTreeSet;

use super::*;

const SUITE: &str = "client_token = 'PLANTED'\nclient_id = '11111111-2222-4333-8444-555555555555'\ncategory = 'Test'\ninputs = [0, 1]\noutputs = [0, 1]\nproperties = [{ name = 'Suite', required = true }, { name = 'ApiKey', secret = true }]";

/// The definition with another type and configuration for its build.
fn built_by(id: &Value, configuration: Value) -> Value {
    let mut pipeline = definition();
    let compile = &mut pipeline["stages"][1]["actions"][0];
    compile["actionTypeId"] = id.clone();
    compile["configuration"] = configuration;
    pipeline
}

async fn queued(client: &Session) -> String {
    until(&client.desk, |state| state.queued_jobs.first().cloned()).await
}

#[tokio::test]
async fn s5_3_a_partners_worker_does_its_jobs() {
    let mut client = Session::new();
    let partner = toml::from_str(SUITE).unwrap();
    client.partners.insert("Ghosts".to_owned(), partner);
    let mut settings = crate::desk::scripted::settings();
    settings.third_party = crate::third_party::action_types(&client.partners);
    client
        .desk
        .submit(Event::Configured { settings })
        .await
        .unwrap();
    let id =
        json!({"category": "Test", "owner": "ThirdParty", "provider": "Ghosts", "version": "1"});
    let listed = client
        .call(
            "ListActionTypes",
            json!({"actionOwnerFilter": "ThirdParty"}),
        )
        .await;
    let known = listed["actionTypes"].as_array().unwrap();
    assert!(known.iter().any(|it| it["id"] == id), "{listed}");
    let pipeline = built_by(&id, json!({"Suite": "all", "ApiKey": "PLANTED"}));
    client
        .call("CreatePipeline", json!({"pipeline": pipeline}))
        .await;
    let job = queued(&client).await;

    let polled = client
        .call(
            "PollForThirdPartyJobs",
            json!({"actionTypeId": id, "maxBatchSize": 9}),
        )
        .await;
    let client_id = "11111111-2222-4333-8444-555555555555";
    assert_eq!(
        polled,
        json!({"jobs": [{"clientId": client_id, "jobId": job}]})
    );
    let again = client
        .call("PollForThirdPartyJobs", json!({"actionTypeId": id}))
        .await;
    assert_eq!(again, json!({"jobs": []}));
    let shown = |token: &str| json!({"jobId": job, "clientToken": token});
    let wrong = client
        .call("GetThirdPartyJobDetails", shown("PLANTE"))
        .await;
    assert_eq!(wrong["__type"], "InvalidClientTokenException");
    let details = client
        .call("GetThirdPartyJobDetails", shown("PLANTED"))
        .await;
    let details = &details["jobDetails"];
    let data = &details["data"];
    assert_eq!(details["id"], job.as_str());
    assert_eq!(
        data["actionConfiguration"]["configuration"]["ApiKey"],
        "PLANTED"
    );
    let context = data["pipelineContext"].as_object().unwrap();
    assert_eq!(
        context.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        BTreeSet::from(["action", "pipelineName", "stage"])
    );
    assert_eq!(data["artifactCredentials"]["secretAccessKey"], "Compile");

    // the operations of the other family do not see it
    for (operation, body) in [
        ("GetJobDetails", json!({"jobId": job})),
        (
            "AcknowledgeJob",
            json!({"jobId": job, "nonce": details["nonce"]}),
        ),
        ("PutJobSuccessResult", json!({"jobId": job})),
        (
            "PutJobFailureResult",
            json!({"jobId": job, "failureDetails": {"type": "JobFailed", "message": "x"}}),
        ),
    ] {
        let answer = client.call(operation, body).await;
        assert_eq!(answer["__type"], "JobNotFoundException", "{operation}");
    }
    let early = client
        .call("PutThirdPartyJobSuccessResult", shown("PLANTED"))
        .await;
    assert_eq!(early["__type"], "InvalidJobStateException");
    let mut acknowledge = shown("PLANTED");
    acknowledge["nonce"] = json!("wrong");
    let wrong = client
        .call("AcknowledgeThirdPartyJob", acknowledge.clone())
        .await;
    assert_eq!(wrong["__type"], "InvalidNonceException");
    acknowledge["nonce"] = details["nonce"].clone();
    let status = client
        .call("AcknowledgeThirdPartyJob", acknowledge.clone())
        .await;
    assert_eq!(status, json!({"status": "InProgress"}));
    let twice = client.call("AcknowledgeThirdPartyJob", acknowledge).await;
    assert_eq!(twice["__type"], "InvalidNonceException");
    let mut half = shown("PLANTED");
    half["continuationToken"] = json!("half");
    half["executionDetails"] =
        json!({"summary": "half", "percentComplete": 50, "externalExecutionId": "run-7"});
    client.call("PutThirdPartyJobSuccessResult", half).await;
    let late = client
        .call("PutThirdPartyJobSuccessResult", shown("PLANTED"))
        .await;
    assert_eq!(late["__type"], "InvalidJobStateException");
    let job = queued(&client).await;
    let shown = |token: &str| json!({"jobId": job, "clientToken": token});
    let details = client
        .call("GetThirdPartyJobDetails", shown("PLANTED"))
        .await;
    assert_eq!(details["jobDetails"]["data"]["continuationToken"], "half");
    let mut acknowledge = shown("PLANTED");
    acknowledge["nonce"] = details["jobDetails"]["nonce"].clone();
    client.call("AcknowledgeThirdPartyJob", acknowledge).await;
    let mut failure = shown("PLANTED");
    failure["failureDetails"] = json!({"type": "PermissionError", "message": "no ghosts"});
    client.call("PutThirdPartyJobFailureResult", failure).await;
    let state = client
        .call("GetPipelineState", json!({"name": "shop"}))
        .await;
    let run = &state["stageStates"][1]["actionStates"][0]["latestExecution"];
    assert_eq!(
        run["errorDetails"],
        json!({"code": "PermissionError", "message": "no ghosts"})
    );
    assert_eq!(
        (
            &run["percentComplete"],
            &run["summary"],
            &run["externalExecutionId"]
        ),
        (&json!(50), &json!("half"), &json!("run-7"))
    );
    // an ended job opens nothing any more
    let details = client
        .call("GetThirdPartyJobDetails", shown("PLANTED"))
        .await;
    assert!(
        details["jobDetails"]["data"]
            .get("artifactCredentials")
            .is_none()
    );
}

#[tokio::test]
async fn s5_3_errors_of_third_party_jobs() {
    let mut client = Session::new();
    let custom =
        json!({"category": "Build", "owner": "Custom", "provider": "Mine", "version": "1"});
    let counts = json!({"minimumCount": 0, "maximumCount": 1});
    let kind = json!({"category": "Build", "provider": "Mine", "version": "1", "inputArtifactDetails": counts, "outputArtifactDetails": counts});
    client.call("CreateCustomActionType", kind).await;
    let pipeline = built_by(&custom, json!({}));
    client
        .call("CreatePipeline", json!({"pipeline": pipeline}))
        .await;
    let own = queued(&client).await;
    let none = "11111111-1111-1111-1111-111111111111";
    let by = |job: &str, more: Value| {
        let mut body = json!({"jobId": job, "clientToken": "t"});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().cloned().unwrap());
        body
    };
    let failure = json!({"failureDetails": {"type": "JobFailed", "message": "x"}});
    let alexa = json!({"category": "Deploy", "owner": "ThirdParty", "provider": "AlexaSkillsKit", "version": "1"});
    let unknown =
        json!({"category": "Test", "owner": "ThirdParty", "provider": "Nouvola", "version": "1"});
    for (operation, body, exception) in [
        (
            "PollForThirdPartyJobs",
            json!({"actionTypeId": custom}),
            "ActionTypeNotFoundException",
        ),
        (
            "PollForThirdPartyJobs",
            json!({"actionTypeId": unknown}),
            "ActionTypeNotFoundException",
        ),
        (
            "PollForThirdPartyJobs",
            json!({"actionTypeId": custom, "maxBatchSize": 0}),
            "ValidationException",
        ),
        (
            "PollForJobs",
            json!({"actionTypeId": alexa}),
            "ActionTypeNotFoundException",
        ),
        (
            "GetThirdPartyJobDetails",
            by(none, json!({})),
            "JobNotFoundException",
        ),
        (
            "GetThirdPartyJobDetails",
            by(&own, json!({})),
            "InvalidJobException",
        ),
        (
            "GetThirdPartyJobDetails",
            json!({"jobId": own}),
            "ValidationException",
        ),
        (
            "AcknowledgeThirdPartyJob",
            by(none, json!({"nonce": "n"})),
            "JobNotFoundException",
        ),
        (
            "AcknowledgeThirdPartyJob",
            by(&own, json!({"nonce": "n"})),
            "JobNotFoundException",
        ),
        (
            "PutThirdPartyJobSuccessResult",
            by(&own, json!({})),
            "JobNotFoundException",
        ),
        (
            "PutThirdPartyJobFailureResult",
            by(&own, failure),
            "JobNotFoundException",
        ),
        (
            "PutThirdPartyJobFailureResult",
            by(&own, json!({})),
            "ValidationException",
        ),
    ] {
        let text = body.to_string();
        let refusal = client.ask(operation, text.as_bytes()).await.unwrap_err();
        assert_eq!(
            refusal.exception, exception,
            "{operation} {body}: {refusal}"
        );
    }
    let idle = client
        .call("PollForThirdPartyJobs", json!({"actionTypeId": alexa}))
        .await;
    assert_eq!(idle, json!({"jobs": []}));
}

#[tokio::test]
async fn s5_1_action_types_have_links_tags_and_secrets_that_outlive_them() {
    let mut client = Session::new();
    let id = json!({"category": "Build", "owner": "Custom", "provider": "Jenkins", "version": "1"});
    let property = |name: &str, secret: bool| json!({"name": name, "required": true, "key": true, "secret": secret});
    let counts = json!({"minimumCount": 0, "maximumCount": 1});
    let kind = json!({
        "category": "Build", "provider": "Jenkins", "version": "1", "owner": "AWS",
        "settings": {
            "entityUrlTemplate": "https://ci.example.com/job/{Config:ProjectName}",
            "executionUrlTemplate": "https://ci.example.com/job/{Config:ProjectName}/{ExternalExecutionId}",
            "revisionUrlTemplate": "https://ci.example.com/configure/{Config:ProjectName}",
        },
        "configurationProperties": [property("ProjectName", false), property("Password", true)],
        "inputArtifactDetails": counts, "outputArtifactDetails": counts,
        "tags": [{"key": "team", "value": "web"}],
    });
    let mut leaking = kind.clone();
    leaking["settings"]["entityUrlTemplate"] = json!("https://x/{Config:Password}");
    let refused = client.call("CreateCustomActionType", leaking).await;
    assert_eq!(refused["__type"], "ValidationException");
    let made = client.call("CreateCustomActionType", kind.clone()).await;
    assert_eq!(made["actionType"]["id"], id);
    assert_eq!(made["tags"], kind["tags"]);
    let arn = "arn:aws:codepipeline:eu-west-1:123456789012:actionType:Custom/Build/Jenkins/1";
    let tags = client
        .call("ListTagsForResource", json!({"resourceArn": arn}))
        .await;
    assert_eq!(tags["tags"], kind["tags"]);

    let pipeline = built_by(&id, json!({"ProjectName": "shop", "Password": "PLANTED"}));
    client
        .call("CreatePipeline", json!({"pipeline": pipeline}))
        .await;
    queued(&client).await;
    let polled = client
        .call("PollForJobs", json!({"actionTypeId": id}))
        .await;
    let job = &polled["jobs"][0];
    let build = |state: &Value| state["stageStates"][1]["actionStates"][0].clone();
    let state = client
        .call("GetPipelineState", json!({"name": "shop"}))
        .await;
    let before = build(&state);
    assert_eq!(before["entityUrl"], "https://ci.example.com/job/shop");
    assert_eq!(
        before["revisionUrl"],
        "https://ci.example.com/configure/shop"
    );
    assert!(
        before["latestExecution"]
            .get("externalExecutionUrl")
            .is_none()
    );
    client
        .call(
            "AcknowledgeJob",
            json!({"jobId": job["id"], "nonce": job["nonce"]}),
        )
        .await;
    let half = json!({"jobId": job["id"], "continuationToken": "c", "executionDetails": {"externalExecutionId": "7", "externalExecutionUrl": "https://evil.example.com"}});
    client.call("PutJobSuccessResult", half).await;
    // it goes, and what it called secret stays so
    client
        .call(
            "DeleteCustomActionType",
            json!({"category": "Build", "provider": "Jenkins", "version": "1"}),
        )
        .await;
    let gone = client
        .call("PollForJobs", json!({"actionTypeId": id}))
        .await;
    assert_eq!(gone["__type"], "ActionTypeNotFoundException");
    let state = client
        .call("GetPipelineState", json!({"name": "shop"}))
        .await;
    let url = "https://ci.example.com/job/shop/7";
    assert_eq!(
        build(&state)["latestExecution"]["externalExecutionUrl"],
        url
    );
    let listed = client
        .call("ListActionExecutions", json!({"pipelineName": "shop"}))
        .await;
    let result = &listed["actionExecutionDetails"][0]["output"]["executionResult"];
    assert_eq!(result["externalExecutionUrl"], url);
    let read = client.call("GetPipeline", json!({"name": "shop"})).await;
    assert!(!read.to_string().contains("PLANTED"));
    let untagged = client
        .call("ListTagsForResource", json!({"resourceArn": arn}))
        .await;
    assert_eq!(untagged["__type"], "ResourceNotFoundException");
}

#[tokio::test]
async fn s5_2_workers_that_race_get_each_job_once() {
    let mut client = Session::new();
    let id = json!({"category": "Build", "owner": "Custom", "provider": "Mine", "version": "1"});
    let counts = json!({"minimumCount": 0, "maximumCount": 1});
    let kind = json!({"category": "Build", "provider": "Mine", "version": "1", "inputArtifactDetails": counts, "outputArtifactDetails": counts});
    client.call("CreateCustomActionType", kind).await;
    let mut pipeline = built_by(&id, json!({}));
    pipeline["executionMode"] = json!("PARALLEL");
    pipeline["pipelineType"] = json!("V2");
    client
        .call("CreatePipeline", json!({"pipeline": pipeline}))
        .await;
    const JOBS: usize = 40;
    for _ in 1..JOBS {
        client
            .call("StartPipelineExecution", json!({"name": "shop"}))
            .await;
    }
    until(&client.desk, |state| {
        (state.queued_jobs.len() == JOBS).then_some(())
    })
    .await;
    let body = json!({"actionTypeId": id, "maxBatchSize": 3}).to_string();
    let worker = || async {
        let mut mine = Vec::new();
        loop {
            let polled = client.ask("PollForJobs", body.as_bytes()).await.unwrap();
            let jobs = polled["jobs"].as_array().unwrap().clone();
            if jobs.is_empty() {
                return mine;
            }
            for job in jobs {
                let body = json!({"jobId": job["id"], "nonce": job["nonce"]}).to_string();
                let status = client.ask("AcknowledgeJob", body.as_bytes()).await.unwrap();
                assert_eq!(status["status"], "InProgress");
                mine.push(job["id"].as_str().unwrap().to_owned());
            }
        }
    };
    let mut all: Vec<String> = futures_util::future::join_all((0..8).map(|_| worker()))
        .await
        .concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), JOBS);
}
