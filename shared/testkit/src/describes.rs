//! That a description agrees with the parameters as they are read.

use serde_json::{Map, Value, json};
use shared::{
    describe::{Described, Kind, MAX_MEANING, Parameter},
    drive::decide::params,
    job::RawParameters,
};

/// Checks an action's description against its parameters: the names are those that are read, required ones are
/// missed by name, defaults are what an absent one means, and bounds hold. `good` are parameters that are taken, with a
/// value for every required one.
///
/// # Panics
/// When they do not agree.
pub fn describes<A: Described>(good: &Value) {
    let description = A::DESCRIPTION;
    let read = |value: &Value| {
        let raw = RawParameters::Text(value.to_string());
        params::<A::Params>(&raw)
            .map(drop)
            .map_err(|fault| fault.public)
    };
    assert_eq!(read(good), Ok(()), "{}: good parameters", A::NAME);
    let with = |name: &str, value: Value| {
        let mut all = good.clone();
        all[name] = value;
        all
    };

    let unknown = read(&with("planted", json!(1))).expect_err("an unknown field is refused");
    let known: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
    let mut named: Vec<&str> = description.parameters.iter().map(|p| p.name).collect();
    named.sort_unstable();
    let mut sorted = known.clone();
    sorted.sort_unstable();
    assert_eq!(named, sorted, "{}: names of parameters; {unknown}", A::NAME);

    for (permission, _) in description.needs() {
        let (service, operation) = permission.split_once(':').unwrap_or_default();
        let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let named = !service.is_empty() && service.chars().all(lower);
        assert!(
            named && operation.chars().all(|c| c.is_ascii_alphanumeric()) && !operation.is_empty(),
            "{permission}: a permission is service:Operation"
        );
    }
    for parameter in description.parameters {
        let name = parameter.name;
        assert!(
            parameter.meaning.chars().count() <= MAX_MEANING,
            "{name}: its meaning is too long"
        );
        let missed: Map<String, Value> = good
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| *key != name)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let missed = read(&missed.into());
        let says = missed
            .as_ref()
            .is_err_and(|text| text.contains(&format!("missing field `{name}`")));
        assert_eq!(says, parameter.required, "{name}: required; {missed:?}");
        if let Some(default) = parameter.default {
            let value = serde_json::from_str(default).expect("a default is JSON");
            assert_eq!(read(&with(name, value)), Ok(()), "{name}: its default");
        }
        for (value, taken) in samples(parameter) {
            let answer = read(&with(name, value.clone()));
            assert_eq!(answer.is_ok(), taken, "{name} = {value}: {answer:?}");
            if let Err(text) = answer {
                assert!(text.contains(name), "{name} = {value}: {text}");
                assert!(text.len() < 2_000, "{name}: a long value is shown: {text}");
            }
        }
    }
}

/// No parameter is a text of this length.
const TOO_LONG: usize = 100_000;

/// Values, and whether they are taken. A text may have rules of its own, so only other types are tried on it.
fn samples(parameter: &Parameter) -> Vec<(Value, bool)> {
    match parameter.kind {
        Kind::Text | Kind::OneOf(_) => vec![
            (json!(7), false),
            (json!(["x"]), false),
            (json!("x".repeat(TOO_LONG)), false),
        ],
        Kind::Number(from, to) => {
            let mut all = vec![(json!(from), true), (json!(to), true), (json!("7"), false)];
            all.extend(to.checked_add(1).map(|over| (json!(over), false)));
            all.extend(from.checked_sub(1).map(|under| (json!(under), false)));
            all
        }
        Kind::Boolean => vec![
            (json!(true), true),
            (json!(false), true),
            (json!("yes"), false),
        ],
        Kind::List => vec![(json!([]), true), (json!("x"), false)],
        Kind::Map => vec![(json!({}), true), (json!("x"), false)],
        Kind::Object => vec![(json!("[]"), false), (json!(7), false), (json!([]), false)],
        Kind::Route => vec![
            (json!("a-b_C9"), true),
            (json!("a/b"), false),
            (json!(""), false),
            (json!("x".repeat(51)), false),
        ],
        Kind::Secret => vec![
            (json!("secretsmanager:a#b"), true),
            (json!("ssm:/a"), true),
            (json!("planted"), false),
        ],
    }
}
