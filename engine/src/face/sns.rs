//! SNS, Query protocol.

use super::{Call, Fault, XmlAnswer};
use crate::app::App;

/// Answers one request.
///
/// # Errors
/// SNS's own refusals.
pub async fn call(_app: &App, call: &Call) -> XmlAnswer {
    Err(Fault::not_built("sns", &call.operation))
}
