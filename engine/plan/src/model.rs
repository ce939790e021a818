//! The constraints of AWS's service model, checked on JSON: types, lengths, patterns, enums, counts.
//!
//! What is checked is data ([`crate::schema`]); this file walks it and words what is wrong as AWS does.

use serde_json::{Map, Value};

use crate::{check::Finding, refusal::Refusal};

/// What a JSON value must be.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A text of so many characters.
    Text {
        least: usize,
        most: usize,
        pattern: Option<Pattern>,
    },
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// true or false.
    Flag,
    /// A whole number.
    Whole { least: i64, most: i64 },
    /// A list of so many values.
    List {
        of: &'static Kind,
        least: usize,
        most: usize,
    },
    /// A map from texts to texts.
    Map {
        key: &'static Kind,
        value: &'static Kind,
        most: usize,
    },
    /// An object with these members and no others.
    Shape(&'static [Member]),
}

/// One member of a shape.
#[derive(Debug)]
pub(crate) struct Member {
    pub name: &'static str,
    pub kind: &'static Kind,
    pub required: bool,
}

/// A pattern as the model writes it, and what it means.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub text: &'static str,
    pub holds: fn(&str) -> bool,
}

/// A place, in JSON (`stages[1].name`) and as the model's validator writes it (`pipeline.stages.2.member.name`).
#[derive(Debug, Clone)]
pub(crate) struct At {
    pub json: String,
    wire: String,
}

impl At {
    pub(crate) fn root(wire: &str) -> Self {
        Self {
            json: String::new(),
            wire: wire.to_owned(),
        }
    }

    pub(crate) fn field(&self, name: &str) -> Self {
        let dot = if self.json.is_empty() { "" } else { "." };
        Self {
            json: format!("{}{dot}{name}", self.json),
            wire: format!("{}.{name}", self.wire),
        }
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        Self {
            json: format!("{}[{index}]", self.json),
            wire: format!("{}.{}.member", self.wire, index + 1),
        }
    }
}

/// Everything that is wrong with a value, in document order.
pub(crate) fn walk(kind: &Kind, value: &Value, at: &At, found: &mut Vec<Finding>) {
    match (kind, value) {
        (
            Kind::Text {
                least,
                most,
                pattern,
            },
            Value::String(text),
        ) => {
            for rule in text_rules(text, *least, *most, pattern.as_ref()) {
                // free texts are not repeated: they may hold a secret
                let shown = match pattern {
                    Some(_) => format!("Value '{}'", cut(text)),
                    None => "Value".to_owned(),
                };
                found.push(invalid(&shown, at, &rule));
            }
        }
        (Kind::Choice(choices), Value::String(text)) => {
            if !choices.contains(&text.as_str()) {
                let rule = format!(
                    "Member must satisfy enum value set: [{}]",
                    choices.join(", ")
                );
                found.push(invalid(&format!("Value '{}'", cut(text)), at, &rule));
            }
        }
        (Kind::Whole { least, most }, Value::Number(number)) => match number.as_i64() {
            Some(number) if number < *least => {
                let rule = format!("Member must have value greater than or equal to {least}");
                found.push(invalid(&format!("Value '{number}'"), at, &rule));
            }
            Some(number) if number > *most => {
                let rule = format!("Member must have value less than or equal to {most}");
                found.push(invalid(&format!("Value '{number}'"), at, &rule));
            }
            Some(_) => {}
            None => found.push(mistyped(kind, value, at)),
        },
        (Kind::Flag, Value::Bool(_)) => {}
        (Kind::List { of, least, most }, Value::Array(items)) => {
            if let Some(rule) = length_rule(items.len(), *least, *most) {
                found.push(invalid("Value", at, &rule));
            }
            for (index, item) in items.iter().enumerate() {
                walk(of, item, &at.index(index), found);
            }
        }
        (
            Kind::Map {
                key,
                value: kind,
                most,
            },
            Value::Object(entries),
        ) => walk_map((key, kind, *most), entries, at, found),
        (Kind::Shape(members), Value::Object(object)) => walk_shape(members, object, at, found),
        _ => found.push(mistyped(kind, value, at)),
    }
}

