//! Values from the fields of a state.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    definition::{Amount, ResultPath, Select},
    env::Env,
    jsonata::Query,
    trouble::Trouble,
};

/// JSONata gave another type than the field takes.
pub(crate) fn wrong_type(query: &Query, field: &str, wanted: &str, value: &Value) -> Trouble {
    Trouble::Query {
        cause: format!(
            "The JSONata expression '{}' specified for the field '{field}' returned an unexpected result type. Expected \
             '{wanted}', but was '{}' for value: {value}",
            query.source(),
            type_name(value)
        ),
        field: field.to_owned(),
    }
}

const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl Select {
    /// `InputPath`, `OutputPath`, `ItemsPath`.
    pub(crate) fn apply<'a>(&self, env: &'a Env<'_>) -> Result<Cow<'a, Value>, Trouble> {
        match self {
            Self::Whole => Ok(Cow::Borrowed(env.input)),
            Self::Nothing => Ok(Cow::Owned(Value::Object(serde_json::Map::new()))),
            Self::Path(path) => path
                .get(env)
                .map_err(|e| Trouble::Runtime(format!("Invalid path '{}' : {e}", path.source()))),
        }
    }
}

impl ResultPath {
    /// Puts a result where it belongs in the raw input.
    pub(crate) fn apply(&self, input: &Value, result: Value) -> Result<Value, Trouble> {
        match self {
            Self::Whole => Ok(result),
            Self::Nothing => Ok(input.clone()),
            Self::At(path) => {
                let mut out = input.clone();
                if path.put(&mut out, result) {
                    Ok(out)
                } else {
                    Err(Trouble::ResultPath(format!(
                        "Unable to apply ReferencePath {} to input {input}",
                        path.source()
                    )))
                }
            }
        }
    }
}

impl Amount {
    /// A whole number that is not negative.
    pub(crate) fn whole(&self, env: &Env<'_>) -> Result<u64, Trouble> {
        let number = match self {
            Self::Fixed(number) => return Ok(floor(*number)),
            Self::Query { query, field } => {
                let value = query.evaluate(env, field)?;
                value
                    .as_f64()
                    .filter(|n| n.fract() == 0.0 && *n >= 0.0)
                    .ok_or_else(|| wrong_type(query, field, "integer", &value))?
            }
            Self::Path { path, field } => {
                let value = path.get(env).map_err(|e| {
                    Trouble::Runtime(format!("Invalid path '{}' : {e}", path.source()))
                })?;
                let number = value.as_f64().filter(|n| n.fract() == 0.0).ok_or_else(|| {
                    let shown = match &*value {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    Trouble::Runtime(format!(
                        "The {field} field refers to value \"{shown}\" which is not a valid integer: {}",
                        path.source()
                    ))
                })?;
                if number < 0.0 {
                    let name = field.trim_end_matches("Path");
                    return Err(Trouble::Runtime(format!("{name} cannot be negative.")));
                }
                number
            }
        };
        Ok(floor(number))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole and not negative"
)]
const fn floor(number: f64) -> u64 {
    number as u64
}
