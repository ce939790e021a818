//! The project's own cases, as data in `tests/cases`: each names the rule that it checks.

use std::{collections::BTreeMap, fs, path::Path};

use engine_states::{
    definition::{Type, parse},
    effect::{Order, Outcome},
    event::Content,
};
use serde_json::{Value, json};

use crate::drive::{Drive, Reply, Run, identity, run};

pub fn load(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file: Value =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    file["cases"].as_array().expect("cases").clone()
}

fn alone(mut state: Value) -> Value {
    let ends = matches!(state["Type"].as_str(), Some("Succeed" | "Fail" | "Choice"));
    if !ends {
        state["End"] = true.into();
    }
    json!({"StartAt": "S", "States": {"S": state}})
}

fn play(case: &Value, definition: &Value, input: Value, store: bool) -> Run {
    let kind = if case["express"] == true {
        Type::Express
    } else {
        Type::Standard
    };
    let definition =
        parse(&definition.to_string(), kind).unwrap_or_else(|e| panic!("{}: {e}", case["rule"]));
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    run(
        Drive {
            definition: &definition,
            kind,
            identity: identity("cases", "one", kind),
            seed: 11,
            store,
            task: &mut |order| answer(case, order, &mut calls),
            read: &mut |_| Content::Text(case["reads"].as_str().unwrap_or_default().to_owned()),
        },
        input,
    )
}

fn answer(case: &Value, order: &Order, calls: &mut BTreeMap<String, usize>) -> Reply {
    let call = calls.entry(order.state.clone()).or_default();
    let answer = &case["tasks"][&order.state][*call];
    *call += 1;
    let text = |key: &str| answer[key].as_str().map(str::to_owned);
    if answer["never"] == true {
        Reply::Never
    } else if answer["echo"] == true {
        Reply::Success(Value::clone(&order.input))
    } else if let Some(size) = answer["large"].as_u64() {
        Reply::Success("a".repeat(usize::try_from(size).expect("a size")).into())
    } else if answer.get("error").is_some() {
        Reply::Failure(text("error"), text("cause"))
    } else {
        Reply::Success(answer["output"].clone())
    }
}

/// What a case says about the end, and what it was; equal when the case holds.
fn compare(case: &Value, found: &Run) -> (Value, Value) {
    let (mut wanted, mut own) = (json!({}), json!({}));
    let mut both = |key: &str, value: Value, found: Value| {
        wanted[key] = value;
        own[key] = found;
    };
    let (status, output, error, cause) = match &found.outcome {
        Outcome::Succeeded(output) => ("SUCCEEDED", Value::clone(output), None, None),
        Outcome::Failed(e, c) => ("FAILED", Value::Null, e.clone(), c.clone()),
        Outcome::TimedOut(e, c) => ("TIMED_OUT", Value::Null, e.clone(), c.clone()),
        Outcome::Aborted(e, c) => ("ABORTED", Value::Null, e.clone(), c.clone()),
    };
    let fails = case.get("error").is_some();
    let default = if fails { "FAILED" } else { "SUCCEEDED" };
    both(
        "status",
        case.get("status").cloned().unwrap_or(default.into()),
        status.into(),
    );
    if fails {
        both("error", case["error"].clone(), json!(error));
    } else {
        both("output", case["output"].clone(), output);
        if status == "FAILED" {
            both("error", Value::Null, json!([error, cause]));
        }
    }
    if let Some(text) = case.get("cause") {
        both("cause", text.clone(), json!(cause));
    }
    if let Some(seconds) = case.get("seconds") {
        // A timestamp in a case has no fraction, the clock has one.
        let near = seconds
            .as_i64()
            .is_some_and(|s| (s - found.seconds).abs() <= i64::from(s % 5 == 0));
        both(
            "seconds",
            seconds.clone(),
            if near {
                seconds.clone()
            } else {
                found.seconds.into()
            },
        );
    }
    if let Some(events) = case.get("events") {
        let named = |e: &engine_states::history::HistoryEvent| match e.state() {
            Some(state) => format!("{}:{state}", e.kind),
            None => e.kind.to_owned(),
        };
        let own: Vec<String> = found
            .history
            .iter()
            .filter(|e| e.stream == 0)
            .map(named)
            .collect();
        both("events", events.clone(), json!(own));
    }
    (wanted, own)
}

/// Runs a case plainly and through its stored form; every miss is listed.
fn check(file: &str, plays: impl Fn(&Value) -> Vec<(Value, Value, Value)>) {
    let cases = load(file);
    let mut misses = Vec::new();
    let mut count = 0;
    for case in &cases {
        for (expected, definition, input) in plays(case) {
            for store in [false, true] {
                let found = play(&expected, &definition, input.clone(), store);
                let (wanted, own) = compare(&expected, &found);
                if wanted != own {
                    misses.push(format!(
                        "{}\n    wanted {wanted}\n    found  {own}\n    cause  {:?}",
                        case["rule"], found.outcome
                    ));
                }
            }
            count += 1;
        }
    }
    assert!(
        misses.is_empty(),
        "{} of {count} in {file}:\n{}",
        misses.len(),
        misses.join("\n")
    );
}

