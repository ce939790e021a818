//! Filter policies of subscriptions: which messages a subscriber wants. What is not built is refused when it is set.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::MessageAttribute;

/// A checked policy: every path must have a value that fits one of its conditions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    conditions: Vec<(Vec<String>, Vec<Condition>)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    Is(Value),
    Prefix(String),
    Suffix(String),
    IgnoreCase(String),
    AnythingBut(Vec<Value>),
    AnythingButPrefix(String),
    Exists(bool),
    Numeric(Vec<(Comparison, f64)>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Checks a policy; `nested` for the scope `MessageBody`.
pub(super) fn compile(policy: &str, nested: bool) -> Result<Filter, String> {
    let policy: Value =
        serde_json::from_str(policy).map_err(|e| format!("failed to parse JSON: {e}"))?;
    let object = policy
        .as_object()
        .ok_or("the filter policy is not an object")?;
    let mut conditions = Vec::new();
    walk(object, nested, &mut Vec::new(), &mut conditions)?;
    Ok(Filter { conditions })
}

impl Filter {
    /// Scope `MessageAttributes`.
    pub(super) fn wants_attributes(&self, attributes: &BTreeMap<String, MessageAttribute>) -> bool {
        self.conditions.iter().all(|(path, conditions)| {
            let name = path.first().map_or("", String::as_str);
            fits(attributes.get(name).map(value_of).as_ref(), conditions)
        })
    }

    /// Scope `MessageBody`: a body that is not a JSON object is nobody's.
    pub(super) fn wants_body(&self, body: &str) -> bool {
        let Ok(body @ Value::Object(_)) = serde_json::from_str::<Value>(body) else {
            return false;
        };
        self.conditions.iter().all(|(path, conditions)| {
            let found = path.iter().try_fold(&body, |value, name| value.get(name));
            fits(found, conditions)
        })
    }
}

fn walk(
    object: &Map<String, Value>,
    nested: bool,
    path: &mut Vec<String>,
    out: &mut Vec<(Vec<String>, Vec<Condition>)>,
) -> Result<(), String> {
    for (name, value) in object {
        if name == "$or" {
            return Err("$or is not built".to_owned());
        }
        path.push(name.clone());
        match value {
            Value::Array(list) => {
                let list: Result<Vec<_>, _> = list.iter().map(|c| condition(name, c)).collect();
                out.push((path.clone(), list?));
            }
            Value::Object(inner) if nested => walk(inner, nested, path, out)?,
            _ => return Err(format!("\"{name}\" must be an object or an array")),
        }
        path.pop();
    }
    Ok(())
}

fn condition(name: &str, value: &Value) -> Result<Condition, String> {
    let Value::Object(object) = value else {
        return Ok(Condition::Is(value.clone()));
    };
    let mut entries = object.iter();
    let (Some((key, argument)), None) = (entries.next(), entries.next()) else {
        return Err(format!("\"{name}\": a condition has exactly one key"));
    };
    let text = || {
        let text = argument
            .as_str()
            .ok_or_else(|| format!("\"{name}\": {key} needs a string"));
        text.map(str::to_owned)
    };
    match (key.as_str(), argument) {
        ("prefix", _) => text().map(Condition::Prefix),
        ("suffix", _) => text().map(Condition::Suffix),
        ("equals-ignore-case", _) => text().map(|t| Condition::IgnoreCase(t.to_lowercase())),
        ("exists", Value::Bool(wanted)) => Ok(Condition::Exists(*wanted)),
        ("anything-but", Value::Array(list)) => Ok(Condition::AnythingBut(list.clone())),
        ("anything-but", Value::Object(inner)) => match inner.get("prefix").and_then(Value::as_str)
        {
            Some(prefix) if inner.len() == 1 => Ok(Condition::AnythingButPrefix(prefix.to_owned())),
            _ => Err(format!(
                "\"{name}\": of anything-but only values and prefix are built"
            )),
        },
        ("anything-but", one) => Ok(Condition::AnythingBut(vec![one.clone()])),
        ("numeric", Value::Array(list)) => numeric(list)
            .map(Condition::Numeric)
            .ok_or_else(|| format!("\"{name}\": numeric needs pairs of a comparison and a number")),
        _ => Err(format!(
            "\"{name}\": unrecognized match type {key}, or one that is not built"
        )),
    }
}

fn numeric(list: &[Value]) -> Option<Vec<(Comparison, f64)>> {
    let pair = |pair: &[Value]| {
        let comparison = match pair.first()?.as_str()? {
            "=" => Comparison::Equal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        Some((comparison, pair.get(1)?.as_f64()?))
    };
    list.chunks(2).map(pair).collect()
}

/// Whether a value (or one of an array's) fits one of the conditions.
fn fits(value: Option<&Value>, conditions: &[Condition]) -> bool {
    let values: &[Value] = match value {
        None => return conditions.contains(&Condition::Exists(false)),
        Some(Value::Array(list)) => list,
        Some(one) => std::slice::from_ref(one),
    };
    values
        .iter()
        .any(|value| conditions.iter().any(|c| holds(c, value)))
}

fn holds(condition: &Condition, value: &Value) -> bool {
    let text = value.as_str();
    let same = |wanted: &Value| match (wanted.as_f64(), value.as_f64()) {
        (Some(wanted), Some(value)) => wanted == value,
        _ => wanted == value,
    };
    match condition {
        Condition::Is(wanted) => same(wanted),
        Condition::Prefix(prefix) => text.is_some_and(|t| t.starts_with(prefix)),
        Condition::Suffix(suffix) => text.is_some_and(|t| t.ends_with(suffix)),
        Condition::IgnoreCase(wanted) => text.is_some_and(|t| t.to_lowercase() == *wanted),
        Condition::AnythingBut(list) => !list.iter().any(same),
        Condition::AnythingButPrefix(prefix) => text.is_some_and(|t| !t.starts_with(prefix)),
        Condition::Exists(wanted) => *wanted,
        Condition::Numeric(all) => value.as_f64().is_some_and(|value| {
            all.iter().all(|(comparison, bound)| match comparison {
                Comparison::Equal => value == *bound,
                Comparison::Less => value < *bound,
                Comparison::LessOrEqual => value <= *bound,
                Comparison::Greater => value > *bound,
                Comparison::GreaterOrEqual => value >= *bound,
            })
        }),
    }
}

fn value_of(attribute: &MessageAttribute) -> Value {
    let text = || Value::from(attribute.value.clone());
    match attribute.data_type.as_str() {
        "Number" => attribute
            .value
            .parse::<f64>()
            .map_or_else(|_| text(), Value::from),
        "String.Array" => serde_json::from_str(&attribute.value).unwrap_or_else(|_| text()),
        _ => text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_matched() {
        let attribute = |data_type: &str, value: &str| MessageAttribute {
            data_type: data_type.to_owned(),
            value: value.to_owned(),
        };
        let attributes: BTreeMap<_, _> = [
            ("store".to_owned(), attribute("String", "Example_Corp")),
            ("price".to_owned(), attribute("Number", "210.75")),
            ("tags".to_owned(), attribute("String.Array", r#"["a","b"]"#)),
        ]
        .into();
        for (policy, wanted) in [
            (r#"{"store":["example_corp","Example_Corp"]}"#, true),
            (r#"{"store":["other"]}"#, false),
            (
                r#"{"store":[{"prefix":"Ex"}],"price":[{"numeric":[">",100,"<=",210.75]}]}"#,
                true,
            ),
            (r#"{"price":[{"numeric":["<",100]}]}"#, false),
            (r#"{"price":[210.75]}"#, true),
            (r#"{"store":[{"anything-but":["Example_Corp"]}]}"#, false),
            (r#"{"store":[{"anything-but":{"prefix":"X"}}]}"#, true),
            (r#"{"store":[{"equals-ignore-case":"EXAMPLE_CORP"}]}"#, true),
            (r#"{"store":[{"suffix":"Corp"}]}"#, true),
            (r#"{"tags":["b"]}"#, true),
            (r#"{"none":[{"exists":false}]}"#, true),
            (r#"{"none":["x"]}"#, false),
            ("{}", true),
        ] {
            let filter = compile(policy, false).unwrap();
            assert_eq!(filter.wants_attributes(&attributes), wanted, "{policy}");
        }
    }

    #[test]
    fn bodies_are_matched_and_the_rest_refused() {
        let filter = compile(r#"{"approval":{"stage":["Prod"]}}"#, true).unwrap();
        assert!(filter.wants_body(r#"{"approval":{"stage":"Prod"}}"#));
        assert!(!filter.wants_body(r#"{"approval":{"stage":"Test"}}"#));
        assert!(!filter.wants_body("text"));
        for bad in [
            "[]",
            r#"{"a":"b"}"#,
            r#"{"a":[{"cidr":"10.0.0.0/8"}]}"#,
            r#"{"$or":[]}"#,
            r#"{"a":{"b":["c"]}}"#,
        ] {
            assert!(compile(bad, false).is_err(), "{bad}");
        }
    }
}
