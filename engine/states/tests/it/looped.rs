//! The loop that runs one action (`infra/run-action.asl.json`): asked until it is done, stopped when it is not in time.

use std::{fs, path::Path};

use engine_states::{
    definition::{Type, parse},
    effect::{Order, Outcome},
    event::Content,
};
use serde_json::{Value, json};

use crate::drive::{Drive, Reply, Run, identity, run};

/// Runs the loop; `answers` says what the n-th call gives, and every payload is kept.
fn looped(input: Value, answers: &dyn Fn(usize) -> Reply) -> (Run, Vec<Value>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/run-action.asl.json");
    let text = fs::read_to_string(file).expect("the loop");
    let text = text
        .replace("${FunctionArn}", "action")
        .replace("${Partition}", "aws");
    let definition = parse(&text, Type::Standard).expect("a definition");
    let mut asked = Vec::new();
    let mut task = |order: &Order| {
        asked.push(order.input["Payload"].clone());
        answers(asked.len() - 1)
    };
    let drive = Drive {
        definition: &definition,
        kind: Type::Standard,
        identity: identity("loop", "one", Type::Standard),
        seed: 5,
        store: true,
        task: &mut task,
        read: &mut |_| Content::Items(Vec::new()),
    };
    let run = run(drive, input);
    (run, asked)
}

fn running(wait: u64) -> Reply {
    Reply::Success(
        json!({"Payload": {"status": "RUNNING", "progress": {"n": wait}, "waitSeconds": wait}}),
    )
}

fn stopped() -> Reply {
    Reply::Success(json!({"Payload": {"status": "STOPPED", "found": "running"}}))
}

fn failure(run: &Run) -> (&str, &str) {
    match &run.outcome {
        Outcome::Failed(Some(error), Some(cause)) => (error, cause),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_asks_with_the_progress_until_the_action_is_done() {
    let answers = |n| match n {
        0 | 1 => running(30),
        _ => Reply::Success(json!({"Payload": {"status": "SUCCEEDED", "variables": {"v": 1}}})),
    };
    let (run, asked) = looped(json!({"params": {"a": 1}}), &answers);
    let Outcome::Succeeded(output) = &run.outcome else {
        panic!("{:?}", run.outcome)
    };
    assert_eq!(output["variables"], json!({"v": 1}));
    assert_eq!((asked.len(), run.seconds), (3, 60));
    assert_eq!(asked[0].get("progress"), None);
    assert_eq!(asked[2]["progress"], json!({"n": 30}));
    assert!(
        asked
            .iter()
            .all(|p| p["params"] == json!({"a": 1}) && p["run"] == asked[0]["run"])
    );
}

#[test]
fn at_the_deadline_the_action_is_stopped() {
    let answers = |n| if n < 3 { running(60) } else { stopped() };
    // The case begins at 03:04:05.678.
    let input = json!({"params": {}, "deadline": "2026-01-02T03:07:00Z"});
    let (run, asked) = looped(input, &answers);
    assert_eq!(failure(&run), ("TimedOut", "the deadline has passed"));
    let last = asked.last().expect("a call");
    assert_eq!(
        (&last["stop"], &last["run"]),
        (&json!({}), &asked[0]["run"])
    );
    assert!(
        asked[..asked.len() - 1]
            .iter()
            .all(|p| p.get("stop").is_none())
    );
    assert_eq!((asked.len(), run.seconds), (4, 120));
}

#[test]
fn without_a_deadline_it_ends_before_the_action_would() {
    let day = 24 * 3600;
    let answers = |n| if n <= 12 { running(day) } else { stopped() };
    let (run, _) = looped(json!({"params": {}}), &answers);
    assert_eq!(failure(&run), ("TimedOut", "the deadline has passed"));
    assert_eq!(run.seconds, 12 * 24 * 3600);
}

#[test]
fn a_call_that_hangs_is_given_up_and_a_failed_stop_is_tried_again() {
    let answers = |n| match n {
        0 => Reply::Never,
        1 => Reply::Failure(Some("Unavailable".to_owned()), None),
        _ => stopped(),
    };
    let (run, asked) = looped(json!({"params": {}}), &answers);
    assert_eq!(
        failure(&run),
        (
            "TimedOut",
            "a call of the action did not end: States.Timeout"
        )
    );
    assert_eq!(asked.len(), 3);
    assert!(asked[1]["stop"] == json!({}) && asked[2]["stop"] == json!({}));
}

#[test]
fn what_the_action_itself_says_is_the_end() {
    let answers = |_| {
        Reply::Failure(
            Some("Failed".to_owned()),
            Some("the build broke".to_owned()),
        )
    };
    let (run, asked) = looped(json!({"params": {}}), &answers);
    assert_eq!(failure(&run), ("Failed", "the build broke"));
    assert_eq!(asked.len(), 1);
}
