//! The service model as an oracle: every reply has its output shape, every refusal is one the operation may give.

use std::fs;

use serde_json::{Map, Value};

use super::folder;

/// `model.json`.
#[derive(Debug)]
pub struct Model {
    all: Value,
}

impl Model {
    /// Reads the file.
    ///
    /// # Panics
    /// When it is missing or no JSON.
    pub fn load() -> Self {
        let text = fs::read_to_string(folder().join("model.json")).expect("model.json");
        Self {
            all: serde_json::from_str(&text).expect("model.json is JSON"),
        }
    }

    /// Names of the operations.
    pub fn operations(&self) -> impl Iterator<Item = &String> {
        self.all["operations"]
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
    }

    /// Name of an operation's input shape.
    pub fn input(&self, operation: &str) -> Option<&str> {
        self.all["operations"][operation]["input"].as_str()
    }

    /// A shape: `type`, `members`, `required`, `min`, …
    pub fn shape(&self, name: &str) -> &Value {
        &self.all["shapes"][name]
    }

    /// What is wrong with a reply to this operation.
    pub fn judge(&self, operation: &str, status: u16, reply: &Value) -> Option<String> {
        let known = &self.all["operations"][operation];
        if known.is_null() {
            return None;
        }
        if status == 200 {
            return match known["output"].as_str() {
                Some(output) => self.fits(output, reply, output),
                None if reply.is_null() || *reply == serde_json::json!({}) => None,
                None => Some(format!("{operation} has no output, got {reply}")),
            };
        }
        let kind = reply["__type"].as_str().unwrap_or_default();
        let listed = known["errors"].as_array().into_iter().flatten();
        let general = [
            "ValidationException",
            "SerializationException",
            "NotImplementedException",
        ];
        if general.contains(&kind) || listed.clone().any(|it| it == kind) {
            return None;
        }
        // Chosen readings where the model lists nothing: docs/semantics.md names them.
        let chosen = [
            ("UpdatePipeline", "ResourceNotFoundException"),
            ("CreateCustomActionType", "ActionTypeAlreadyExistsException"),
            ("PollForJobs", "ValidationException"),
        ];
        if chosen.contains(&(operation, kind)) {
            return None;
        }
        let names: Vec<_> = listed.filter_map(Value::as_str).collect();
        Some(format!(
            "{operation} may not answer {kind}, only {}",
            names.join(", ")
        ))
    }

    fn fits(&self, shape: &str, value: &Value, at: &str) -> Option<String> {
        let known = self.shape(shape);
        let no = |what: &str| Some(format!("`{at}` ({shape}): {what}: {value}"));
        match known["type"].as_str().unwrap_or_default() {
            "structure" => {
                let Some(object) = value.as_object() else {
                    return no("no structure");
                };
                let members = &known["members"];
                for name in known["required"].as_array().into_iter().flatten() {
                    if !object.contains_key(name.as_str().unwrap_or_default()) {
                        return no(&format!("the required {name} is absent"));
                    }
                }
                object.iter().find_map(|(name, value)| {
                    // `revision` of job artifacts is null on AWS too
                    if value.is_null() && name == "revision" {
                        return None;
                    }
                    match members[name].as_str() {
                        Some(shape) => self.fits(shape, value, &format!("{at}.{name}")),
                        None => no(&format!("`{name}` is no member")),
                    }
                })
            }
            "list" => {
                let Some(items) = value.as_array() else {
                    return no("no list");
                };
                let shape = known["member"].as_str().unwrap_or_default();
                let mut items = items.iter().enumerate();
                items.find_map(|(n, item)| self.fits(shape, item, &format!("{at}.{n}")))
            }
            "map" => {
                let Some(entries) = value.as_object() else {
                    return no("no map");
                };
                let shape = known["value"].as_str().unwrap_or_default();
                let mut entries = entries.iter();
                entries.find_map(|(key, item)| self.fits(shape, item, &format!("{at}.{key}")))
            }
            "string" => {
                let Some(text) = value.as_str() else {
                    return no("no string");
                };
                let choices = known["enum"].as_array();
                if choices.is_some_and(|all| all.iter().all(|it| it != text)) {
                    return no("not in the enum");
                }
                let length = text.chars().count() as u64;
                let bound = |name: &str, or: u64| known[name].as_u64().unwrap_or(or);
                if length < bound("min", 0) || length > bound("max", u64::MAX) {
                    return no("too short or too long");
                }
                None
            }
            "integer" | "long" if value.as_i64().is_none() => no("no whole number"),
            "timestamp" if !value.is_number() => no("no epoch seconds"),
            "boolean" if !value.is_boolean() => no("no boolean"),
            _ => None,
        }
    }
}
