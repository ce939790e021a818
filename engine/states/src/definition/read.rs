//! JSON text to definition.

use serde_json::Value;

use super::{
    Definition, Flow, Language, Type,
    fields::{Fields, Findings},
    task::express,
};
use crate::{
    diagnostic::{Diagnostic, NO_JSON, Refused, SCHEMA, Severity},
    limit,
};

/// What the readers share.
pub struct Reader {
    pub flows: Vec<Option<Flow>>,
    pub findings: Findings,
    pub language: Language,
    pub kind: Type,
    /// Flows inside each other; the JSON reader stops far deeper.
    pub depth: usize,
}

/// Reads and checks a definition.
///
/// # Errors
/// Every finding, the first one first.
pub fn parse(text: &str, kind: Type) -> Result<Definition, Refused> {
    let value = json(text).map_err(|d| Refused(vec![d]))?;
    let mut reader = Reader::new(kind);
    reader.machine(&value)
}

/// Reads one state alone, as TestState takes it: a machine of that state, whose targets need not exist.
///
/// # Errors
/// As [`parse`].
pub fn parse_state(text: &str, name: &str) -> Result<Definition, Refused> {
    let value = json(text).map_err(|d| Refused(vec![d]))?;
    let mut states = serde_json::Map::new();
    let mut targets = Vec::new();
    collect_targets(&value, &mut targets);
    states.insert(name.to_owned(), value);
    for target in targets {
        states
            .entry(target)
            .or_insert_with(|| serde_json::json!({"Type": "Succeed"}));
    }
    let machine = serde_json::json!({"StartAt": name, "States": states});
    let mut reader = Reader::new(Type::Standard);
    let result = reader.machine(&machine);
    result.map_err(|Refused(found)| {
        let prefix = format!("/States/{name}");
        let reach = |d: &Diagnostic| d.message.contains("is not reachable");
        Refused(
            found
                .into_iter()
                .filter(|d| !reach(d))
                .map(|d| Diagnostic {
                    location: d.location.map(|l| {
                        l.strip_prefix(&prefix).map_or(l.clone(), |rest| {
                            if rest.is_empty() {
                                "/".to_owned()
                            } else {
                                rest.to_owned()
                            }
                        })
                    }),
                    ..d
                })
                .collect(),
        )
    })
}

fn collect_targets(state: &Value, targets: &mut Vec<String>) {
    let mut add =
        |value: Option<&Value>| targets.extend(value.and_then(Value::as_str).map(str::to_owned));
    add(state.get("Next"));
    add(state.get("Default"));
    for list in ["Choices", "Catch"] {
        for entry in state
            .get(list)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            add(entry.get("Next"));
        }
    }
}

fn json(text: &str) -> Result<Value, Diagnostic> {
    let plain = |message: String, code, location| Diagnostic {
        severity: Severity::Error,
        code,
        message,
        location,
    };
    if text.len() > limit::DEFINITION_BYTES {
        return Err(plain(
            format!("Definition exceeds {} bytes", limit::DEFINITION_BYTES),
            SCHEMA,
            None,
        ));
    }
    let no_object = || {
        plain(
            "Definition must be a valid JSON object".to_owned(),
            SCHEMA,
            None,
        )
    };
    if text.trim().is_empty() {
        return Err(no_object());
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(no_object()),
        Err(error) => {
            let trimmed = text.trim_start();
            let word: String = trimmed
                .chars()
                .take_while(|c| c.is_alphanumeric())
                .collect();
            let shown: String = text.chars().take(500).collect();
            let (what, line, column) = if word.is_empty() || error.column() > word.len() + 1 {
                (error.to_string(), error.line(), error.column())
            } else {
                let what = format!(
                    "Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or token 'null', \
                     'true' or 'false')"
                );
                (what, 1, text.len() - trimmed.len() + word.len() + 1)
            };
            let source = format!("[Source: (String)\"{shown}\"; line: {line}, column: {column}]");
            Err(plain(
                format!("{what}\n at {source}"),
                NO_JSON,
                Some(source),
            ))
        }
    }
}

impl Reader {
    fn new(kind: Type) -> Self {
        Self {
            flows: Vec::new(),
            findings: Vec::new(),
            language: Language::JsonPath,
            kind,
            depth: 0,
        }
    }

    fn machine(&mut self, value: &Value) -> Result<Definition, Refused> {
        let mut timeout = None;
        if let Some(mut fields) = Fields::new(value, String::new(), &mut self.findings) {
            fields.text("Comment", &mut self.findings);
            fields.text("Version", &mut self.findings);
            timeout = fields.whole(
                "TimeoutSeconds",
                1,
                limit::TIMEOUT_SECONDS,
                &mut self.findings,
            );
            if let Some(language) = self.query_language(&mut fields) {
                self.language = language;
            }
            self.flow(fields);
        }
        if self.kind == Type::Express && self.findings.is_empty() {
            express(&self.flows, &mut self.findings);
        }
        if self.findings.iter().any(|d| d.severity == Severity::Error) {
            return Err(Refused(std::mem::take(&mut self.findings)));
        }
        Ok(Definition {
            flows: self.flows.drain(..).flatten().collect(),
            timeout,
        })
    }

    pub fn query_language(&mut self, fields: &mut Fields<'_>) -> Option<Language> {
        match fields.text("QueryLanguage", &mut self.findings)? {
            "JSONPath" => Some(Language::JsonPath),
            "JSONata" => Some(Language::Jsonata),
            other => {
                let message = format!("Value is not one of [JSONPath, JSONata]: {other}");
                fields.bad("QueryLanguage", message, &mut self.findings);
                None
            }
        }
    }
}
