//! The example release pipeline, as a person runs it: from a process, again, and after kills.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use harness::{
    example::Example,
    process::{finish, shown},
    workspace::stagewright,
};
use serde_json::Value;

const ACTIONS: [&str; 7] = [
    "Site", "Build", "Preview", "Answers", "Release", "Publish", "Verify",
];

fn json_lines(text: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(text)
        .lines()
        .filter_map(|l| serde_json::from_str(l).ok())
        .collect()
}

/// How often each action reached a state, by `action state`.
fn action_states(events: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        if event["detail-type"] == "CodePipeline Action Execution State Change" {
            let text = |k: &str| event["detail"][k].as_str().unwrap_or_default().to_owned();
            *counts
                .entry(format!("{} {}", text("action"), text("state")))
                .or_default() += 1;
        }
    }
    counts
}

#[test]
fn it_runs_prints_what_happened_and_runs_again() {
    let example = Example::new();
    let first = finish(Command::new(stagewright()).args(example.run_arguments(&[])));
    assert_eq!(first.status.code(), Some(0), "{}", shown(&first));
    let text = String::from_utf8_lossy(&first.stdout);
    for action in ACTIONS {
        let line = text
            .lines()
            .find(|l| l.contains('✓') && l.contains(&format!(" {action} ")));
        assert!(line.is_some(), "no line for {action}:\n{}", shown(&first));
    }
    for expected in [
        "| Build: links: all targets exist",
        "GET http",
        "POST http",
        "Succeeded in ",
        "/_stagewright/site/corner-bakery-live/",
    ] {
        assert!(
            text.contains(expected),
            "{expected:?} is missing:\n{}",
            shown(&first)
        );
    }
    assert!(!text.contains('\u{1b}'), "no colour outside a terminal");

    let second =
        finish(Command::new(stagewright()).args(example.run_arguments(&["--output", "json"])));
    assert_eq!(second.status.code(), Some(0), "{}", shown(&second));
    let events = json_lines(&second.stdout);
    let last = events.last().expect("a last line");
    assert_eq!(last["status"], "Succeeded", "{}", shown(&second));
    assert!(last["pipelineExecutionId"].is_string());
    let states = action_states(&events);
    for action in ACTIONS {
        assert_eq!(
            states.get(&format!("{action} STARTED")),
            Some(&1),
            "{action}: {states:?}"
        );
        assert_eq!(
            states.get(&format!("{action} SUCCEEDED")),
            Some(&1),
            "{action}: {states:?}"
        );
    }
}

/// Kills the run once `enough` says so of the events so far, and answers those events.
fn kill_when(
    example: &Example,
    arguments: &[String],
    enough: impl Fn(&[Value]) -> bool,
) -> Vec<Value> {
    let mut child = Command::new(stagewright())
        .args(arguments)
        .current_dir(example.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("stagewright is built");
    let mut events = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        events.extend(serde_json::from_str(&line.expect("text")));
        if enough(&events) {
            break;
        }
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    events
}

#[test]
fn killed_anywhere_it_resumes_without_repeating_what_had_ended() {
    let reached = |action: &'static str, state: &'static str| {
        move |events: &[Value]| action_states(events).contains_key(&format!("{action} {state}"))
    };
    type Enough = Box<dyn Fn(&[Value]) -> bool>;
    let moments: [(&str, Enough); 6] = [
        ("the start", Box::new(|events| !events.is_empty())),
        ("the build running", Box::new(reached("Build", "STARTED"))),
        ("the build done", Box::new(reached("Build", "SUCCEEDED"))),
        ("the approval open", Box::new(reached("Release", "STARTED"))),
        (
            "the publishing running",
            Box::new(reached("Publish", "STARTED")),
        ),
        (
            "the publishing done",
            Box::new(reached("Publish", "SUCCEEDED")),
        ),
    ];
    for (moment, enough) in moments {
        let example = Example::new();
        let before = kill_when(
            &example,
            &example.run_arguments(&["--output", "json"]),
            enough,
        );
        let execution = before[0]["detail"]["execution-id"].clone();
        let state = example.state().display().to_string();
        let resumed = finish(
            Command::new(stagewright())
                .args([
                    "run",
                    "--resume",
                    "--state",
                    &state,
                    "--approve",
                    "yes",
                    "--output",
                    "json",
                ])
                .current_dir(example.folder()),
        );
        assert_eq!(
            resumed.status.code(),
            Some(0),
            "killed at {moment}: {}",
            shown(&resumed)
        );
        let after = json_lines(&resumed.stdout);
        let last = after.last().expect("a last line");
        assert_eq!(last["status"], "Succeeded", "killed at {moment}");
        assert_eq!(last["pipelineExecutionId"], execution, "killed at {moment}");
        let ended_before = action_states(&before);
        let after = action_states(&after);
        for action in ACTIONS {
            let done = format!("{action} SUCCEEDED");
            if ended_before.contains_key(&done) {
                assert_eq!(
                    after.get(&format!("{action} STARTED")),
                    None,
                    "{action} ran again, killed at {moment}"
                );
            }
            let times = ended_before.get(&done).unwrap_or(&0) + after.get(&done).unwrap_or(&0);
            assert!(
                times <= 1,
                "{action} ended {times} times, killed at {moment}"
            );
        }
    }
}

#[test]
fn an_execution_that_had_no_time_to_be_written_down_is_found() {
    let example = Example::new();
    let before = kill_when(
        &example,
        &example.run_arguments(&["--output", "json"]),
        |events| !events.is_empty(),
    );
    let execution = &before[0]["detail"]["execution-id"];
    let file = example.state().join("run.json");
    let mut memory: Value =
        serde_json::from_slice(&std::fs::read(&file).expect("run.json")).expect("JSON");
    memory["execution"] = "".into();
    let resume = |memory: &Value| {
        std::fs::write(&file, memory.to_string()).expect("written");
        let mut arguments = example.run_arguments(&["--output", "json", "--resume"]);
        arguments.remove(1);
        finish(Command::new(stagewright()).args(arguments))
    };
    let mut other = memory.clone();
    other["token"] = "run-other".into();
    let nothing = resume(&other);
    assert_eq!(nothing.status.code(), Some(2), "{}", shown(&nothing));
    let resumed = resume(&memory);
    assert_eq!(resumed.status.code(), Some(0), "{}", shown(&resumed));
    let lines = json_lines(&resumed.stdout);
    let last = lines.last().expect("a last line");
    assert_eq!(&last["pipelineExecutionId"], execution);
    assert_eq!(last["status"], "Succeeded");
}

#[test]
fn there_must_be_something_to_resume() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state").display().to_string();
    let output = finish(Command::new(stagewright()).args(["run", "--resume", "--state", &state]));
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("nothing to resume"),
        "{}",
        shown(&output)
    );
}

