//! What a target gets: the event, a part of it, a constant, or a template filled from it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{path::JsonPath, target::Target};

/// Placeholders that need no path.
const RESERVED: [&str; 5] = [
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
];

/// How the input of a target is made.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The matched event.
    Event,
    /// Always this.
    Constant(String),
    /// This part of the event.
    Path(JsonPath),
    /// A text with placeholders.
    Template(Template),
}

/// A checked `InputTransformer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    paths: BTreeMap<String, JsonPath>,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Placeholder { name: String, in_quotes: bool },
}

/// What a template may tell beside the event.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The matched event.
    pub event: &'a Value,
    /// ARN of the rule.
    pub rule_arn: &'a str,
    /// Name of the rule.
    pub rule_name: &'a str,
    /// When the event came in, ISO 8601.
    pub ingestion_time: &'a str,
}

/// Why a target's input is refused; the text follows `Parameter … is not valid. Reason: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// More than one of the three.
    #[error("Only one of Input, InputPath, or InputTransformer must be provided for target {0}.")]
    Several(String),
    /// A constant that is no JSON.
    #[error("JSON syntax error in input for target {0}")]
    NoJson(String),
    /// A path that cannot be read.
    #[error("Invalid InputPath for target {target} : {path}")]
    Path {
        /// Its target.
        target: String,
        /// The path.
        path: String,
    },
    /// A name that AWS keeps for itself.
    #[error("InputPathsMap of target {0} has a key that begins with AWS")]
    Name(String),
    /// A placeholder without a path.
    #[error(
        "InputTemplate for target {target} contains placeholder {name} without a path in InputPathsMap"
    )]
    Placeholder {
        /// Its target.
        target: String,
        /// The placeholder.
        name: String,
    },
    /// A template that is no JSON even when its placeholders are filled.
    #[error("Invalid InputTemplate for target {target} : {problem}")]
    Template {
        /// Its target.
        target: String,
        /// The parser's words.
        problem: String,
    },
}

impl Input {
    /// Reads the three members of a target of which at most one is set.
    ///
    /// # Errors
    /// See [`InputError`].
    pub fn of(target: &Target) -> Result<Self, InputError> {
        let id = || target.id.clone();
        let path = |text: &str| {
            text.parse().map_err(|_| InputError::Path {
                target: id(),
                path: text.to_owned(),
            })
        };
        match (&target.input, &target.input_path, &target.input_transformer) {
            (None, None, None) => Ok(Self::Event),
            (Some(text), None, None) => match serde_json::from_str::<Value>(text) {
                Ok(_) => Ok(Self::Constant(text.clone())),
                Err(_) => Err(InputError::NoJson(id())),
            },
            (None, Some(text), None) => Ok(Self::Path(path(text)?)),
            (None, None, Some(transformer)) => {
                let mut paths = BTreeMap::new();
                for (name, text) in transformer.input_paths_map.iter().flatten() {
                    if name.to_ascii_lowercase().starts_with("aws") {
                        return Err(InputError::Name(id()));
                    }
                    paths.insert(name.clone(), path(text)?);
                }
                Template::read(&target.id, paths, &transformer.input_template).map(Self::Template)
            }
            _ => Err(InputError::Several(id())),
        }
    }

    /// The text a target gets.
    pub fn render(&self, facts: &Facts<'_>) -> String {
        match self {
            Self::Event => facts.event.to_string(),
            Self::Constant(text) => text.clone(),
            Self::Path(path) => path.find(facts.event).unwrap_or_default().to_string(),
            Self::Template(template) => template.fill(|name| template.value(name, facts)),
        }
    }
}

impl Template {
    fn read(
        target: &str,
        paths: BTreeMap<String, JsonPath>,
        text: &str,
    ) -> Result<Self, InputError> {
        let pieces = pieces(text);
        let named = pieces.iter().filter_map(|piece| match piece {
            Piece::Placeholder { name, .. } => Some(name),
            Piece::Text(_) => None,
        });
        for name in named {
            if !paths.contains_key(name) && !RESERVED.contains(&name.as_str()) {
                return Err(InputError::Placeholder {
                    target: target.to_owned(),
                    name: name.clone(),
                });
            }
        }
        let template = Self { paths, pieces };
        let tried = template.fill(|_| Some(json!("x")));
        // A template of several lines is several texts.
        for value in serde_json::Deserializer::from_str(&tried).into_iter::<Value>() {
            value.map_err(|error| InputError::Template {
                target: target.to_owned(),
                problem: error.to_string(),
            })?;
        }
        Ok(template)
    }

    fn value(&self, name: &str, facts: &Facts<'_>) -> Option<Value> {
        if let Some(path) = self.paths.get(name) {
            return path.find(facts.event);
        }
        Some(match name {
            "aws.events.rule-arn" => json!(facts.rule_arn),
            "aws.events.rule-name" => json!(facts.rule_name),
            "aws.events.event.ingestion-time" => json!(facts.ingestion_time),
            "aws.events.event.json" => facts.event.clone(),
            _ => {
                let mut event = facts.event.clone();
                if let Some(fields) = event.as_object_mut() {
                    fields.remove("detail");
                }
                event
            }
        })
    }

    /// What has no value is `null`, and nothing inside a text (AWS leaves it out, which breaks the JSON).
    fn fill(&self, value: impl Fn(&str) -> Option<Value>) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Placeholder { name, in_quotes } => match (value(name), in_quotes) {
                    (value, false) => out.push_str(&value.unwrap_or_default().to_string()),
                    (None, true) => {}
                    (Some(value), true) => {
                        let text = match value {
                            Value::String(text) => text,
                            other => other.to_string(),
                        };
                        let quoted = Value::from(text).to_string();
                        out.push_str(&quoted[1..quoted.len() - 1]);
                    }
                },
            }
        }
        out
    }
}

