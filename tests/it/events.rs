//! Events reach the targets of their rules, in order, and also after the engine was killed; changes start pipelines.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use harness::{
    http,
    process::{Server, client, finish, shown, wait},
    workspace::{root, stagewright},
};
use serde_json::{Value, json};

const PIPELINE: &str = "arn:aws:codepipeline:eu-west-1:123456789012:shop";

/// A folder with a configuration whose function `watch` is `misbehave` in the given way.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("events.jsonl")
    }

    fn serve(&self, how: &str) -> Server {
        let misbehave = stagewright().with_file_name("misbehave");
        let config = format!(
            "[engine]\npoll_seconds = 1\n[bucket.sources]\nversioned = true\n[bucket.artifacts]\n[function.watch]\ntimeout_seconds = 60\ncommand = [{:?}, {how:?}, {:?}]\n",
            misbehave,
            self.file()
        );
        let path = self.folder.path().join("stagewright.toml");
        fs::write(&path, config).expect("a file");
        let path = path.display().to_string();
        Server::start(&self.folder.path().join("state"), &["--config", &path])
    }

    /// The events the function got, once there are as many.
    fn events(&self, count: usize) -> Vec<Value> {
        wait(&format!("{count} events"), || {
            let text = fs::read_to_string(self.file()).unwrap_or_default();
            let lines = text.lines().map(serde_json::from_str::<Value>);
            let events: Vec<Value> = lines.filter_map(Result::ok).collect();
            (events.len() >= count).then_some(events)
        })
    }
}

fn rule(server: &Server, name: &str, pattern: &Value, target: &Value) {
    let put = json!({"Name": name, "EventPattern": pattern.to_string()});
    server.events("PutRule", &put);
    let put = json!({"Rule": name, "Targets": [target]});
    server.events("PutTargets", &put);
}

/// A source from S3 and an approval that nobody gives.
fn pipeline(server: &Server) {
    polling(server, "false");
}

fn polling(server: &Server, poll: &str) {
    let action = |name: &str, category: &str, provider: &str| json!({"name": name, "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"}});
    let mut source = action("Code", "Source", "S3");
    source["configuration"] =
        json!({"S3Bucket": "sources", "S3ObjectKey": "shop.zip", "PollForSourceChanges": poll});
    source["outputArtifacts"] = json!([{"name": "Code"}]);
    let definition = json!({
        "name": "shop", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2", "executionMode": "QUEUED",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [source]},
            {"name": "Ask", "actions": [action("Ok", "Approval", "Manual")]}],
    });
    server.codepipeline("CreatePipeline", &json!({"pipeline": definition}));
}

