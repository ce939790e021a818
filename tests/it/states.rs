//! State machines under the engine, as their clients see them.

use std::{fs, path::Path, process::Command};

use harness::{
    process::{Server, client, finish, shown},
    workspace::root,
};

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

#[test]
fn a_boto3_session_runs_a_release_and_a_migration() {
    let Some(python) = client("python3") else {
        return;
    };
    let ready = finish(Command::new(&python).args(["-c", "import awslambdaric"]));
    if !ready.status.success() {
        assert!(std::env::var_os("CI").is_none(), "{}", shown(&ready));
        eprintln!("SKIPPED: awslambdaric is not installed under target/clients");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("stagewright.toml");
    let text = format!(
        "[function.echo]\ntimeout_seconds = 60\ncwd = {:?}\ncommand = [{:?}, \"-m\", \"awslambdaric\", \"states_function.handler\"]\n\
         environment = {{ PYTHONDONTWRITEBYTECODE = \"1\" }}\n",
        root().join("tests/clients"),
        python,
    );
    fs::write(&config, text).expect("a file");
    let config = config.display().to_string();
    let server = Server::start(&folder.path().join("state"), &["--config", &config]);
    session(&python, "boto3_states.py", &[&server.url]);
}

#[test]
fn an_aws_cli_session_runs_a_machine() {
    if let Some(aws) = client("aws") {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start(folder.path(), &[]);
        let aws = aws.display().to_string();
        session(Path::new("sh"), "cli_states.sh", &[&aws, &server.url]);
    }
}
