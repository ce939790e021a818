//! States tried alone, as TestState does: the project's own cases, and recorded calls of the service itself.

use engine_states::{
    definition::{Definition, Type, parse, parse_state},
    trial::{Begun, Given, Mode, Reply, Trial, Tried},
};
use serde_json::{Value, json};

use crate::{cases, drive, recorded};

fn parsed(args: &Value, key: &str, other: Value) -> Value {
    args[key].as_str().map_or(other, |text| {
        serde_json::from_str(text).expect("a member is JSON text")
    })
}

fn definition(args: &Value) -> Definition {
    let text = args["definition"].as_str().expect("a definition");
    let definition = match args["stateName"].as_str() {
        Some(_) => parse(text, Type::Standard),
        None => parse_state(text, "StateName"),
    };
    definition.unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// A call of TestState, a task without a mock answered by `task`.
fn play(args: &Value, task: impl FnOnce(&engine_states::effect::Order) -> Reply) -> Tried {
    let definition = definition(args);
    let configured = &args["stateConfiguration"];
    let given = Given {
        input: parsed(args, "input", json!({})),
        variables: parsed(args, "variables", json!({}))
            .as_object()
            .expect("variables are an object")
            .clone(),
        context: args
            .get("context")
            .map(|_| parsed(args, "context", Value::Null)),
        home: ("us-east-1".to_owned(), "111111111111".to_owned()),
        role: args["roleArn"].as_str().map(str::to_owned),
        retries: configured["retrierRetryCount"].as_u64().unwrap_or(0),
        failures: configured["mapIterationFailureCount"].as_u64().unwrap_or(0),
        items: configured["mapItemReaderData"].as_str().map(str::to_owned),
        at: drive::start_time(),
        seed: 5,
    };
    let name = args["stateName"].as_str().unwrap_or("StateName");
    let mut trial = Trial::new(&definition, name, given).expect("the state is there");
    let mock = &args["mock"];
    let text = |key: &str| mock["errorOutput"][key].as_str().map(str::to_owned);
    let mocked = match &mock["result"] {
        Value::String(_) => {
            let result = parsed(mock, "result", Value::Null);
            let mode = match mock["fieldValidationMode"].as_str() {
                Some("NONE") => Mode::None,
                Some("PRESENT") => Mode::Present,
                _ => Mode::Strict,
            };
            assert_eq!(trial.mock_fault(&result, mode), None, "{args}");
            Some(Reply::Success(result))
        }
        _ if mock.is_null() => None,
        _ => Some(Reply::Failure(text("error"), text("cause"))),
    };
    match (trial.begin(), mocked) {
        (Begun::Over(tried), _) => tried,
        (Begun::Wait(_), _) => trial.waited(),
        (Begun::Task(_) | Begun::Inside, Some(reply)) => trial.answered(reply),
        (Begun::Task(order), None) => trial.answered(task(&order)),
        (Begun::Inside, None) => panic!("a mock is needed: {args}"),
    }
}

/// The response, its texts of JSON as JSON.
fn response(tried: &Tried, level: &str) -> Value {
    let mut out = json!({"status": tried.status});
    if let Some(output) = &tried.output {
        out["output"] = output.clone();
    }
    let texts = [
        ("nextState", &tried.next),
        ("error", &tried.error),
        ("cause", &tried.cause),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            out[key] = text.as_str().into();
        }
    }
    if level != "INFO" {
        out["inspectionData"] = Value::Object(tried.seen.clone());
    }
    unfolded(&out)
}

/// Members that are texts of JSON, as recordings sometimes show them unfolded.
fn unfolded(response: &Value) -> Value {
    let text = |value: &Value| match value.as_str().map(serde_json::from_str) {
        Some(Ok(inner)) => inner,
        _ => value.clone(),
    };
    let mut out = response.clone();
    if let Some(output) = out.get_mut("output") {
        *output = text(output);
    }
    for (_, value) in out["inspectionData"].as_object_mut().into_iter().flatten() {
        *value = text(value);
    }
    if out["inspectionData"].is_null() {
        out.as_object_mut()
            .expect("an object")
            .remove("inspectionData");
    }
    out
}

#[test]
fn states_are_tried_as_the_rules_say() {
    for case in cases::load("trial.json") {
        let args = &case["args"];
        let tried = play(args, |_| match case.get("answers") {
            Some(answer) => Reply::Success(answer.clone()),
            None => panic!("{}: nobody answers", case["rule"]),
        });
        let level = args["inspectionLevel"].as_str().unwrap_or("INFO");
        let found = response(&tried, level);
        let wild = ["<any>".to_owned()];
        assert!(
            recorded::same(&found, &case["gives"], &wild),
            "{}\n    wanted {}\n    found  {found}",
            case["rule"],
            case["gives"]
        );
    }
}

#[test]
fn recorded_trials_go_as_recorded() {
    let Some(rows) = recorded::rows("asl-teststate-cases.jsonl") else {
        return;
    };
    let wild = [
        "<resource:1>",
        "<resource:2>",
        "<resource:3>",
        "<resource:4>",
        "<resource:5>",
        "<uuid:1>",
        "date",
    ];
    let wild = wild.map(str::to_owned);
    let mut good = 0;
    for row in &rows {
        let tried = play(&row["args"], |order| {
            match recorded::behave(order, &row["lambdas"]) {
                drive::Reply::Success(value) => Reply::Success(value),
                drive::Reply::Failure(error, cause) => Reply::Failure(error, cause),
                drive::Reply::Never => Reply::Failure(Some("States.Timeout".to_owned()), None),
            }
        });
        let level = row["args"]["inspectionLevel"].as_str().unwrap_or("INFO");
        let (found, wanted) = (response(&tried, level), unfolded(&row["expected"]));
        if recorded::same(&found, &wanted, &wild) {
            good += 1;
        } else {
            eprintln!("{}\n    wanted {wanted}\n    found  {found}", row["name"]);
        }
    }
    eprintln!("trials: {good} of {}", rows.len());
    assert_eq!(good, rows.len(), "trials that went as recorded");
}
