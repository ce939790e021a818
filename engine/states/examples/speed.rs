//! Transitions a second without tasks, and the memory of a waiting execution: `cargo run --release --example speed`.

use std::time::{Duration, Instant};

use engine_states::{
    definition::{Definition, Type, parse},
    effect::Effect,
    event::{Event, Input},
    machine::Identity,
    step,
};
use jiff::Timestamp;
use serde_json::{Value, json};

fn identity() -> Identity {
    Identity {
        arn: "arn:aws:states:us-east-1:111111111111:express:speed:one".to_owned(),
        name: "one".to_owned(),
        machine_arn: "arn:aws:states:us-east-1:111111111111:stateMachine:speed".to_owned(),
        machine_name: "speed".to_owned(),
        role_arn: "arn:aws:iam::111111111111:role/speed".to_owned(),
    }
}

/// Runs to the end; the number of states entered.
fn run(definition: &Definition, input: &Value) -> usize {
    let at = Timestamp::UNIX_EPOCH;
    let (mut machine, mut effects) =
        step::start(definition, Type::Express, identity(), input.clone(), at, 1);
    let mut entered = 0;
    loop {
        let mut again = false;
        for effect in &effects {
            match effect {
                Effect::Record(event) => {
                    entered += usize::from(event.kind.ends_with("StateEntered"))
                }
                Effect::Continue => again = true,
                Effect::Finished(_) => return entered,
                _ => {}
            }
        }
        assert!(again, "a machine without tasks and waits goes on by itself");
        let input = Input {
            at,
            seed: 2,
            event: Event::Continue,
        };
        effects = step::step(&mut machine, definition, &input).expect("the machine asked for it");
    }
}

fn measure(name: &str, definition: &Value, input: &Value) {
    let definition = parse(&definition.to_string(), Type::Express).expect("a definition");
    let mut rates = Vec::new();
    for _ in 0..12 {
        let (mut entered, begun) = (0, Instant::now());
        while begun.elapsed() < Duration::from_millis(100) {
            entered += run(&definition, input);
        }
        #[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
        rates.push(entered as f64 / begun.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "{name}: {:.0} transitions/s (median of {})",
        rates[rates.len() / 2],
        rates.len()
    );
}

fn main() {
    let chain: serde_json::Map<String, Value> = (0..1_000)
        .map(|i| {
            let mut state = json!({"Type": "Pass"});
            if i < 999 {
                state["Next"] = format!("S{}", i + 1).into();
            } else {
                state["End"] = true.into();
            }
            (format!("S{i}"), state)
        })
        .collect();
    measure(
        "Pass chain of 1,000",
        &json!({"StartAt": "S0", "States": chain}),
        &json!({"a": 1}),
    );
    let processor = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
    let map = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": true}}});
    measure("Map of 10,000", &map, &(0..10_000).collect());
    let branches: Vec<Value> = (0..100)
        .map(|i| {
            let name = format!("B{i}");
            json!({"StartAt": name, "States": {name.clone(): {"Type": "Pass", "End": true}}})
        })
        .collect();
    let parallel = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": branches, "End": true}}});
    measure("Parallel of 100", &parallel, &json!({"a": 1}));
    let query = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Output": "{% $states.input + 1 %}", "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Condition": "{% $states.input < 500 %}", "Next": "A"}], "Default": "Z"},
        "Z": {"Type": "Succeed"},
    }});
    measure("JSONata loop of 500", &query, &json!(0));
    let wait =
        json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": true}}});
    let wait = parse(&wait.to_string(), Type::Standard).expect("a definition");
    let (machine, _) = step::start(
        &wait,
        Type::Standard,
        identity(),
        json!({}),
        Timestamp::UNIX_EPOCH,
        1,
    );
    let stored = serde_json::to_string(&machine)
        .expect("a machine is JSON")
        .len();
    println!("a waiting execution: {stored} bytes stored");
}
