//! The history of an execution, with AWS's events.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEvent {
    /// 0 for the execution's own history, else a child execution's.
    pub stream: u32,
    /// Its number in that history, from 1.
    pub id: u64,
    /// The event it follows from, or 0.
    pub previous: u64,
    /// When.
    pub at: Timestamp,
    /// `ExecutionStarted`, …
    pub kind: &'static str,
    /// What belongs to it.
    pub details: Details,
}

/// What belongs to an event. Payloads stay values until they are asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Details {
    /// Nothing.
    None,
    /// `executionStartedEventDetails`
    Started {
        /// The input.
        input: Arc<Value>,
        /// The role.
        role: String,
    },
    /// `stateEnteredEventDetails`
    Entered {
        /// The state.
        name: Arc<str>,
        /// Its raw input.
        input: Arc<Value>,
    },
    /// `stateExitedEventDetails`
    Exited {
        /// The state.
        name: Arc<str>,
        /// Its output.
        output: Arc<Value>,
        /// What it assigned.
        assigned: Option<Arc<Value>>,
    },
    /// An output, with what else belongs to it, under this key.
    Output(&'static str, Map<String, Value>, Arc<Value>),
    /// Error and cause, with what else belongs to them, under this key.
    Failure(
        &'static str,
        Map<String, Value>,
        Option<String>,
        Option<String>,
    ),
    /// Something else, under this key.
    Other(&'static str, Map<String, Value>),
}

impl HistoryEvent {
    /// The state the event is about, if it is about one's beginning or end.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        match &self.details {
            Details::Entered { name, .. } | Details::Exited { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The event as GetExecutionHistory gives it, with or without payloads.
    #[must_use]
    pub fn wire(&self, payloads: bool) -> Value {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 fit a double exactly"
        )]
        let timestamp = self.at.as_millisecond() as f64 / 1000.0;
        let mut event = json!({
            "timestamp": timestamp,
            "type": self.kind,
            "id": self.id,
            "previousEventId": self.previous,
        });
        if let Some((key, details)) = self.details.wire(payloads) {
            event[key] = Value::Object(details);
        }
        event
    }
}

impl Details {
    fn wire(&self, payloads: bool) -> Option<(&'static str, Map<String, Value>)> {
        let mut out = Map::new();
        let payload = |out: &mut Map<String, Value>, name: &str, value: &Value| {
            if payloads {
                out.insert(name.to_owned(), value.to_string().into());
            }
            out.insert(format!("{name}Details"), json!({"truncated": false}));
        };
        let key = match self {
            Self::None => return None,
            Self::Started { input, role } => {
                payload(&mut out, "input", input);
                out.insert("roleArn".to_owned(), role.as_str().into());
                "executionStartedEventDetails"
            }
            Self::Entered { name, input } => {
                out.insert("name".to_owned(), (&**name).into());
                payload(&mut out, "input", input);
                "stateEnteredEventDetails"
            }
            Self::Exited {
                name,
                output,
                assigned,
            } => {
                out.insert("name".to_owned(), (&**name).into());
                payload(&mut out, "output", output);
                if let Some(assigned) = assigned.as_deref().and_then(Value::as_object) {
                    let texts = assigned
                        .iter()
                        .map(|(k, v)| (k.clone(), v.to_string().into()));
                    if payloads {
                        out.insert(
                            "assignedVariables".to_owned(),
                            Value::Object(texts.collect()),
                        );
                    }
                    out.insert(
                        "assignedVariablesDetails".to_owned(),
                        json!({"truncated": false}),
                    );
                }
                "stateExitedEventDetails"
            }
            Self::Output(key, more, output) => {
                out = more.clone();
                payload(&mut out, "output", output);
                key
            }
            Self::Failure(key, more, error, cause) => {
                out = more.clone();
                for (name, text) in [("error", error), ("cause", cause)] {
                    if let Some(text) = text {
                        out.insert(name.to_owned(), text.as_str().into());
                    }
                }
                key
            }
            Self::Other(key, more) => {
                out = more.clone();
                key
            }
        };
        Some((key, out))
    }
}
