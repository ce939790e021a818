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