#[test]
fn a_rejected_release_fails_and_publishes_nothing() {
    let example = Example::new();
    let mut arguments = example.run_arguments(&[]);
    let at = arguments
        .iter()
        .position(|a| a == "yes")
        .expect("--approve yes");
    arguments[at] = "no".to_owned();
    let output = finish(Command::new(stagewright()).args(arguments));
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.lines()
            .any(|l| l.contains('✗') && l.contains(" Release ")),
        "{}",
        shown(&output)
    );
    assert!(!text.contains(" Publish  Publish"), "{}", shown(&output));
}

/// Answers 503 until it has been asked often enough, then a page; tells how often it was asked.
fn late_site(refusals: usize) -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    use std::{
        io::Write,
        net::TcpListener,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/", listener.local_addr().expect("an address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let up = count.fetch_add(1, Ordering::SeqCst) >= refusals;
            let status = if up {
                "200 OK"
            } else {
                "503 Service Unavailable"
            };
            let mut stream = stream;
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
            );
        }
    });
    (address, asked)
}

#[test]
fn a_site_that_is_not_up_yet_is_asked_again_with_a_continuation_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let (address, asked) = late_site(2);
    std::fs::create_dir(folder.path().join("source")).expect("a folder");
    std::fs::write(folder.path().join("source/index.html"), "ok").expect("a file");
    std::fs::write(
        folder.path().join("stagewright.toml"),
        "[engine]\ncontinuation_seconds = 1\n\n[function.action-http-check]\ntimeout_seconds = 30\n",
    )
    .expect("a file");
    let definition = serde_json::json!({
        "name": "late", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [{"name": "Source",
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"},
                "configuration": {"RepositoryName": "site", "BranchName": "main"}, "outputArtifacts": [{"name": "Site"}]}]},
            {"name": "Check", "actions": [{"name": "Check",
                "actionTypeId": {"category": "Invoke", "owner": "AWS", "provider": "Lambda", "version": "1"},
                "configuration": {"FunctionName": "action-http-check",
                    "UserParameters": serde_json::json!({"url": address, "matchArtifactFile": "index.html"}).to_string()},
                "inputArtifacts": [{"name": "Site"}]}]}]
    });
    std::fs::write(folder.path().join("pipeline.json"), definition.to_string()).expect("a file");
    let output = finish(
        Command::new(stagewright())
            .args(["run", "pipeline.json", "--source", "Source=source"])
            .current_dir(folder.path()),
    );
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    assert_eq!(
        asked.load(std::sync::atomic::Ordering::SeqCst),
        3,
        "{}",
        shown(&output)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.lines().any(|l| l.contains('·') && l.contains("503")),
        "the wait is told: {}",
        shown(&output)
    );
}

#[test]
fn publishing_again_touches_only_what_changed() {
    let example = Example::new();
    let run = |expected: &str| {
        let output = finish(Command::new(stagewright()).args(example.run_arguments(&[])));
        assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            text.contains(expected),
            "{expected:?} is missing: {}",
            shown(&output)
        );
    };
    let commit = |message: &str| {
        let git = |arguments: &[&str]| {
            let made = finish(
                Command::new("git")
                    .args([
                        "-c",
                        "user.name=Dana Example",
                        "-c",
                        "user.email=dana@example.com",
                    ])
                    .args(arguments)
                    .current_dir(example.repository()),
            );
            assert!(made.status.success(), "{}", shown(&made));
        };
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message", message]);
    };
    let assets = example.repository().join("assets");
    std::fs::write(assets.join("menu.txt"), "country loaf\n").expect("a file");
    commit("Add the menu");
    run("5 uploaded, 0 deleted, 0 unchanged");
    run("0 uploaded, 0 deleted, 5 unchanged");
    std::fs::remove_file(assets.join("menu.txt")).expect("a file");
    std::fs::write(assets.join("style.css"), "body { margin: 0 }\n").expect("a file");
    commit("Drop the menu, plain style");
    // The pages carry the version, which has the commit in it.
    run("3 uploaded, 1 deleted, 1 unchanged");
}
