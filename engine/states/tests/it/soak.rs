//! What must hold for any machine: the same inputs give the same history, any step may be the last before a restart, and
//! large or odd things end.

use std::fmt::Write;

use engine_states::{
    definition::{Definition, Type, parse},
    effect::{Effect, Order, Outcome},
    event::{Content, Event, Input},
    machine::{Machine, Status},
    step,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::drive::{Drive, Reply, Run, identity, run, start_time};

fn drive(definition: &Definition, kind: Type, seed: u128, store: bool, input: Value) -> Run {
    let mut calls = 0_u32;
    let mut task = |order: &Order| {
        calls += 1;
        match calls % 3 {
            0 => Reply::Failure(Some("E".to_owned()), Some("C".to_owned())),
            _ => Reply::Success(
                json!({"task": order.task, "token": order.token, "in": *order.input}),
            ),
        }
    };
    let mut read = |_: &Value| Content::Text("a,b\n1,2\n3,4\n".to_owned());
    let drive = Drive {
        definition,
        kind,
        identity: identity("soak", "one", kind),
        seed,
        store,
        task: &mut task,
        read: &mut read,
    };
    run(drive, input)
}

fn history(run: &Run) -> String {
    run.history.iter().fold(String::new(), |mut text, event| {
        let _ = writeln!(text, "{} {}", event.stream, event.wire(true));
        text
    })
}

/// A machine with everything that could differ from run to run: ids, tokens, jitter, random numbers, order.
fn everything() -> Definition {
    let task = json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "HeartbeatSeconds": 9,
        "Parameters": {"t.$": "$$.Task.Token", "u.$": "States.UUID()", "r.$": "States.MathRandom(0, 1000000)"},
        "Retry": [{"ErrorEquals": ["States.ALL"], "JitterStrategy": "FULL", "MaxAttempts": 9}], "End": true});
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "QueryLanguage": "JSONata",
        "Output": {"u": "{% $uuid() %}", "r": "{% $random() %}", "s": "{% $shuffle([1..9]) %}", "n": "{% $now() %}"}, "End": true}}});
    let mut child = inner.clone();
    child["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
    child["States"] = json!({"J": child["States"]["I"]});
    child["StartAt"] = "J".into();
    let definition = json!({"StartAt": "P", "States": {
        "P": {"Type": "Parallel", "Branches": [
            {"StartAt": "T", "States": {"T": task}},
            {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3, "Next": "M"},
                "M": {"Type": "Map", "ItemsPath": "$.list", "ItemProcessor": inner, "End": true}}},
        ], "Next": "D"},
        "D": {"Type": "Map", "ItemReader": {"Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}}, "ItemProcessor": child, "End": true},
    }});
    parse(&definition.to_string(), Type::Standard).expect("a definition")
}

#[test]
fn the_same_inputs_give_the_same_history() {
    let definition = everything();
    let input = json!({"list": [1, 2, 3]});
    for seed in [1, 2, 3] {
        let first = history(&drive(
            &definition,
            Type::Standard,
            seed,
            false,
            input.clone(),
        ));
        assert_eq!(
            first,
            history(&drive(
                &definition,
                Type::Standard,
                seed,
                false,
                input.clone()
            )),
            "seed {seed}"
        );
        assert_eq!(
            first,
            history(&drive(
                &definition,
                Type::Standard,
                seed,
                true,
                input.clone()
            )),
            "seed {seed}, stored"
        );
    }
    let one = history(&drive(&definition, Type::Standard, 1, false, input.clone()));
    assert_ne!(
        one,
        history(&drive(&definition, Type::Standard, 2, false, input)),
        "the seed matters"
    );
}

fn pass_map(distributed: bool) -> Definition {
    let mut processor = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
    if distributed {
        processor["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"});
    }
    let kind = if distributed {
        Type::Standard
    } else {
        Type::Express
    };
    let definition = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": true}}});
    parse(&definition.to_string(), kind).expect("a definition")
}

#[test]
fn ten_thousand_items() {
    let items: Value = (0..10_000).collect();
    for (distributed, kind) in [(false, Type::Express), (true, Type::Standard)] {
        let run = drive(&pass_map(distributed), kind, 1, false, items.clone());
        assert_eq!(
            run.outcome,
            Outcome::Succeeded(items.clone().into()),
            "distributed: {distributed}"
        );
    }
}

