//! Bad input, generated: every member of every operation in the model, changed in every way that the model forbids.

use serde_json::{Map, Value, json};

use super::model::Model;

/// One request that must be refused.
#[derive(Debug)]
pub struct Bad {
    /// What was changed.
    pub title: String,
    /// The request.
    pub request: Value,
    /// Exception.
    pub exception: &'static str,
    /// What its message holds.
    pub says: String,
}

/// A value with its path: in JSON as a pointer, on the wire as the service writes it.
struct Place<'a> {
    pointer: String,
    wire: String,
    shape: &'a str,
    required: bool,
}

/// A request of this operation with all its members, each as the model wants it.
pub fn good(model: &Model, operation: &str) -> Value {
    model
        .input(operation)
        .map_or_else(|| json!({}), |shape| sample(model, shape))
}

/// All the ways in which that request can be wrong in one place.
pub fn bad(model: &Model, operation: &str) -> Vec<Bad> {
    let Some(input) = model.input(operation) else {
        return Vec::new();
    };
    let base = good(model, operation);
    let mut places = Vec::new();
    visit(model, input, "", "", false, &base, &mut places);
    let mut made = Vec::new();
    for place in &places {
        break_place(model, place, &base, &mut made);
    }
    made
}

fn sample(model: &Model, name: &str) -> Value {
    let shape = model.shape(name);
    let part = |part: &str| shape[part].as_str().unwrap_or_default();
    match part("type") {
        "structure" => {
            let members = shape["members"].as_object().into_iter().flatten();
            let members = members.map(|(member, shape)| {
                (
                    member.clone(),
                    sample(model, shape.as_str().unwrap_or_default()),
                )
            });
            Value::Object(members.collect())
        }
        "list" => json!([sample(model, part("member"))]),
        "map" => {
            let key = sample(model, part("key"));
            let mut map = Map::new();
            let key = key.as_str().unwrap_or_default().to_owned();
            map.insert(key, sample(model, part("value")));
            Value::Object(map)
        }
        "integer" => json!(shape["min"].as_i64().unwrap_or(1)),
        "boolean" => json!(true),
        "timestamp" => json!(1.5),
        _ => match shape["enum"].as_array() {
            Some(choices) => choices[0].clone(),
            None => json!(text(name, shape)),
        },
    }
}

/// A text that fits; patterns that are more than a set of characters have theirs here.
fn text(name: &str, shape: &Value) -> String {
    let pattern = shape["pattern"].as_str().unwrap_or_default();
    match (name, pattern) {
        (_, pattern) if pattern.starts_with("[0-9a-f]{8}-") => {
            "00000000-0000-0000-0000-000000000000".to_owned()
        }
        ("RoleArn", _) => "arn:aws:iam::123456789012:role/r".to_owned(),
        ("ResourceArn", _) => "arn:aws:codepipeline:eu-west-1:123456789012:nobody".to_owned(),
        ("LambdaFunctionArn", _) => "arn:aws:lambda:eu-west-1:123456789012:function:f".to_owned(),
        ("ActionTypeOwner", _) => "AWS".to_owned(),
        ("AccountId" | "AllowedAccount", _) => "123456789012".to_owned(),
        ("PipelineName", _) => "nobody".to_owned(),
        _ => "a".repeat(shape["min"].as_u64().unwrap_or(1).max(1) as usize),
    }
}

fn visit<'a>(
    model: &'a Model,
    name: &'a str,
    pointer: &str,
    wire: &str,
    required: bool,
    value: &Value,
    places: &mut Vec<Place<'a>>,
) {
    let shape = model.shape(name);
    let under = |wire: &str, name: &str| {
        if wire.is_empty() {
            name.to_owned()
        } else {
            format!("{wire}.{name}")
        }
    };
    if !pointer.is_empty() {
        places.push(Place {
            pointer: pointer.to_owned(),
            wire: wire.to_owned(),
            shape: name,
            required,
        });
    }
    match shape["type"].as_str().unwrap_or_default() {
        "structure" => {
            let must = shape["required"].as_array();
            for (member, shape) in shape["members"].as_object().into_iter().flatten() {
                let required = must.is_some_and(|must| must.iter().any(|it| it == member));
                let shape = shape.as_str().unwrap_or_default();
                let (pointer, wire) = (format!("{pointer}/{member}"), under(wire, member));
                visit(
                    model,
                    shape,
                    &pointer,
                    &wire,
                    required,
                    &value[member],
                    places,
                );
            }
        }
        "list" => {
            let shape = shape["member"].as_str().unwrap_or_default();
            let (pointer, wire) = (format!("{pointer}/0"), format!("{wire}.1.member"));
            visit(model, shape, &pointer, &wire, false, &value[0], places);
        }
        "map" => {
            let inner = shape["value"].as_str().unwrap_or_default();
            let structure = model.shape(inner)["type"] == "structure";
            for (key, value) in value
                .as_object()
                .into_iter()
                .flatten()
                .filter(|_| structure)
            {
                let (pointer, wire) = (format!("{pointer}/{key}"), under(wire, key));
                visit(model, inner, &pointer, &wire, false, value, places);
            }
        }
        _ => {}
    }
}