fn pieces(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut in_quotes = false;
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        if let Some(name) = placeholder(rest) {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(Piece::Placeholder {
                name: name.to_owned(),
                in_quotes,
            });
            rest = &rest[name.len() + 2..];
            continue;
        }
        let mut length = c.len_utf8();
        match c {
            '"' => in_quotes = !in_quotes,
            '\\' => length += rest[1..].chars().next().map_or(0, char::len_utf8),
            _ => {}
        }
        text.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    pieces.push(Piece::Text(text));
    pieces
}

/// The name of the placeholder that the text begins with.
fn placeholder(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('<')?.split_once('>')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::InputTransformer;

    fn target() -> Target {
        Target {
            id: "t".to_owned(),
            arn: "arn:aws:lambda:eu-west-1:123456789012:function:f".to_owned(),
            ..Target::default()
        }
    }

    fn transformed(paths: &[(&str, &str)], template: &str) -> Result<Input, InputError> {
        let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        Input::of(&Target {
            input_transformer: Some(InputTransformer {
                input_paths_map: Some(paths.iter().map(own).collect()),
                input_template: template.to_owned(),
            }),
            ..target()
        })
    }

    fn rendered(input: &Input) -> String {
        input.render(&Facts {
            event: &json!({"id": "1", "detail": {"state": "FAILED", "n": 7, "q": "say \"no\"", "o": {"a": [1]}}}),
            rule_arn: "arn:rule",
            rule_name: "failures",
            ingestion_time: "2026-01-02T03:04:05Z",
        })
    }

    #[test]
    fn templates_are_filled() {
        let paths = [
            ("state", "$.detail.state"),
            ("n", "$.detail.n"),
            ("q", "$.detail.q"),
            ("o", "$.detail.o"),
            ("none", "$.none"),
        ];
        for (template, expected) in [
            (
                r#"{"s": <state>, "n": <n>, "o": <o>}"#,
                r#"{"s": "FAILED", "n": 7, "o": {"a":[1]}}"#,
            ),
            (
                r#""it is <state>, <n> times""#,
                r#""it is FAILED, 7 times""#,
            ),
            (r#"{"t": "he said <q>"}"#, r#"{"t": "he said say \"no\""}"#),
            (r#"{"t": "\"<state>\""}"#, r#"{"t": "\"FAILED\""}"#),
            (
                r#"{"a": <none>, "b": "-<none>-"}"#,
                r#"{"a": null, "b": "--"}"#,
            ),
            (r#"{"t": "a < b > c"}"#, r#"{"t": "a < b > c"}"#),
            ("\"one <n>\"\n\"two <state>\"", "\"one 7\"\n\"two FAILED\""),
            (
                r#"{"r": <aws.events.rule-arn>, "m": "<aws.events.rule-name>", "i": <aws.events.event.ingestion-time>, "e": <aws.events.event>}"#,
                r#"{"r": "arn:rule", "m": "failures", "i": "2026-01-02T03:04:05Z", "e": {"id":"1"}}"#,
            ),
        ] {
            let input = transformed(&paths, template).unwrap_or_else(|e| panic!("{template}: {e}"));
            assert_eq!(rendered(&input), expected, "{template}");
        }
        let whole = transformed(&[], "<aws.events.event.json>").unwrap();
        assert!(rendered(&whole).contains("\"state\":\"FAILED\""));
    }

    #[test]
    fn the_other_inputs() {
        let with = |input: Option<&str>, path: Option<&str>| {
            Input::of(&Target {
                input: input.map(str::to_owned),
                input_path: path.map(str::to_owned),
                ..target()
            })
        };
        let text = |input: Result<Input, InputError>| {
            input.map(|i| rendered(&i)).map_err(|e| e.to_string())
        };
        assert_eq!(
            text(with(Some(r#"{"a":1}"#), None)),
            Ok(r#"{"a":1}"#.to_owned())
        );
        assert_eq!(
            text(with(None, Some("$.detail.o"))),
            Ok(r#"{"a":[1]}"#.to_owned())
        );
        assert_eq!(text(with(None, Some("$.gone"))), Ok("null".to_owned()));
        assert!(text(with(None, None)).unwrap().contains("FAILED"));
        let refused = |input: Result<Input, InputError>| text(input).unwrap_err();
        assert_eq!(
            refused(with(Some("{"), None)),
            "JSON syntax error in input for target t"
        );
        assert_eq!(
            refused(with(None, Some("detail"))),
            "Invalid InputPath for target t : detail"
        );
        assert_eq!(
            refused(with(Some("1"), Some("$"))),
            "Only one of Input, InputPath, or InputTransformer must be provided for target t."
        );
    }

    #[test]
    fn broken_transformers_are_refused() {
        for (paths, template, expected) in [
            (
                vec![("awsx", "$.a")],
                "<awsx>",
                InputError::Name("t".to_owned()),
            ),
            (
                vec![],
                r#""<gone>""#,
                InputError::Placeholder {
                    target: "t".to_owned(),
                    name: "gone".to_owned(),
                },
            ),
            (
                vec![("a", "a")],
                "<a>",
                InputError::Path {
                    target: "t".to_owned(),
                    path: "a".to_owned(),
                },
            ),
        ] {
            assert_eq!(transformed(&paths, template), Err(expected), "{template}");
        }
        let said = transformed(&[("a", "$.a")], r#"{"x": <a>"#)
            .unwrap_err()
            .to_string();
        assert!(
            said.starts_with("Invalid InputTemplate for target t : EOF"),
            "{said}"
        );
    }
}
