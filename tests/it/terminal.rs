//! The command line's contract with terminals, pipes and signals.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use harness::{
    example::Example,
    process::{PATIENCE, client, finish, shown},
    workspace::{root, stagewright},
};
use serde_json::Value;

fn with_approve(example: &Example, approve: &str, more: &[&str]) -> Vec<String> {
    let mut arguments = example.run_arguments(more);
    let at = arguments
        .iter()
        .position(|a| a == "yes")
        .expect("--approve yes");
    arguments[at] = approve.to_owned();
    arguments
}

fn wait(child: &mut Child) -> ExitStatus {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            return status;
        }
        if Instant::now() > until {
            let _ = child.kill();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn send(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &id]).status();
    assert!(sent.expect("kill is there").success());
}

#[test]
fn a_person_answers_in_the_terminal() {
    let Some(python) = client("python3") else {
        return;
    };
    for (answer, status, mark, told) in [
        ("yes looks good", 0, "✓", "looks good"),
        ("no not today", 1, "✗", "was rejected by"),
    ] {
        let example = Example::new();
        let output = finish(
            Command::new(&python)
                .arg(root().join("tests/clients/terminal.py"))
                .args(["or answer here: type", answer])
                .arg(stagewright())
                .args(with_approve(&example, "ask", &[]))
                .env("TERM", "xterm-256color")
                .env("NO_COLOR", "1"),
        );
        assert_eq!(output.status.code(), Some(status), "{}", shown(&output));
        let text = String::from_utf8_lossy(&output.stdout);
        // Drawn lines have no line ends; what follows the typed answer is what it led to.
        let after = text.rsplit(answer).next().unwrap_or_default();
        let line = after
            .lines()
            .find(|l| l.contains(mark) && l.contains("Release"));
        assert!(
            line.is_some_and(|l| l.contains(told)),
            "{answer}: {}",
            shown(&output)
        );
        // Moving the cursor is no colour; those sequences end with `m`.
        let coloured = text.split("\u{1b}[").skip(1).any(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';');
            end.is_some_and(|at| rest[at..].starts_with('m'))
        });
        assert!(!coloured, "{text:?}");
    }
}

#[test]
fn a_terminal_shows_the_run_when_errors_go_elsewhere() {
    let Some(python) = client("python3") else {
        return;
    };
    let example = Example::new();
    let script = format!(
        "exec \"$@\" 2>{}",
        example.folder().join("errors").display()
    );
    let output = finish(
        Command::new(python)
            .arg(root().join("tests/clients/terminal.py"))
            .args(["nothing is asked", "", "/bin/sh", "-c", &script, "sh"])
            .arg(stagewright())
            .args(example.run_arguments(&[]))
            .env("TERM", "xterm-256color"),
    );
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    for expected in ["Verify", "Succeeded", "\u{1b}["] {
        assert!(text.contains(expected), "{expected:?}: {}", shown(&output));
    }
}

#[test]
fn json_output_is_nothing_but_json() {
    let example = Example::new();
    let arguments = with_approve(&example, "yes", &["--output", "json"]);
    let output = finish(Command::new(stagewright()).args(arguments));
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let value = serde_json::from_str::<Value>(line);
        assert!(value.is_ok_and(|v| v.is_object()), "{line:?}");
    }
}

#[test]
fn a_fast_clock_ends_an_approval_that_nobody_answers_and_waits_for_a_played_one() {
    for (approve, status, told) in [("ask", 1, "Failed in"), ("yes", 0, "Succeeded in")] {
        let example = Example::new();
        let arguments = with_approve(&example, approve, &["--fast-clock"]);
        let output = finish(Command::new(stagewright()).args(arguments));
        assert_eq!(output.status.code(), Some(status), "{}", shown(&output));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(told), "{}", shown(&output));
    }
}

/// Nobody reads what it prints.
fn unread(command: &mut Command) -> Child {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("stagewright is built");
    drop(child.stdout.take());
    drop(child.stderr.take());
    child
}

