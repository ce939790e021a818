//! `status`, `logs`, `approve`, `retry`, `stop` against a running `serve`.

use std::{
    fs,
    process::{Command, Output},
    time::{Duration, Instant},
};

use engine::{app::App, assemble, cli::load::Choice};
use harness::{
    process::{finish, shown},
    workspace::stagewright,
};

const DEFINITION: &str = r"
name: remote
roleArn: arn:aws:iam::123456789012:role/r
artifactStore: {type: S3, location: artifacts}
stages:
  - name: Source
    actions:
      - name: Take
        actionTypeId: {category: Source, owner: AWS, provider: CodeCommit, version: '1'}
        configuration: {RepositoryName: app, BranchName: main}
        outputArtifacts: [{name: App}]
  - name: Ask
    actions:
      - name: Ok
        actionTypeId: {category: Approval, owner: AWS, provider: Manual, version: '1'}
  - name: Build
    actions:
      - name: Make
        actionTypeId: {category: Build, owner: AWS, provider: CodeBuild, version: '1'}
        configuration: {ProjectName: app}
        inputArtifacts: [{name: App}]
";

/// An engine in this process, with one pipeline that waits for an approval and then fails.
async fn engine(folder: &std::path::Path) -> assemble::Engine {
    fs::create_dir_all(folder.join("source")).expect("a folder");
    fs::write(
        folder.join("source/buildspec.yml"),
        "version: 0.2\nphases: {build: {commands: ['echo building', 'false']}}\n",
    )
    .expect("a file");
    fs::write(folder.join("pipeline.yaml"), DEFINITION).expect("a file");
    let mut config = engine::config::Config::load(None, folder).expect("the default");
    config
        .sources
        .insert("Take".to_owned(), folder.join("source"));
    let (engine, _) = assemble::start(assemble::Options::new(
        config,
        assemble::state_dir(&folder.join("state")).expect("a folder"),
    ))
    .await
    .expect("an engine");
    engine.perform();
    let definition =
        engine::cli::load::load(&folder.join("pipeline.yaml"), &Choice::default()).expect("valid");
    assemble::artifact_buckets(&engine.app, &definition)
        .await
        .expect("a bucket");
    let create = engine_plan::event::Event::CreatePipeline {
        definition,
        tags: Default::default(),
        start: true,
    };
    engine.app.desk.submit(create).await.expect("created");
    engine
}

async fn call(app: &App, arguments: &[&str]) -> Output {
    let mut command = Command::new(stagewright());
    command
        .args(arguments)
        .args(["--endpoint-url", &app.base_url]);
    tokio::task::spawn_blocking(move || finish(&mut command))
        .await
        .expect("it ran")
}

/// Asks until the answer holds `expected`.
async fn until(app: &App, arguments: &[&str], expected: &str) -> String {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let output = call(app, arguments).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if text.contains(expected) {
            return text;
        }
        assert!(
            Instant::now() < patience,
            "waited for {expected:?}: {}",
            shown(&output)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_followed_answered_and_retried_from_the_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine(folder.path()).await;
    let app = engine.app.clone();

    until(&app, &["status", "remote"], "· Ok").await;
    until(&app, &["status"], "remote  InProgress").await;
    let json = call(&app, &["status", "remote", "--output", "json"]).await;
    assert!(
        !String::from_utf8_lossy(&json.stdout).contains("\"token\""),
        "{}",
        shown(&json)
    );

    let listed = call(&app, &["approve"]).await;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.starts_with("remote  Ask / Ok  "), "{listed}");
    let sheet = call(&app, &["approve", "remote", "--show"]).await;
    let sheet = String::from_utf8_lossy(&sheet.stdout).into_owned();
    for words in [
        "remote / Ask / Ok\n",
        "  asked ",
        "  execution ",
        "  started    CreatePipeline",
        "  source     Take ",
    ] {
        assert!(sheet.contains(words), "{words}: {sheet}");
    }
    let approved = call(&app, &["approve", "remote", "--comment", "seen"]).await;
    assert_eq!(approved.status.code(), Some(0), "{}", shown(&approved));
    let said = String::from_utf8_lossy(&approved.stdout).into_owned();
    assert!(
        said.contains("\nApproved: Ask / Ok: seen\nThis answer went past the approval rules"),
        "{said}"
    );
    let help = call(&app, &["approve", "--help"]).await;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(
        help.contains("past its approval rules") && help.contains("out-of-band"),
        "{help}"
    );
    let again = call(&app, &["approve", "remote"]).await;
    assert_eq!(again.status.code(), Some(2), "{}", shown(&again));
    assert!(
        String::from_utf8_lossy(&again.stderr).contains("nothing waits for an approval"),
        "{}",
        shown(&again)
    );

    let failed = until(&app, &["status", "remote"], "remote  Failed").await;
    assert!(failed.contains("✗ Make"), "{failed}");
    let logs = call(&app, &["logs", "remote", "Make"]).await;
    assert!(
        String::from_utf8_lossy(&logs.stdout).contains("building"),
        "{}",
        shown(&logs)
    );
    let retried = call(&app, &["retry", "remote"]).await;
    assert_eq!(retried.status.code(), Some(0), "{}", shown(&retried));
    until(&app, &["status", "remote"], "remote  Failed").await;

    let stopped = call(&app, &["stop", "remote"]).await;
    assert_eq!(stopped.status.code(), Some(2), "{}", shown(&stopped));
    assert!(
        String::from_utf8_lossy(&stopped.stderr).contains("PipelineExecutionNotStoppableException"),
        "{}",
        shown(&stopped)
    );
    let unknown = call(&app, &["status", "nobody"]).await;
    assert_eq!(unknown.status.code(), Some(2), "{}", shown(&unknown));
    engine.shut_down().await;
    let gone = call(&app, &["status"]).await;
    assert_eq!(gone.status.code(), Some(3), "{}", shown(&gone));
}
