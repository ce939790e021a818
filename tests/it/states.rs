//! State machines under the engine, as their clients see them: the example's machines by a pipeline, boto3 and the CLI.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use harness::{
    http,
    process::{Server, built, client, finish, shown, wait},
    workspace::{root, stagewright},
};
use serde_json::json;

fn session(interpreter: &Path, script: &str, arguments: &[&str]) {
    let output = finish(
        Command::new(interpreter)
            .arg(root().join("tests/clients").join(script))
            .args(arguments),
    );
    assert!(output.status.success(), "{}", shown(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("ok\n"), "{}", shown(&output));
}

fn example() -> PathBuf {
    root().join("docs/examples/machines")
}

/// The example's functions are Python; where there is none the test says so.
fn python() -> bool {
    let there = Command::new("python3").arg("--version").output().is_ok();
    assert!(
        there || std::env::var_os("CI").is_none(),
        "python3 must be there in CI"
    );
    if !there {
        eprintln!("SKIPPED: there is no python3 for the example's functions");
    }
    there
}

/// What the release machine works with, beside its own functions.
fn works() {
    built(&[
        "approval-notify",
        "approval-respond",
        "approval-sweep",
        "event-pipeline",
        "task-start-pipeline",
    ]);
}

fn config() -> String {
    example().join("stagewright.toml").display().to_string()
}

/// A pipeline runs both machines; somebody answers the approval of the release.
fn pipeline(approve: bool) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(stagewright())
        .args([
            "run",
            "pipeline.yaml",
            "--source",
            "Source=app",
            "--listen",
            "127.0.0.1:0",
            "--state",
        ])
        .arg(folder.path().join("state"))
        .current_dir(example())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("stagewright is built");
    let mut told = String::new();
    let mut answered = false;
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let line = line.expect("text");
        told.push_str(&line);
        told.push('\n');
        let address = told.split_whitespace().find_map(|word| {
            let at = word.find("http://127.0.0.1:")?;
            let end = word[at + 7..]
                .find('/')
                .map_or(word.len(), |end| at + 7 + end);
            Some(word[at..end].to_owned())
        });
        if let (Some(url), false) = (address, answered) {
            answered = true;
            std::thread::spawn(move || answer(&url, approve));
        }
    }
    let status = child.wait().expect("it ends");
    (status.code(), told)
}

/// The name of the release's execution is in the mail alone: the one there is is answered.
fn answer(url: &str, approve: bool) {
    let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:release";
    let target = "AWSStepFunctions.ListExecutions";
    let name = wait("the release", || {
        let listed =
            http::json(url, "states", target, &json!({"stateMachineArn": machine})).ok()?;
        listed.json()["executions"][0]["name"]
            .as_str()
            .map(str::to_owned)
    });
    let verdict = if approve { "approve" } else { "reject" };
    let output = finish(
        Command::new("python3")
            .arg(root().join("tests/clients/approve.py"))
            .args([url, &name, verdict, "not on a Friday"]),
    );
    assert!(output.status.success(), "{}", shown(&output));
}

#[test]
fn a_pipeline_runs_a_migration_and_a_release() {
    if !python() {
        return;
    }
    works();
    let (status, told) = pipeline(true);
    assert_eq!(status, Some(0), "{told}");
    for expected in [
        "Migrate",
        "Release",
        "The execution succeeded",
        "Succeeded in",
    ] {
        assert!(told.contains(expected), "{expected:?} is missing:\n{told}");
    }
    let (status, told) = pipeline(false);
    assert_eq!(status, Some(1), "{told}");
    assert!(
        told.contains("ended FAILED: ApprovalRejected: Rejected in decision"),
        "{told}"
    );
}

#[test]
fn a_machine_of_the_configuration_that_is_refused_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("stagewright.toml");
    fs::write(&file, "[state-machine.bad]\ndefinition = \"bad.json\"\n").expect("a file");
    for (text, told) in [
        (None, "bad.json cannot be read"),
        (
            Some(r#"{"StartAt": "A", "States": {}}"#),
            "bad.json is refused",
        ),
    ] {
        if let Some(text) = text {
            fs::write(folder.path().join("bad.json"), text).expect("a file");
        }
        let output = finish(
            Command::new(stagewright())
                .args(["serve", "--listen", "127.0.0.1:0", "--state", "state"])
                .current_dir(folder.path()),
        );
        assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
        assert!(shown(&output).contains(told), "{}", shown(&output));
    }
}

#[test]
fn a_boto3_session_runs_a_release_and_a_migration() {
    let Some(interpreter) = client("python3") else {
        return;
    };
    works();
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&folder.path().join("state"), &["--config", &config()]);
    session(&interpreter, "boto3_states.py", &[&server.url]);
}

#[test]
fn an_aws_cli_session_runs_machines() {
    let Some(aws) = client("aws") else {
        return;
    };
    if !python() {
        return;
    }
    works();
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&folder.path().join("state"), &["--config", &config()]);
    let (aws, app) = (
        aws.display().to_string(),
        example().join("app").display().to_string(),
    );
    session(Path::new("sh"), "cli_states.sh", &[&aws, &server.url, &app]);
}
