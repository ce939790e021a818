//! Real clients, as users have them, against `stagewright serve`.

use std::process::Command;

use harness::{
    example::Example,
    process::{Server, client, finish, shown},
};

fn serve(example: &Example) -> Server {
    Server::start(&example.state(), &["--config", &example.config()])
}

#[test]
fn a_boto3_session_releases_the_site() {
    let Some(python) = client("python3") else {
        return;
    };
    let example = Example::new();
    let server = serve(&example);
    let script = harness::workspace::root().join("tests/clients/boto3_session.py");
    let output = finish(
        Command::new(python)
            .arg(script)
            .arg(&server.url)
            .arg(example.pipeline()),
    );
    assert!(output.status.success(), "{}", shown(&output));
    assert!(
        String::from_utf8_lossy(&output.stdout).ends_with("ok\n"),
        "{}",
        shown(&output)
    );
}

#[test]
fn an_aws_cli_session_releases_the_site() {
    let Some(aws) = client("aws") else { return };
    let example = Example::new();
    let server = serve(&example);
    let script = harness::workspace::root().join("tests/clients/cli_session.sh");
    let output = finish(
        Command::new("sh")
            .arg(script)
            .arg(aws)
            .arg(&server.url)
            .arg(example.pipeline()),
    );
    assert!(output.status.success(), "{}", shown(&output));
    assert!(
        String::from_utf8_lossy(&output.stdout).ends_with("ok\n"),
        "{}",
        shown(&output)
    );
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