fn upload(server: &Server, body: &[u8]) {
    let answer =
        http::s3_request(&server.url, "PUT", "/sources/shop.zip", body).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Newest first: trigger type, trigger detail, status.
fn executions(server: &Server) -> Vec<Value> {
    let listed = server.codepipeline("ListPipelineExecutions", &json!({"pipelineName": "shop"}));
    listed["pipelineExecutionSummaries"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// What the event is about, in short.
fn short(event: &Value) -> String {
    let detail = &event["detail"];
    let about = ["action", "stage", "pipeline"];
    let about = about.iter().find_map(|name| detail[name].as_str());
    format!(
        "{} {}",
        about.unwrap_or("?"),
        detail["state"].as_str().unwrap_or("?")
    )
}

#[test]
fn a_function_gets_the_events_of_a_pipeline_in_order() {
    let place = Place::new();
    let server = place.serve("append");
    upload(&server, b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    rule(
        &server,
        "all",
        &json!({"source": ["aws.codepipeline"], "detail": {"pipeline": ["shop"]}}),
        &json!({"Id": "watch", "Arn": "arn:aws:lambda:eu-west-1:123456789012:function:watch"}),
    );
    pipeline(&server);
    let seen: Vec<String> = place.events(7).iter().map(short).collect();
    assert_eq!(
        seen,
        [
            "shop STARTED",
            "Source STARTED",
            "Code STARTED",
            "Code SUCCEEDED",
            "Source SUCCEEDED",
            "Ask STARTED",
            "Ok STARTED",
        ]
    );
    let first = &place.events(1)[0];
    assert_eq!(first["resources"], json!([PIPELINE]));
    assert_eq!(
        first["detail"]["execution-trigger"]["trigger-type"],
        "CreatePipeline"
    );
    assert!(first["id"].is_string(), "{first}");
}

#[test]
fn what_was_not_delivered_comes_after_a_kill() {
    let place = Place::new();
    // The function takes the first event and never returns.
    let server = place.serve("hang");
    rule(
        &server,
        "own",
        &json!({"source": ["shop"], "detail": {"n": [{"numeric": [">=", 0]}]}}),
        &json!({"Id": "watch", "Arn": "watch"}),
    );
    let entry = |n: u32| json!({"Source": "shop", "DetailType": "Sold", "Detail": json!({"n": n}).to_string()});
    let put = json!({"Entries": (0..5).map(entry).collect::<Vec<_>>()});
    let answer = server.events("PutEvents", &put);
    assert_eq!(answer["FailedEntryCount"], 0, "{answer}");
    server.kill();

    let server = place.serve("append");
    let got: Vec<Value> = place
        .events(5)
        .iter()
        .map(|event| event["detail"]["n"].clone())
        .collect();
    assert_eq!(got, [0, 1, 2, 3, 4]);
    let again = server.events("ListTargetsByRule", &json!({"Rule": "own"}));
    assert_eq!(again["Targets"][0]["Arn"], "watch", "rules are kept too");
    // Delivered is delivered: a further kill brings nothing back but what comes then.
    let put = json!({"Entries": [entry(5)]});
    server.events("PutEvents", &put);
    assert_eq!(place.events(6).len(), 6);
    drop(server);
}

#[test]
fn changes_start_the_pipeline() {
    let place = Place::new();
    let server = place.serve("append");
    upload(&server, b"one");
    pipeline(&server);
    wait("the first execution", || {
        (executions(&server).len() == 1).then_some(())
    });
    let sources = json!({"source": ["aws.s3"], "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["sources"]}, "object": {"key": ["shop.zip"]}}});
    let transformer = json!({
        "InputPathsMap": {"v": "$.detail.object.version-id"},
        "InputTemplate": r#"{"sourceRevisions": [{"actionName": "Code", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": <v>}]}"#});
    rule(
        &server,
        "s3",
        &sources,
        &json!({"Id": "p", "Arn": PIPELINE, "InputTransformer": transformer}),
    );
    let repository = json!({"source": ["aws.codecommit"], "detail-type": ["CodeCommit Repository State Change"],
        "detail": {"event": ["referenceCreated", "referenceUpdated"], "referenceName": ["main"]}});
    rule(
        &server,
        "codecommit",
        &repository,
        &json!({"Id": "p", "Arn": PIPELINE}),
    );
    let image = json!({"source": ["aws.ecr"], "detail-type": ["ECR Image Action"],
        "detail": {"action-type": ["PUSH"], "result": ["SUCCESS"], "repository-name": ["shop"]}});
    rule(&server, "ecr", &image, &json!({"Id": "p", "Arn": PIPELINE}));

    // Without notifications the bucket is silent.
    upload(&server, b"two");
    let configuration =
        b"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";
    let answer = http::s3_request(&server.url, "PUT", "/sources?notification", configuration)
        .expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    upload(&server, b"three");
    let found = wait("the S3 execution", || {
        let all = executions(&server);
        (all.len() == 2).then_some(all)
    });
    let rule_arn = |name: &str| format!("arn:aws:events:eu-west-1:123456789012:rule/{name}");
    let trigger =
        |name: &str| json!({"triggerType": "CloudWatchEvent", "triggerDetail": rule_arn(name)});
    assert_eq!(found[0]["trigger"], trigger("s3"));

    let entry = |source: &str, kind: &str, detail: Value| json!({"Source": source, "DetailType": kind, "Detail": detail.to_string()});
    let commit = |branch: &str| {
        entry(
            "aws.codecommit",
            "CodeCommit Repository State Change",
            json!({"event": "referenceUpdated", "repositoryName": "shop", "referenceType": "branch", "referenceName": branch, "commitId": "abc"}),
        )
    };
    let pushed = json!({"result": "SUCCESS", "action-type": "PUSH", "repository-name": "shop", "image-digest": "sha256:1", "image-tag": "latest"});
    let entries = [
        commit("main"),
        commit("other"),
        entry("aws.ecr", "ECR Image Action", pushed),
    ];
    let answer = server.events("PutEvents", &json!({"Entries": entries}));
    assert_eq!(answer["FailedEntryCount"], 0, "{answer}");
    let found = wait("two more", || {
        let all = executions(&server);
        (all.len() >= 4).then_some(all)
    });
    let mut triggers: Vec<Value> = found[..2].iter().map(|e| e["trigger"].clone()).collect();
    triggers.sort_by_key(Value::to_string);
    assert_eq!(triggers, [trigger("codecommit"), trigger("ecr")]);
    assert_eq!(found.len(), 4, "the other branch starts nothing");
    // The S3 execution took the version of its own event.
    let id = found[2]["pipelineExecutionId"].as_str().expect("an id");
    let get = json!({"pipelineName": "shop", "pipelineExecutionId": id});
    let revision = wait("its revision", || {
        let shown = server.codepipeline("GetPipelineExecution", &get);
        let revisions = shown["pipelineExecution"]["artifactRevisions"]
            .as_array()
            .cloned()?;
        revisions.first()?["revisionId"].as_str().map(str::to_owned)
    });
    let versions = http::s3(&server.url, "/sources?versions")
        .expect("an answer")
        .text();
    let newest = versions
        .split("<VersionId>")
        .nth(1)
        .and_then(|rest| rest.split('<').next());
    assert_eq!(Some(revision.as_str()), newest, "{versions}");
}

#[test]
fn a_polled_source_starts_its_pipeline_once_per_revision() {
    let place = Place::new();
    let server = place.serve("append");
    upload(&server, b"one");
    polling(&server, "true");
    let trigger = |n: usize| {
        executions(&server)
            .get(n)
            .map(|e| e["trigger"]["triggerType"].clone())
    };
    wait("the first execution", || trigger(0));
    // Taken before the next version is there: a source takes the newest.
    let taken = |what: &str| {
        wait(what, || {
            let newest = executions(&server).first().cloned()?;
            let revision = newest["sourceRevisions"][0]["revisionId"].clone();
            revision.is_string().then_some(())
        });
    };
    taken("its revision");
    upload(&server, b"two");
    wait("the second execution", || trigger(1));
    assert_eq!(trigger(0), Some(json!("PollForSourceChanges")));
    taken("the second revision");
    upload(&server, b"three");
    wait("the third execution", || trigger(2));
    assert_eq!(executions(&server).len(), 3);
}

#[test]
fn a_polled_repository_starts_its_pipeline_with_the_new_commit() {
    let code_commit = json!({"RepositoryName": "app", "BranchName": "main"});
    let git_hub =
        json!({"Owner": "shop", "Repo": "app", "Branch": "main", "OAuthToken": "planted"});
    polled_repository("codecommit.app", "AWS", "CodeCommit", &code_commit);
    polled_repository("connection.GitHub", "ThirdParty", "GitHub", &git_hub);
}

fn polled_repository(place: &str, owner: &str, provider: &str, configuration: &Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let app = folder.path().join("app");
    let (main, topic) = repository(&app);
    let config =
        format!("[engine]\npoll_seconds = 1\n[bucket.artifacts]\n[{place}]\ngit = {app:?}\n");
    let path = folder.path().join("stagewright.toml");
    fs::write(&path, config).expect("a file");
    let path = path.display().to_string();
    let server = Server::start(&folder.path().join("state"), &["--config", &path]);
    let definition = json!({
        "name": "shop", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2", "executionMode": "QUEUED",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [{"name": "Code", "outputArtifacts": [{"name": "Code"}],
                "actionTypeId": {"category": "Source", "owner": owner, "provider": provider, "version": "1"},
                "configuration": configuration}]},
            {"name": "Ask", "actions": [{"name": "Ok",
                "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}}]}],
    });
    server.codepipeline("CreatePipeline", &json!({"pipeline": definition}));
    let taken = |what: &str, commit: &str, started_by: &str| {
        wait(what, || {
            let newest = executions(&server).first().cloned()?;
            let revision = newest["sourceRevisions"][0]["revisionId"].as_str()?;
            (revision == commit && newest["trigger"]["triggerType"] == started_by).then_some(())
        });
    };
    taken("the first commit", &main, "CreatePipeline");
    let moved = finish(
        Command::new("git")
            .args(["branch", "--force", "main", &topic])
            .current_dir(&app),
    );
    assert!(moved.status.success(), "{}", shown(&moved));
    taken("the second commit", &topic, "PollForSourceChanges");
    assert_eq!(executions(&server).len(), 2);
}

#[test]
fn boto3_and_the_face_agree() {
    let Some(python) = client("python3") else {
        return;
    };
    let place = Place::new();
    let server = place.serve("append");
    let script: &Path = &root().join("tests/clients/events_session.py");
    let output = finish(Command::new(python).arg(script).arg(&server.url));
    assert!(output.status.success(), "{}", shown(&output));
    assert!(
        String::from_utf8_lossy(&output.stdout).ends_with("ok\n"),
        "{}",
        shown(&output)
    );
    assert_eq!(place.events(1)[0], json!({"what": "Sold", "count": 3}));
}

/// A git repository with a commit on `main` and another on `topic`; their ids.
fn repository(folder: &Path) -> (String, String) {
    fs::create_dir_all(folder).expect("a folder");
    let git = |arguments: &[&str]| {
        let output = finish(
            Command::new("git")
                .args(["-c", "user.name=dana", "-c", "user.email=dana@example.com"])
                .args(arguments)
                .current_dir(folder),
        );
        assert!(output.status.success(), "{}", shown(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["commit", "-q", "--allow-empty", "-m", "first"]);
    let main = git(&["rev-parse", "HEAD"]);
    git(&["checkout", "-q", "-b", "topic"]);
    git(&["commit", "-q", "--allow-empty", "-m", "second"]);
    (main, git(&["rev-parse", "HEAD"]))
}

#[test]
fn a_pull_request_on_a_connection_starts_with_its_source_commit() {
    const CONNECTION: &str = "arn:aws:codeconnections:eu-west-1:123456789012:connection/c";
    let folder = tempfile::tempdir().expect("a folder");
    let (main, topic) = repository(&folder.path().join("app"));
    let config = format!(
        "[bucket.artifacts]\n[connection.{CONNECTION:?}]\ngit = {:?}\n",
        folder.path().join("app")
    );
    let path = folder.path().join("stagewright.toml");
    fs::write(&path, config).expect("a file");
    let path = path.display().to_string();
    let server = Server::start(&folder.path().join("state"), &["--config", &path]);
    let git = json!({"sourceActionName": "Code",
        "push": [{"branches": {"includes": ["main"]}, "filePaths": {"includes": ["src/**"]}}],
        "pullRequest": [{"events": ["OPEN"], "branches": {"includes": ["main"]}}]});
    let definition = json!({
        "name": "shop", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2", "executionMode": "QUEUED",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "triggers": [{"providerType": "CodeStarSourceConnection", "gitConfiguration": git}],
        "stages": [
            {"name": "Source", "actions": [{"name": "Code", "outputArtifacts": [{"name": "Code"}],
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeStarSourceConnection", "version": "1"},
                "configuration": {"ConnectionArn": CONNECTION, "FullRepositoryId": "shop/app", "BranchName": "main"}}]},
            {"name": "Ask", "actions": [{"name": "Ok",
                "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}}]}],
    });
    server.codepipeline("CreatePipeline", &json!({"pipeline": definition}));

    let tell = |event: &str, delivery: &str, payload: &Value| -> Value {
        let headers = [("x-github-event", event), ("x-github-delivery", delivery)];
        let body = payload.to_string();
        let door = format!("/_stagewright/connection?arn={CONNECTION}");
        let answer = http::request(&server.url, "POST", &door, &headers, body.as_bytes());
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let repository = json!({"full_name": "shop/app"});
    let push = |file: &str| {
        json!({"ref": "refs/heads/main", "after": main, "head_commit": {"id": main}, "repository": repository,
            "commits": [{"modified": [file]}]})
    };
    let none = json!({"started": [], "refused": [], "undecided": []});
    assert_eq!(tell("push", "d-1", &push("docs/a.md")), none);
    let pulled = json!({"action": "opened", "repository": repository, "pull_request": {
        "head": {"ref": "topic", "sha": topic}, "base": {"ref": "main", "sha": main}}});
    let told = tell("pull_request", "d-2", &pulled);
    assert_eq!(told["started"][0]["pipelineName"], "shop", "{told}");
    assert_eq!(
        tell("pull_request", "d-2", &pulled),
        told,
        "told twice, started once"
    );
    let id = told["started"][0]["pipelineExecutionId"].clone();
    let get = json!({"pipelineName": "shop", "pipelineExecutionId": id});
    let execution = wait("the revision", || {
        let shown = server.codepipeline("GetPipelineExecution", &get)["pipelineExecution"].clone();
        shown["artifactRevisions"][0]["revisionId"]
            .is_string()
            .then_some(shown)
    });
    assert_eq!(
        execution["artifactRevisions"][0]["revisionId"],
        json!(topic)
    );
    let place = format!(
        "/_stagewright/events.json?execution={}",
        id.as_str().unwrap_or_default()
    );
    let told = http::request(&server.url, "GET", &place, &[], b"").expect("an answer");
    let trigger = &told.json()["events"][0]["detail"]["execution-trigger"];
    assert_eq!(
        *trigger,
        json!({"trigger-type": "WebhookV2", "trigger-detail": CONNECTION, "branch-name": "main"})
    );
    assert_eq!(
        execution["trigger"],
        json!({"triggerType": "WebhookV2", "triggerDetail": CONNECTION})
    );
    assert_eq!(
        tell("push", "d-3", &push("src/a.rs"))["started"][0]["pipelineName"],
        "shop"
    );

    // A page of another site can send a form, but not this header.
    let answer = http::request(&server.url, "POST", "/_stagewright/connection", &[], b"{}");
    assert_eq!(answer.expect("an answer").status, 400);
}
