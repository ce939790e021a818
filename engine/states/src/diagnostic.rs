//! What is wrong with a definition, as ValidateStateMachineDefinition and CreateStateMachine say it.

use std::fmt;

use serde::Serialize;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// `ERROR` or `WARNING`
    pub severity: Severity,
    /// `SCHEMA_VALIDATION_FAILED`, …
    pub code: &'static str,
    /// AWS's text where it is known.
    pub message: String,
    /// A JSON pointer into the definition; none when it is no JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// Whether a definition with this finding can be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can.
    Warning,
}

/// A field that is missing, unknown, of the wrong type, or out of bounds.
pub const SCHEMA: &str = "SCHEMA_VALIDATION_FAILED";
/// Text that is no JSON.
pub const NO_JSON: &str = "INVALID_JSON_DESCRIPTION";
/// `Next`, `Default`, `StartAt` to a state that is not there, or a state nothing leads to.
pub const TARGET: &str = "MISSING_TRANSITION_TARGET";
/// Two states of one name.
pub const DUPLICATE: &str = "DUPLICATE_STATE_NAME";

impl Diagnostic {
    /// A finding that refuses the definition.
    pub fn error(
        code: &'static str,
        message: impl Into<String>,
        location: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            location: Some(location.into()),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        match &self.location {
            Some(location) => write!(f, " at {location}"),
            None => Ok(()),
        }
    }
}

/// A refused definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid State Machine Definition: '{}'", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
pub struct Refused(pub Vec<Diagnostic>);
