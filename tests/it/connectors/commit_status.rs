//! `action-commit-status` against its vendors' stand-in over HTTP, with the commits of a real git repository.

use std::{path::Path, process::Command, time::Instant};

use harness::{
    connector::{Connector, Host},
    engine::Engine,
    http,
    process::{PATIENCE, finish},
};
use serde_json::{Value, json};
use stagewright_standins::{
    Served, Stage,
    code_host::{App, COMMIT, CodeHost},
    secrets::Secrets,
};

/// A repository with two commits; answers the last one's id.
fn repository(folder: &Path) -> String {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=ci", "-c", "user.email=ci@example.com"]);
        finish(git.args(arguments).current_dir(folder))
    };
    git(&["init", "-q", "-b", "main"]);
    for text in ["one", "two"] {
        std::fs::write(folder.join("file"), text).expect("written");
        git(&["add", "."]);
        git(&["commit", "-q", "-m", text]);
    }
    let id = git(&["rev-parse", "HEAD"]);
    String::from_utf8_lossy(&id.stdout).trim().to_owned()
}

fn host(commit: &str) -> Served<CodeHost> {
    Stage::new(CodeHost::with(commit)).serve()
}

#[test]
fn a_real_commit_has_its_status_from_every_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let commit = repository(folder.path());
    let vendor = host(&commit);
    let connector = Connector::of("action-commit-status")
        .secret("token", "planted-token")
        .start();
    let mut parameters = json!({
        "provider": "github", "repository": "shop/site", "commit": commit, "state": "success", "token": "ssm:token",
        "baseUrl": vendor.url
    });
    connector.on_every_host(&parameters, |host, ended| {
        assert!(ended.succeeded(), "{host:?}: {ended:?}");
        assert_eq!(ended.variables["Commit"], commit, "{host:?}");
    });
    let said = vendor.stage.with(|host| host.statuses.clone());
    assert_eq!(said.len(), 3);
    assert!(
        said.iter()
            .all(|(of, _, body)| *of == commit && body["state"] == "success")
    );

    parameters["provider"] = json!("github-check");
    connector.on_every_host(&parameters, |host, ended| {
        assert!(ended.succeeded(), "{host:?}: {ended:?}");
    });
    assert_eq!(vendor.stage.with(|host| host.checks.len()), 3);
}

/// openssl makes the App's key and so judges the signature.
#[test]
fn an_app_is_let_in_by_its_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let openssl = |arguments: &[&str]| {
        let made = Command::new("openssl")
            .args(arguments)
            .current_dir(folder.path())
            .output();
        made.is_ok_and(|made| made.status.success())
    };
    let made = openssl(&["genrsa", "-traditional", "-out", "key.pem", "2048"])
        && openssl(&[
            "pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-out", "key8.pem",
        ])
        && openssl(&[
            "rsa",
            "-in",
            "key.pem",
            "-RSAPublicKey_out",
            "-outform",
            "DER",
            "-out",
            "public.der",
        ]);
    if !made {
        assert!(std::env::var_os("CI").is_none(), "openssl is needed");
        eprintln!("SKIPPED: openssl is not installed");
        return;
    }
    // GitHub gives keys in the first form; tools make the second of them.
    for file in ["key.pem", "key8.pem"] {
        let vendor = host(COMMIT);
        vendor.stage.with(|host| {
            host.app = Some(App {
                key: Some(std::fs::read(folder.path().join("public.der")).expect("a key")),
                writes: vec!["checks"],
                tokens: Vec::new(),
            });
        });
        let key = std::fs::read_to_string(folder.path().join(file)).expect("a key");
        let connector = Connector::of("action-commit-status")
            .secret("key", &key)
            .start();
        let parameters = json!({
            "provider": "github-check", "repository": "shop/site", "commit": COMMIT, "state": "success",
            "token": "secretsmanager:key", "appId": "12345", "baseUrl": vendor.url
        });
        let ended = connector.play(Host::Invoke, &parameters);
        assert!(ended.succeeded(), "{file}: {ended:?}");
        assert_eq!(vendor.stage.with(|host| host.checks.len()), 1, "{file}");
    }
}

/// A pipeline whose source is the repository: its commit is pending until the execution is stopped.
#[test]
fn a_pipelines_events_reach_the_commit_it_was_started_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let commit = repository(folder.path());
    let vendor = host(&commit);
    let secrets = Stage::new(Secrets::of(&[("token", "planted-token")])).serve();
    let settings = json!({"provider": "github", "token": "ssm:token", "repository": "shop/site", "baseUrl": vendor.url});
    let engine = Engine::start(&format!(
        "[bucket.artifacts]\n[codecommit.site]\ngit = {:?}\n[function.action-commit-status]\ntimeout_seconds = 30\n\
         environment = {{ STAGEWRIGHT_TABLE = \"t\", STAGEWRIGHT_COMMIT_STATUS = '{settings}', AWS_ENDPOINT_URL_SSM = {:?} }}\n",
        folder.path(),
        secrets.url
    ));
    listen(&engine, "action-commit-status");
    let action = |name: &str, category: &str, provider: &str, configuration: Value| {
        json!({"name": name, "configuration": configuration,
               "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"}})
    };
    let mut source = action(
        "Take",
        "Source",
        "CodeCommit",
        json!({"RepositoryName": "site", "BranchName": "main", "PollForSourceChanges": "false"}),
    );
    source["outputArtifacts"] = json!([{"name": "App"}]);
    let definition = json!({"pipeline": {
        "name": "shop", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [{"name": "Source", "actions": [source]},
                   {"name": "Ask", "actions": [action("Ok", "Approval", "Manual", json!({}))]}]
    }});
    engine.ask("CreatePipeline", &definition);
    let last = |state: &str| {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = vendor.stage.with(|host| host.statuses.clone());
            let found = said
                .iter()
                .rev()
                .find(|(_, _, body)| body["state"] == state);
            if let Some(found) = found {
                return found.clone();
            }
            assert!(Instant::now() < until, "no {state}: {said:?}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    let (of, context, _) = last("pending");
    assert_eq!((of, context.as_str()), (commit, "codepipeline/shop"));
    let actions = engine.actions("shop", "Ask", |all| !all.is_empty());
    let execution = &actions[0]["pipelineExecutionId"];
    engine.ask(
        "StopPipelineExecution",
        &json!({"pipelineName": "shop", "pipelineExecutionId": execution, "abandon": true}),
    );
    let (_, _, body) = last("error");
    assert_eq!(body["description"], "the pipeline shop was stopped");
}

/// Sends all of CodePipeline's events to a function.
pub fn listen(engine: &Engine, function: &str) {
    let events = |operation: &str, input: &Value| {
        let target = format!("AWSEvents.{operation}");
        let answer = http::json(&engine.server.url, "events", &target, input).expect("an answer");
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
    };
    let pattern = json!({"source": ["aws.codepipeline"]}).to_string();
    events(
        "PutRule",
        &json!({"Name": function, "EventPattern": pattern}),
    );
    let arn = format!("arn:aws:lambda:eu-west-1:123456789012:function:{function}");
    events(
        "PutTargets",
        &json!({"Rule": function, "Targets": [{"Id": "f", "Arn": arn}]}),
    );
}