#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let example = Example::new();
    let bad = example.folder().join("bad.json");
    fs::write(&bad, "{}").expect("written");
    let good = example.pipeline();
    let bad = bad.display().to_string();
    for (arguments, status) in [
        (vec!["check", &good], 0),
        (vec!["check", &bad], 2),
        (vec!["check", "--output", "json", &bad], 2),
        (vec!["check", "/nowhere"], 2),
        (vec!["--help"], 0),
    ] {
        let mut child = unread(Command::new(stagewright()).args(&arguments));
        assert_eq!(wait(&mut child).code(), Some(status), "{arguments:?}");
    }
    for output in ["human", "json"] {
        let arguments = with_approve(&example, "yes", &["--output", output]);
        let mut child = unread(
            Command::new(stagewright())
                .args(arguments)
                .env("STAGEWRIGHT_LOG", "trace"),
        );
        assert_eq!(wait(&mut child).code(), Some(0), "{output}");
    }
}

#[test]
fn serve_ends_cleanly_when_it_is_asked_to() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(stagewright())
            .args(["serve", "--listen", "127.0.0.1:0", "--state"])
            .arg(folder.path())
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("stagewright is built");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        assert!(
            first.starts_with("listening on http://127.0.0.1:"),
            "{first}"
        );
        send(&child, signal);
        assert_eq!(wait(&mut child).code(), Some(0), "{signal}");
    }
}

/// Runs until the approval is open, then ends it with a signal.
fn cut_off(example: &Example, signal: &str) -> ExitStatus {
    let arguments = with_approve(example, "ask", &["--output", "json"]);
    let mut child = Command::new(stagewright())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("stagewright is built");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let open = lines.map_while(Result::ok).any(|line| {
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        event["detail"]["action"] == "Release" && event["detail"]["state"] == "STARTED"
    });
    assert!(open, "the approval is open");
    send(&child, signal);
    wait(&mut child)
}

fn memory(example: &Example) -> Value {
    let text = fs::read(example.state().join("run.json")).expect("run.json");
    serde_json::from_slice(&text).expect("JSON")
}

fn resume(state: &Path, more: &[&str]) -> std::process::Output {
    finish(
        Command::new(stagewright())
            .args(["run", "--resume", "--state"])
            .arg(state)
            .args(more),
    )
}

#[test]
fn a_run_that_was_interrupted_is_resumed_even_if_its_start_was_not_noted() {
    let example = Example::new();
    assert_eq!(cut_off(&example, "INT").code(), Some(130));
    // As a kill between the journal's record of the start and this file's leaves it.
    let mut noted = memory(&example);
    let execution = noted["execution"].take();
    noted["execution"] = "".into();
    fs::write(example.state().join("run.json"), noted.to_string()).expect("written");
    let output = resume(&example.state(), &["--approve", "yes", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    let last = String::from_utf8_lossy(&output.stdout);
    let last: Value = last
        .lines()
        .last()
        .and_then(|l| serde_json::from_str(l).ok())
        .expect("JSON");
    assert_eq!(last["pipelineExecutionId"], execution);
    assert_eq!(memory(&example)["execution"], execution, "noted now");
}

#[test]
fn an_address_that_was_taken_meanwhile_is_named_and_can_be_changed() {
    let example = Example::new();
    cut_off(&example, "KILL");
    let address = memory(&example)["address"]
        .as_str()
        .expect("an address")
        .to_owned();
    let taken = TcpListener::bind(&address).expect("free again");
    let output = resume(&example.state(), &["--approve", "no"]);
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("pass --listen") && text.contains(&address),
        "{text}"
    );
    drop(taken);
    let output = resume(
        &example.state(),
        &["--approve", "no", "--listen", "127.0.0.1:0"],
    );
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert_ne!(memory(&example)["address"], address, "noted now");
}

#[test]
fn one_state_folder_has_one_engine() {
    let example = Example::new();
    let state = example.state();
    let server = harness::process::Server::start(&state, &[]);
    let output = finish(Command::new(stagewright()).args(example.run_arguments(&[])));
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("is in use by another stagewright"), "{text}");
    server.kill();
    let output = finish(Command::new(stagewright()).args(example.run_arguments(&[])));
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
}

#[test]
fn a_program_that_is_missing_is_named() {
    let example = Example::new();
    let arguments = example.run_arguments(&[]);
    let output = finish(
        Command::new(stagewright())
            .args(arguments)
            .env("PATH", "/nowhere"),
    );
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(
        shown(&output).contains("the program git was not found: install it"),
        "{}",
        shown(&output)
    );
}
