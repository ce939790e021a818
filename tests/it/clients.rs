//! Real clients, as users have them, against `stagewright serve`.

use std::{fs, path::Path, process::Command, time::Duration};

use harness::{
    example::Example,
    process::{Server, client, finish, finish_within, shown},
    workspace::root,
};

/// A session makes some fifty calls, and every call of the AWS CLI starts an interpreter.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs a script of `tests/clients`, which ends with `ok`.
fn session(interpreter: &Path, script: &str, arguments: &[&str]) {
    let output = finish_within(
        Command::new(interpreter)
            .arg(root().join("tests/clients").join(script))
            .args(arguments),
        PATIENCE,
    );
    assert!(output.status.success(), "{}", shown(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("ok\n"), "{}", shown(&output));
}

fn release_the_site(interpreter: &Path, script: &str, first: &[&str]) {
    let example = Example::new();
    let server = Server::start(&example.state(), &["--config", &example.config()]);
    let pipeline = example.pipeline();
    let arguments = [first, &[server.url.as_str(), pipeline.as_str()]].concat();
    session(interpreter, script, &arguments);
}

/// An engine with the buckets of `definition.py`.
fn control(interpreter: &Path, script: &str, first: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("stagewright.toml");
    let buckets = "[bucket.sources]\n[bucket.artifacts]\n[bucket.live]\nwebsite = true\n";
    fs::write(&config, buckets).expect("written");
    let config = config.display().to_string();
    let server = Server::start(&folder.path().join("state"), &["--config", &config]);
    session(
        interpreter,
        script,
        &[first, &[server.url.as_str()]].concat(),
    );
}

#[test]
fn a_boto3_session_releases_the_site() {
    if let Some(python) = client("python3") {
        release_the_site(&python, "boto3_session.py", &[]);
    }
}

#[test]
fn an_aws_cli_session_releases_the_site() {
    if let Some(aws) = client("aws") {
        let aws = aws.display().to_string();
        release_the_site(Path::new("sh"), "cli_session.sh", &[&aws]);
    }
}

#[test]
fn a_boto3_session_controls_executions() {
    if let Some(python) = client("python3") {
        control(&python, "boto3_control.py", &[]);
    }
}

#[test]
fn aws_cli_sessions_control_executions() {
    let (Some(aws), Some(python)) = (client("aws"), client("python3")) else {
        return;
    };
    let (aws, python) = (aws.display().to_string(), python.display().to_string());
    std::thread::scope(|scope| {
        for script in ["cli_control.sh", "cli_gates.sh"] {
            scope.spawn(|| control(Path::new("sh"), script, &[&aws, &python]));
        }
    });
}

/// Runs one part of a boto3 session about alarms and rules.
fn rules_session(python: &std::path::Path, url: &str, part: &str) {
    let script = harness::workspace::root().join("tests/clients/rules_session.py");
    let output = finish(Command::new(python).arg(script).args([url, part]));
    assert!(output.status.success(), "{}", shown(&output));
    assert!(
        String::from_utf8_lossy(&output.stdout).ends_with("ok\n"),
        "{}",
        shown(&output)
    );
}

#[test]
fn alarms_and_waiting_rules_survive_a_kill() {
    let Some(python) = client("python3") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    rules_session(&python, &server.url, "before");
    if let Some(aws) = client("aws") {
        let set = [
            "cloudwatch",
            "describe-alarms",
            "--alarm-name-prefix",
            "Err",
            "--query",
            "MetricAlarms[0].[StateValue,AlarmActions[0]]",
            "--output",
            "text",
            "--region",
            "eu-west-1",
            "--endpoint-url",
            &server.url,
        ];
        let output = finish(
            Command::new(aws)
                .args(set)
                .env("AWS_ACCESS_KEY_ID", "any")
                .env("AWS_SECRET_ACCESS_KEY", "credentials")
                .env("AWS_CONFIG_FILE", "/dev/null")
                .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        );
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            told,
            "ALARM\tarn:aws:sns:eu-west-1:123456789012:t\n",
            "{}",
            shown(&output)
        );
    }
    server.kill();
    let server = Server::start(folder.path(), &[]);
    rules_session(&python, &server.url, "after");
}
