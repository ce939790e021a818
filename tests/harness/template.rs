//! Templates of `infra/` as data: YAML with its short forms made long, parameters by their defaults.

use std::{collections::BTreeSet, fs};

use serde_json::{Map, Value, json};

use crate::workspace::root;

/// A template of `infra/`.
pub fn template(name: &str) -> Value {
    let text = fs::read_to_string(root().join("infra").join(name)).expect("a template");
    json(yaml_serde::from_str(&text).expect("a template is YAML"))
}

fn json(value: yaml_serde::Value) -> Value {
    use yaml_serde::Value as Yaml;
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(b) => b.into(),
        Yaml::Number(n) => n.as_i64().map_or(Value::Null, Value::from),
        Yaml::String(s) => s.into(),
        Yaml::Sequence(items) => items.into_iter().map(json).collect(),
        Yaml::Mapping(entries) => entries
            .into_iter()
            .map(|(key, value)| {
                let key = key.as_str().expect("keys are texts").to_owned();
                (key, json(value))
            })
            .collect::<Map<_, _>>()
            .into(),
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let inner = json(tagged.value);
            match (tag.trim_start_matches('!'), &inner) {
                ("Ref", _) => json!({"Ref": inner}),
                ("Condition", _) => json!({"Condition": inner}),
                ("GetAtt", Value::String(at)) => {
                    json!({"Fn::GetAtt": at.split('.').collect::<Vec<_>>()})
                }
                (name, _) => json!({ (format!("Fn::{name}")): inner }),
            }
        }
    }
}

/// Values behind `Fn::If` as if every condition held, `Ref` and `Fn::Sub` as texts that name what they mean.
pub fn resolved(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            if let Some(arms) = map.get("Fn::If") {
                return resolved(&arms[1]);
            }
            if let Some(name) = map.get("Ref") {
                return name.clone();
            }
            if let Some(at) = map.get("Fn::GetAtt") {
                let parts: Vec<&str> = at
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                return parts.join(".").into();
            }
            if let Some(text) = map.get("Fn::Sub") {
                return text.clone();
            }
            map.iter()
                .map(|(key, inner)| (key.clone(), resolved(inner)))
                .collect::<Map<_, _>>()
                .into()
        }
        Value::Array(items) => items.iter().map(resolved).collect(),
        other => other.clone(),
    }
}

/// What a role of a template may do, conditions taken as if they held.
pub fn granted(template: &Value, role: &str) -> BTreeSet<String> {
    let policies = resolved(&template["Resources"][role]["Properties"]["Policies"]);
    let statements = policies.as_array().into_iter().flatten();
    statements
        .flat_map(|policy| {
            policy["PolicyDocument"]["Statement"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .flat_map(|statement| match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            one => vec![one.clone()],
        })
        .filter_map(|action| action.as_str().map(str::to_owned))
        .collect()
}

/// `action-run-task` as a logical id: `ActionRunTask`.
pub fn logical_id(function: &str) -> String {
    function
        .split('-')
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        })
        .collect()
}