#[test]
fn a_standard_history_has_25_000_events() {
    let definition = parse(
        r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}}"#,
        Type::Standard,
    );
    // A machine without an end is taken, as AWS takes it.
    let run = drive(
        &definition.expect("a definition"),
        Type::Standard,
        1,
        false,
        json!({}),
    );
    assert_eq!(run.history.len(), 25_000);
    let cause = "The execution reached the maximum number of history events (25000).";
    assert_eq!(
        run.outcome,
        Outcome::Failed(Some("States.Runtime".to_owned()), Some(cause.to_owned()))
    );
}

#[test]
fn an_express_loop_does_not_hold_the_step() {
    let text = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}}"#;
    let definition = parse(text, Type::Express).expect("a definition");
    let id = identity("soak", "one", Type::Express);
    let (mut machine, effects) =
        step::start(&definition, Type::Express, id, json!({}), start_time(), 1);
    assert!(
        matches!(effects.last(), Some(Effect::Continue)),
        "the machine asks to be called again"
    );
    let input = Input {
        at: start_time(),
        seed: 2,
        event: Event::Due { timer: 1 },
    };
    let effects = step::step(&mut machine, &definition, &input).expect("the deadline");
    assert!(matches!(
        effects.last(),
        Some(Effect::Finished(Outcome::TimedOut(..)))
    ));
}

#[test]
fn deep_machines_and_payloads() {
    let mut flow = json!({"StartAt": "S", "States": {"S": {"Type": "Pass", "End": true}}});
    for depth in 0..25 {
        let name = format!("P{depth}");
        flow = json!({"StartAt": name, "States": {name.clone(): {"Type": "Parallel", "Branches": [flow], "End": true}}});
    }
    let definition = parse(&flow.to_string(), Type::Standard).expect("25 levels");
    let run = drive(&definition, Type::Standard, 1, true, json!(1));
    assert!(
        matches!(run.outcome, Outcome::Succeeded(_)),
        "{:?}",
        run.outcome
    );

    let endless = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(
        parse(&endless, Type::Standard).is_err(),
        "JSON that deep is refused, not overflown"
    );

    let text = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"a.$": "$"}, "Next": "A"}}}"#;
    let run = drive(
        &parse(text, Type::Standard).expect("a definition"),
        Type::Standard,
        1,
        false,
        json!({}),
    );
    let Outcome::Failed(error, cause) = run.outcome else {
        panic!("{:?}", run.outcome)
    };
    assert_eq!(error.as_deref(), Some("States.Runtime"));
    assert!(cause.is_some_and(|c| c.ends_with("The payload is nested deeper than 100 levels.")));
}

/// Applies one event; what came of it.
fn tell(
    machine: &mut Machine,
    definition: &Definition,
    event: Event,
) -> Result<Vec<Effect>, step::Refusal> {
    let input = Input {
        at: start_time(),
        seed: 5,
        event,
    };
    step::step(machine, definition, &input)
}

fn begun(text: &str, input: Value) -> (Definition, Machine, Vec<Effect>) {
    let definition = parse(text, Type::Standard).expect("a definition");
    let id = identity("soak", "one", Type::Standard);
    let (machine, effects) = step::start(&definition, Type::Standard, id, input, start_time(), 3);
    (definition, machine, effects)
}

fn order(effects: &[Effect]) -> Order {
    effects
        .iter()
        .find_map(|e| match e {
            Effect::Schedule(order) => Some(order.clone()),
            _ => None,
        })
        .expect("a task is scheduled")
}

const CALLBACK: &str = r#"{"StartAt": "T", "States": {"T": {"Type": "Task", "HeartbeatSeconds": 10,
    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters": {"token.$": "$$.Task.Token"}, "End": true}}}"#;

#[test]
fn a_token_answers_its_task_once() {
    let (definition, mut machine, effects) = begun(CALLBACK, json!({}));
    let order = order(&effects);
    let token = order.token.expect("a token");
    assert_eq!(order.input["token"], token, "the task is told its token");
    assert_eq!(machine.task_of(&token), Some(order.task));
    assert_eq!(machine.task_of("other"), None);
    let beat = tell(
        &mut machine,
        &definition,
        Event::Heartbeat { task: order.task },
    )
    .expect("a heartbeat");
    assert!(matches!(
        beat.as_slice(),
        [Effect::ClearTimer { .. }, Effect::SetTimer { .. }]
    ));
    let done = || Event::TaskSucceeded {
        task: order.task,
        output: json!(1),
    };
    tell(&mut machine, &definition, done()).expect("the answer");
    assert_eq!(machine.status(), Status::Succeeded);
    assert_eq!(machine.task_of(&token), None);
    assert_eq!(
        tell(&mut machine, &definition, done()).expect_err("once"),
        step::Refusal::Over
    );
}