fn break_place(model: &Model, place: &Place<'_>, base: &Value, made: &mut Vec<Bad>) {
    let shape = model.shape(place.shape);
    let kind = shape["type"].as_str().unwrap_or_default();
    let mut put = |what: &str, change: Value, exception: &'static str, says: String| {
        let mut request = base.clone();
        if let Some(value) = request.pointer_mut(&place.pointer) {
            *value = change;
        }
        made.push(Bad {
            title: format!("{} {what}", place.pointer),
            request,
            exception,
            says,
        });
    };
    for wrong in [json!("x"), json!(7), json!(true), json!([]), json!({})] {
        let fits = match kind {
            "structure" | "map" => wrong.is_object(),
            "list" => wrong.is_array(),
            "integer" | "timestamp" => wrong.is_number(),
            "boolean" => wrong.is_boolean(),
            _ => wrong.is_string(),
        };
        if !fits {
            put(
                &format!("is {wrong}"),
                wrong,
                "SerializationException",
                String::new(),
            );
        }
    }
    let broken = |rule: &str| {
        (
            "ValidationException",
            format!("at '{}' failed to satisfy constraint: {rule}", place.wire),
        )
    };
    let length = |word: &str, bound: u64| {
        broken(&format!(
            "Member must have length {word} than or equal to {bound}"
        ))
    };
    if place.required {
        let (exception, says) = broken("Member must not be null");
        put(
            "is null",
            Value::Null,
            exception,
            format!("Value null {says}"),
        );
    }
    let bound = |name: &str| shape[name].as_u64();
    match kind {
        "string" => {
            if shape["enum"].is_array() {
                let (exception, says) = broken("Member must satisfy enum value set: [");
                put("is none of the set", json!("none-such"), exception, says);
            }
            if let Some(min) = bound("min").filter(|min| *min > 0) {
                let (exception, says) = length("greater", min);
                put(
                    "is too short",
                    json!("a".repeat(min as usize - 1)),
                    exception,
                    says,
                );
            }
            if let Some(max) = bound("max") {
                let (exception, says) = length("less", max);
                put(
                    "is too long",
                    json!("a".repeat(max as usize + 1)),
                    exception,
                    says,
                );
            }
            if let Some(pattern) = shape["pattern"].as_str() {
                let rule = format!("Member must satisfy regular expression pattern: {pattern}");
                let (exception, says) = broken(&rule);
                put("breaks the pattern", json!("a\n{é}\n"), exception, says);
            }
        }
        "integer" => {
            let value = |word: &str, bound: i64| {
                broken(&format!(
                    "Member must have value {word} than or equal to {bound}"
                ))
            };
            if let Some(min) = shape["min"].as_i64() {
                let (exception, says) = value("greater", min);
                put("is too small", json!(min - 1), exception, says);
            }
            if let Some(max) = shape["max"].as_i64() {
                let (exception, says) = value("less", max);
                put("is too great", json!(max + 1), exception, says);
            }
            put(
                "is a fraction",
                json!(1.5),
                "SerializationException",
                String::new(),
            );
            put(
                "is huge",
                json!(u64::MAX),
                "SerializationException",
                String::new(),
            );
        }
        "list" => {
            if let Some(min) = bound("min").filter(|min| *min > 0) {
                let (exception, says) = length("greater", min);
                put("has too few", json!([]), exception, says);
            }
            if let Some(max) = bound("max") {
                let item = base.pointer(&format!("{}/0", place.pointer));
                let item = item.cloned().unwrap_or_default();
                let (exception, says) = length("less", max);
                put(
                    "has too many",
                    json!(vec![item; max as usize + 1]),
                    exception,
                    says,
                );
            }
        }
        "map" => {
            let key = model.shape(shape["key"].as_str().unwrap_or_default());
            let (exception, says) = broken("Map keys must satisfy constraint: [");
            let value = base.pointer(&place.pointer).and_then(Value::as_object);
            let value = value.and_then(|map| map.values().next()).cloned();
            let value = value.unwrap_or_default();
            if let Some(max) = key["max"].as_u64() {
                let long = "k".repeat(max as usize + 1);
                put("has a long key", json!({long: value}), exception, says);
            } else {
                put("has a bad key", json!({"k\n": value}), exception, says);
            }
            let text = model.shape(shape["value"].as_str().unwrap_or_default());
            let (exception, says) = broken("Map value must satisfy constraint: [");
            if let Some(max) = text["max"].as_u64().filter(|_| text["type"] == "string") {
                let long = "v".repeat(max as usize + 1);
                put("has a long value", json!({"keys": long}), exception, says);
            }
        }
        _ => {}
    }
}

/// Bodies that are no request of any operation.
pub fn garbage() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        "{",
        "}",
        "[]",
        "null",
        "true",
        "7",
        "\"\"",
        "{}}",
        "{\"a\"}",
        "{\"a\":}",
        "{a: 1}",
        "{'a': 1}",
        "\u{feff}{}",
        "{\"a\": 1e999}",
        "{\"a\": \"\\ud800\"}",
        "{\"a\": NaN}",
        "<a/>",
        "a=b&c=d",
        "---\na: b\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    all.push(b"{\"name\": \"\xff\xfe\"}".to_vec());
    all.push(b"\0\0\0\0".to_vec());
    all.push(vec![b'['; 100_000]);
    all.push(b"{\"a\":".repeat(50_000));
    all.push(b"{\"pipeline\":".repeat(200));
    all.push([vec![b' '; 1 << 20], b"[".to_vec()].concat());
    all
}