#[test]
fn machines() {
    check("machine.json", |case| {
        vec![(
            case.clone(),
            case["definition"].clone(),
            case["input"].clone(),
        )]
    });
}

#[test]
fn states() {
    check("data.json", |case| {
        let text = |key: &str| {
            case[key]
                .as_u64()
                .map(|n| Value::from("a".repeat(usize::try_from(n).expect("a size"))))
        };
        let mut expected = case.clone();
        if let Some(output) = text("output_text") {
            expected["output"] = output;
        }
        let input = text("input_text").unwrap_or_else(|| case["input"].clone());
        vec![(expected, alone(case["state"].clone()), input)]
    });
}

#[test]
fn choices() {
    check("choice.json", |case| {
        let mut rule = case["when"].clone();
        rule["Next"] = "Y".into();
        let definition = json!({"StartAt": "C", "States": {
            "C": {"Type": "Choice", "Choices": [rule], "Default": "N"},
            "Y": {"Type": "Pass", "Result": "yes", "End": true},
            "N": {"Type": "Pass", "Result": "no", "End": true},
        }});
        let of = |key: &'static str| {
            let definition = definition.clone();
            case[key]
                .as_array()
                .into_iter()
                .flatten()
                .map(move |input| {
                    (
                        json!({"rule": case["rule"], "output": key}),
                        definition.clone(),
                        input.clone(),
                    )
                })
        };
        of("yes").chain(of("no")).collect()
    });
}

/// A Pass that puts an expression's value into `x`.
fn value_of(case: &Value, expression: &Value) -> (Value, Value, Value) {
    let definition = alone(json!({"Type": "Pass", "Parameters": {"x.$": expression}}));
    let mut expected = case.clone();
    if case.get("value").is_some() {
        expected["output"] = json!({"x": case["value"]});
    }
    (expected, definition, case["input"].clone())
}

#[test]
fn paths() {
    check("path.json", |case| match case["missing"].as_str() {
        None => vec![value_of(case, &case["path"])],
        Some(reason) => {
            let path = case["path"].as_str().unwrap_or_default();
            let cause = format!(
                "An error occurred while executing the state 'S' (entered at the event id #2). Invalid path '{path}' : {reason}"
            );
            let expected = json!({"rule": case["rule"], "error": "States.Runtime", "cause": cause});
            vec![(
                expected,
                alone(json!({"Type": "Pass", "OutputPath": path})),
                case["input"].clone(),
            )]
        }
    });
}

#[test]
fn intrinsic_functions() {
    check("intrinsic.json", |case| vec![value_of(case, &case["call"])]);
}

#[test]
fn queries() {
    check("jsonata.json", |case| {
        let text = format!(
            "{{% {} %}}",
            case["expression"].as_str().unwrap_or_default()
        );
        let mut expected = case.clone();
        if case.get("value").is_some() {
            expected["output"] = case["value"].clone();
        }
        if let Some(cause) = case["cause"].as_str() {
            let whole = format!(
                "An error occurred while executing the state 'S' (entered at the event id #2). {cause}"
            );
            expected["cause"] = whole.into();
        }
        let definition = alone(json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": text}));
        vec![(expected, definition, case["input"].clone())]
    });
}

#[test]
fn refused_definitions() {
    let mut misses = Vec::new();
    for case in load("refused.json") {
        let kind = if case["express"] == true {
            Type::Express
        } else {
            Type::Standard
        };
        let text = match (case.get("text"), case.get("state")) {
            (Some(text), _) => text.as_str().unwrap_or_default().to_owned(),
            (None, Some(state)) => json!({"StartAt": "A", "States": {"A": state}}).to_string(),
            (None, None) => case["definition"].to_string(),
        };
        let found: Vec<String> = match parse(&text, kind) {
            Ok(_) => Vec::new(),
            Err(refused) => refused.0.iter().map(ToString::to_string).collect(),
        };
        let good = match case["starts"].as_str() {
            Some(start) => found.len() == 1 && found[0].starts_with(start),
            None => json!(found) == case["says"],
        };
        if !good {
            misses.push(format!(
                "{}\n    wanted {}\n    found  {found:?}",
                case["rule"], case["says"]
            ));
        }
    }
    assert!(
        misses.is_empty(),
        "{} missed:\n{}",
        misses.len(),
        misses.join("\n")
    );
}
