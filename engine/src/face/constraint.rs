//! Requests of JSON faces against the constraints of their service's model.

use engine_plan::{check::drop_nulls, refusal::Refusal};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use engine_plan::model::{
    Member, Pattern, Shape, Text, broken, list, matching, optional, refusal, required, text,
};

/// Checks a request body against its members; unknown members are ignored, as AWS does.
///
/// # Errors
/// What cannot be read (`SerializationException`), or all broken constraints in one `ValidationException`.
pub fn check(body: &Value, members: &'static [Member]) -> Result<(), Refusal> {
    match refusal(&broken(&Shape::Struct(members), body, "", false)) {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }
}

/// The request behind a body that fits the model.
///
/// # Errors
/// As [`check`].
pub fn read<T: DeserializeOwned>(
    mut body: Value,
    members: &'static [Member],
) -> Result<T, Refusal> {
    drop_nulls(&mut body);
    check(&body, members)?;
    serde_json::from_value(body)
        .map_err(|error| Refusal::new("SerializationException", error.to_string()))
}