#[test]
fn a_stopped_execution_asks_for_nothing_more() {
    let (definition, mut machine, effects) = begun(CALLBACK, json!({}));
    let task = order(&effects).task;
    let stop = Event::Stop {
        error: Some("E".to_owned()),
        cause: None,
    };
    let effects = tell(&mut machine, &definition, stop).expect("stopped");
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::Cancel { task: t } if *t == task))
    );
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::ClearTimer { .. }))
    );
    assert!(matches!(
        effects.last(),
        Some(Effect::Finished(Outcome::Aborted(Some(_), None)))
    ));
}

#[test]
fn a_redrive_goes_on_where_it_failed() {
    let text = r#"{"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "P"},
        "P": {"Type": "Parallel", "Branches": [
            {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Next": "Z"},
                "Z": {"Type": "Pass", "OutputPath": "$x", "End": true}}},
            {"StartAt": "U", "States": {"U": {"Type": "Pass", "Result": "kept", "End": true}}}], "End": true}}}"#;
    let (definition, mut machine, effects) = begun(text, json!({}));
    let fail = Event::TaskFailed {
        task: order(&effects).task,
        error: Some("E".to_owned()),
        cause: None,
    };
    tell(&mut machine, &definition, fail).expect("failed");
    assert_eq!(machine.status(), Status::Failed);
    let effects = tell(&mut machine, &definition, Event::Redrive).expect("redriven");
    let kinds: Vec<&str> = effects
        .iter()
        .filter_map(|e| match e {
            Effect::Record(event) => Some(event.kind),
            _ => None,
        })
        .collect();
    assert_eq!(
        kinds,
        ["ExecutionRedriven", "TaskScheduled", "TaskStarted"],
        "nothing else runs again"
    );
    let done = Event::TaskSucceeded {
        task: order(&effects).task,
        output: json!(0),
    };
    let effects = tell(&mut machine, &definition, done).expect("done");
    let Some(Effect::Finished(outcome)) = effects.last() else {
        panic!("not over")
    };
    assert_eq!(*outcome, Outcome::Succeeded(json!([1, "kept"]).into()));
    let again = tell(&mut machine, &definition, Event::Redrive).expect_err("it succeeded");
    assert_eq!(again, step::Refusal::NotRedrivable("it succeeded"));
}

/// JSON that looks a little like definitions.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..100_i64).prop_map(Value::from),
        prop::sample::select(vec![
            "A",
            "B",
            "Pass",
            "Task",
            "Map",
            "Choice",
            "JSONata",
            "$.a[?(@.b)]",
            "{% $a %}",
            "States.Array("
        ])
        .prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "StartAt",
        "States",
        "A",
        "B",
        "Type",
        "Next",
        "End",
        "Choices",
        "Retry",
        "Branches",
        "ItemProcessor",
        "Parameters",
        "a.$",
        "Assign",
        "QueryLanguage",
        "Seconds",
        "Resource",
        "Items",
        "Condition",
        "Variable",
        "And",
        "Not",
    ]);
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keys.clone(), inner), 0..6)
                .prop_map(|fields| fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_taken_or_refused(value in anything()) {
        if let Ok(definition) = parse(&value.to_string(), Type::Express) {
            let id = identity("soak", "one", Type::Express);
            let _ = step::start(&definition, Type::Express, id, value, start_time(), 1);
        }
    }

    #[test]
    fn any_text_is_a_path_or_not(text in "[$@.a-c0-9\\[\\]()?*:,'\"=!&| ~/\\\\-]{0,40}") {
        if let Ok(path) = format!("${text}").parse::<engine_states::path::JsonPath>() {
            let _ = path.get_in(&json!({"a": [{"b": 1, "c": [2, 3]}], "b": {"a": null}, "c": "x"}));
        }
    }
}
