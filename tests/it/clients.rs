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
