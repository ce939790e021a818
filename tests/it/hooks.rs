//! Webhooks over HTTP, and workers that do jobs: Python clients against `stagewright serve`.

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use harness::{
    process::{Server, client, finish, shown},
    workspace::root,
};

/// Jobs of the race; a longer one is a matter of this number.
const JOBS: usize = 200;
/// Workers that compete for them.
const WORKERS: usize = 3;

fn script(python: &PathBuf, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(python);
    command
        .arg(root().join("tests/clients").join(name))
        .args(arguments);
    command
}

/// Runs a script to its end; its last line.
fn ran(python: &PathBuf, name: &str, arguments: &[&str]) -> String {
    let output = finish(&mut script(python, name, arguments));
    assert!(output.status.success(), "{name}: {}", shown(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn webhooks_start_pipelines_and_outlive_a_kill() {
    let Some(python) = client("python3") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let state = folder.path().join("state");
    let server = Server::start_logged(&state, &[], &log);
    let last = ran(&python, "boto3_webhooks.py", &[&server.url, "first"]);
    let (path, time) = last.split_once(' ').expect("a path and a time");
    server.kill();
    let server = Server::start_logged(&state, &[], &log);
    let last = ran(
        &python,
        "boto3_webhooks.py",
        &[&server.url, "again", path, time],
    );
    assert_eq!(last, "ok");
    let said = fs::read_to_string(&log).expect("a log");
    assert!(said.contains("a webhook was called"), "{said}");
    assert!(!said.contains("PLANTED"), "the secret is in the log");
}

#[test]
fn a_jobs_credentials_open_its_artifacts_only() {
    let Some(python) = client("python3") else {
        return;
    };
    let state = tempfile::tempdir().expect("a folder");
    let server = Server::start(state.path(), &[]);
    assert_eq!(ran(&python, "boto3_jobs.py", &[&server.url]), "ok");
}

#[test]
fn workers_that_race_do_each_job_once() {
    let Some(python) = client("python3") else {
        return;
    };
    let state = tempfile::tempdir().expect("a folder");
    let server = Server::start(state.path(), &[]);
    let jobs = JOBS.to_string();
    ran(&python, "boto3_race.py", &[&server.url, &jobs, "make"]);
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let mut worker = script(&python, "worker.py", &[&server.url, "Racer", "3"]);
            std::thread::spawn(move || finish(&mut worker))
        })
        .collect();
    let mut done = Vec::new();
    for worker in workers {
        let output = worker.join().expect("a worker's output");
        assert!(output.status.success(), "{}", shown(&output));
        done.extend(output.stdout);
    }
    let mut check = script(&python, "boto3_race.py", &[&server.url, &jobs, "check"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = check.stdin.take().expect("a pipe");
    stdin.write_all(&done).expect("read by the script");
    drop(stdin);
    assert!(check.wait().expect("it ends").success());
}

#[test]
fn a_partners_worker_is_known_by_its_token() {
    let Some(python) = client("python3") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("stagewright.toml");
    let client_id = "11111111-2222-4333-8444-555555555555";
    let text = format!(
        "[third-party.GhostInspector]\nclient_token = 'PLANTED'\nclient_id = '{client_id}'\ncategory = 'Test'\n\
         properties = [{{ name = 'Suite', required = true }}, {{ name = 'ApiKey', secret = true }}]\n"
    );
    fs::write(&config, text).expect("written");
    let state = folder.path().join("state");
    let arguments = ["--config", &config.display().to_string()];
    let server = Server::start(&state, &arguments);
    ran(&python, "boto3_partner.py", &[&server.url, "make"]);
    // the job waits through a crash
    server.kill();
    let server = Server::start(&state, &arguments);
    let worker = [&server.url, "Test", "GhostInspector", client_id, "PLANTED"];
    assert_eq!(ran(&python, "partner_worker.py", &worker), "ok");
    assert_eq!(
        ran(&python, "boto3_partner.py", &[&server.url, "check"]),
        "ok"
    );
}
