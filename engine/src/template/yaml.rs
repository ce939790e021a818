//! YAML to JSON: CloudFormation's short forms become their long ones.

use serde_json::{Map, Value, json};

use super::{Problem, problem};

/// YAML to JSON; CloudFormation's short forms (`!Ref X`) become their long ones.
///
/// # Errors
/// Keys that are not texts, numbers JSON has not, unknown tags.
pub fn from_yaml(value: yaml_serde::Value) -> Result<Value, Problem> {
    use yaml_serde::Value as Yaml;
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(b) => Value::Bool(b),
        Yaml::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (Some(i), _, _) => json!(i),
            (_, Some(u), _) => json!(u),
            (_, _, Some(f)) => json!(f),
            _ => return problem("a number that JSON cannot hold"),
        },
        Yaml::String(s) => Value::String(s),
        Yaml::Sequence(items) => {
            Value::Array(items.into_iter().map(from_yaml).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let key = match key {
                    Yaml::String(s) => s,
                    Yaml::Number(n) => n.to_string(),
                    Yaml::Bool(b) => b.to_string(),
                    _ => return problem("a key that is not a text"),
                };
                map.insert(key, from_yaml(value)?);
            }
            Value::Object(map)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!');
            let inner = from_yaml(tagged.value)?;
            match name {
                "Ref" | "Condition" => json!({ name: inner }),
                "GetAtt" => match inner {
                    Value::String(s) => {
                        let (resource, attribute) = s.split_once('.').unwrap_or((&s, ""));
                        json!({"Fn::GetAtt": [resource, attribute]})
                    }
                    other => json!({"Fn::GetAtt": other}),
                },
                "Sub" | "Join" | "Select" | "Split" | "If" | "Equals" | "And" | "Or" | "Not"
                | "FindInMap" | "ImportValue" | "Base64" | "GetAZs" | "Cidr" | "ToJsonString"
                | "Length" | "Transform" => {
                    json!({ (format!("Fn::{name}")): inner })
                }
                _ => return problem(format!("unknown tag !{name}")),
            }
        }
    })
}