fn walk_map(
    (key_kind, value_kind, most): (&Kind, &Kind, usize),
    entries: &Map<String, Value>,
    at: &At,
    found: &mut Vec<Finding>,
) {
    if let Some(rule) = length_rule(entries.len(), 0, most) {
        found.push(invalid("Value", at, &rule));
    }
    for (key, value) in entries {
        // never the value itself: it may be a secret
        let place = At {
            json: at.field(key).json,
            wire: at.wire.clone(),
        };
        if let Kind::Text {
            least,
            most,
            pattern,
        } = key_kind
        {
            let rules = text_rules(key, *least, *most, pattern.as_ref());
            if !rules.is_empty() {
                let rule = format!("Map keys must satisfy constraint: [{}]", rules.join(", "));
                found.push(invalid(&format!("Value '{}'", cut(key)), &place, &rule));
            }
        }
        match (value_kind, value) {
            (
                Kind::Text {
                    least,
                    most,
                    pattern,
                },
                Value::String(text),
            ) => {
                let rules = text_rules(text, *least, *most, pattern.as_ref());
                if !rules.is_empty() {
                    let rule = format!("Map value must satisfy constraint: [{}]", rules.join(", "));
                    found.push(invalid("Value", &place, &rule));
                }
            }
            (Kind::Text { .. }, _) => found.push(mistyped(value_kind, value, &place)),
            _ => walk(value_kind, value, &at.field(key), found),
        }
    }
}

fn walk_shape(members: &[Member], object: &Map<String, Value>, at: &At, found: &mut Vec<Finding>) {
    for member in members {
        let at = at.field(member.name);
        match object.get(member.name) {
            Some(value) => walk(member.kind, value, &at, found),
            None if member.required => {
                let mut finding = invalid("Value", &at, "Member must not be null");
                finding.hint = Some(format!("add the member `{}`", member.name));
                found.push(finding);
            }
            None => {}
        }
    }
    for name in object.keys() {
        if !members.iter().any(|member| member.name == name) {
            let names: Vec<_> = members.iter().map(|member| member.name).collect();
            found.push(Finding {
                refusal: Refusal::new(
                    "ValidationException",
                    // the SDKs' words: the service ignores what it does not know
                    format!(
                        "Unknown parameter in {}: \"{name}\", must be one of: {}",
                        at.wire,
                        names.join(", ")
                    ),
                ),
                place: at.field(name).json,
                hint: Some(format!(
                    "`{name}` is not a member here; check spelling and place"
                )),
            });
        }
    }
}

fn text_rules(text: &str, least: usize, most: usize, pattern: Option<&Pattern>) -> Vec<String> {
    let mut rules: Vec<_> = length_rule(text.chars().count(), least, most)
        .into_iter()
        .collect();
    if let Some(pattern) = pattern
        && !(pattern.holds)(text)
    {
        rules.push(format!(
            "Member must satisfy regular expression pattern: {}",
            pattern.text
        ));
    }
    rules
}

fn length_rule(length: usize, least: usize, most: usize) -> Option<String> {
    if length < least {
        return Some(format!(
            "Member must have length greater than or equal to {least}"
        ));
    }
    (length > most).then(|| format!("Member must have length less than or equal to {most}"))
}

fn invalid(value: &str, at: &At, rule: &str) -> Finding {
    Finding {
        refusal: Refusal::new(
            "ValidationException",
            format!(
                "1 validation error detected: {value} at '{}' failed to satisfy constraint: {rule}",
                at.wire
            ),
        ),
        place: at.json.clone(),
        hint: None,
    }
}

/// The service's JSON reader has these words; it does not name the place, we do.
fn mistyped(kind: &Kind, value: &Value, at: &At) -> Finding {
    let wanted = match kind {
        Kind::Text { .. } | Kind::Choice(_) => "a String",
        Kind::Whole { .. } => "an Integer",
        Kind::Flag => "a Boolean",
        Kind::List { .. } => "a list",
        Kind::Map { .. } => "a map",
        Kind::Shape(_) => "a structure",
    };
    let message = match value {
        Value::Array(_) => "Start of list found where not expected".to_owned(),
        Value::Object(_) => "Start of structure or map found where not expected.".to_owned(),
        Value::String(_) => format!("STRING_VALUE can not be converted to {wanted}"),
        Value::Number(_) => format!("NUMBER_VALUE can not be converted to {wanted}"),
        Value::Bool(true) => format!("TRUE_VALUE can not be converted to {wanted}"),
        Value::Bool(false) => format!("FALSE_VALUE can not be converted to {wanted}"),
        Value::Null => format!("NULL_VALUE can not be converted to {wanted}"),
    };
    let hint = match (kind, value) {
        (Kind::Text { .. }, Value::Bool(_) | Value::Number(_)) => {
            "put the value in quotes: it must be a text".to_owned()
        }
        _ => format!("this must be {wanted}"),
    };
    Finding {
        refusal: Refusal::new("SerializationException", message),
        place: at.json.clone(),
        hint: Some(hint),
    }
}

/// Long values are not repeated whole.
fn cut(text: &str) -> String {
    if text.chars().count() <= 200 {
        text.to_owned()
    } else {
        text.chars().take(200).chain("...".chars()).collect()
    }
}
