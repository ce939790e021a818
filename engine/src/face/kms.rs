//! KMS, JSON 1.1 (`X-Amz-Target: TrentService.…`).

use super::{Call, Fault, JsonAnswer};
use crate::app::App;

/// Answers one operation.
///
/// # Errors
/// KMS's own refusals.
pub async fn call(_app: &App, call: &Call) -> JsonAnswer {
    Err(Fault::not_built("kms", &call.operation))
}
