//! Bitbucket's webhooks at the door of connections.

use std::{fs, path::Path, process::Command};

use harness::{
    http,
    process::{Server, finish, shown, wait},
};
use serde_json::{Value, json};

const CONNECTION: &str = "arn:aws:codeconnections:eu-west-1:123456789012:connection/b";

/// A repository with `main` and `topic`; the commits they are at.
fn repository(folder: &Path) -> [String; 2] {
    fs::create_dir(folder).expect("a folder");
    let git = |arguments: &[&str]| {
        let output = finish(
            Command::new("git")
                .args(["-c", "user.name=Dana", "-c", "user.email=dana@example.com"])
                .args(arguments)
                .current_dir(folder),
        );
        assert!(output.status.success(), "{}", shown(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "-q", "-b", "main"]);
    fs::write(folder.join("a.txt"), "a").expect("written");
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "First"]);
    git(&["checkout", "-q", "-b", "topic"]);
    git(&["commit", "-q", "--allow-empty", "-m", "Second"]);
    ["main", "topic"].map(|branch| git(&["rev-parse", branch]))
}

#[test]
fn changes_at_bitbucket_start_with_their_commit() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("app");
    let [main, topic] = repository(&place);
    let config = format!(
        "[bucket.artifacts]\n[connection.{CONNECTION:?}]\ngit = {place:?}\n[connection.signed]\ngit = {place:?}\nsecret = \"planted\"\n"
    );
    let path = folder.path().join("stagewright.toml");
    fs::write(&path, config).expect("a file");
    let path = path.display().to_string();
    let server = Server::start(&folder.path().join("state"), &["--config", &path]);
    let git = json!({"sourceActionName": "Code", "push": [{"branches": {"includes": ["main"]}}],
        "pullRequest": [{"events": ["OPEN"], "branches": {"includes": ["main"]}}]});
    let kind = |category: &str, provider: &str| json!({"category": category, "owner": "AWS", "provider": provider, "version": "1"});
    let definition = json!({
        "name": "shop", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2", "executionMode": "QUEUED",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "triggers": [{"providerType": "CodeStarSourceConnection", "gitConfiguration": git}],
        "stages": [
            {"name": "Source", "actions": [{"name": "Code", "outputArtifacts": [{"name": "Code"}],
                "actionTypeId": kind("Source", "CodeStarSourceConnection"),
                "configuration": {"ConnectionArn": CONNECTION, "FullRepositoryId": "shop/app", "BranchName": "main"}}]},
            {"name": "Go", "actions": [{"name": "On", "actionTypeId": kind("Compute", "Commands"), "commands": ["true"],
                "inputArtifacts": [{"name": "Code"}]}]}],
    });
    server.codepipeline("CreatePipeline", &json!({"pipeline": definition}));
    let tell = |arn: &str, event: &str, payload: &Value| {
        let headers = [("x-event-key", event), ("x-request-uuid", event)];
        let body = payload.to_string();
        let door = format!("/_stagewright/connection?arn={arn}");
        let answer = http::request(&server.url, "POST", &door, &headers, body.as_bytes());
        answer.expect("an answer")
    };
    let repository = json!({"full_name": "shop/app"});
    let moved = |name: &str, hash: &str| json!({"new": {"type": "branch", "name": name, "target": {"hash": hash}}});
    let push = json!({"repository": repository, "push": {"changes": [moved("topic", &topic), moved("main", &main)]}});
    let side = |name: &str, hash: &str| json!({"branch": {"name": name}, "commit": {"hash": hash}});
    let pull = |hash: &str| {
        json!({"repository": repository,
            "pullrequest": {"source": side("topic", hash), "destination": side("main", &main[..12])}})
    };
    for (event, payload, expected) in [
        ("repo:push", push, &main),
        ("pullrequest:created", pull(&topic[..12]), &topic),
    ] {
        let told = tell(CONNECTION, event, &payload);
        assert_eq!(told.status, 200, "{}", told.text());
        let started = told.json()["started"].clone();
        assert_eq!(
            started.as_array().map(Vec::len),
            Some(1),
            "{event}: {started}"
        );
        let get = json!({"pipelineName": "shop", "pipelineExecutionId": started[0]["pipelineExecutionId"]});
        let revision = wait("the revision", || {
            let shown = &server.codepipeline("GetPipelineExecution", &get)["pipelineExecution"];
            let revision = shown["artifactRevisions"][0]["revisionId"].as_str();
            revision.map(str::to_owned)
        });
        assert_eq!(&revision, expected, "{event}");
    }
    let told = tell(CONNECTION, "pullrequest:created", &pull("0123456789ab"));
    assert_eq!(told.status, 400);
    assert!(
        told.text()
            .contains("the branch topic of shop/app is not at commit 0123456789ab"),
        "{}",
        told.text()
    );
    assert_eq!(tell("signed", "repo:fork", &json!({})).status, 403);
}
