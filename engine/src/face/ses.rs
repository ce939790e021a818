//! SES: version 2 (REST) and the sending operations of version 1 (Query).

use super::{Call, Fault, JsonAnswer, XmlAnswer};
use crate::app::App;

/// Answers one SESv2 request (`/v2/email/…`); refusals are written as JSON.
///
/// # Errors
/// SES's own refusals.
pub async fn call(_app: &App, call: &Call) -> JsonAnswer {
    Err(Fault::not_built("ses", call.uri.path()))
}

/// Answers one SES version 1 request (Query protocol).
///
/// # Errors
/// SES's own refusals.
pub async fn query(_app: &App, call: &Call) -> XmlAnswer {
    Err(Fault::not_built("ses", &call.operation))
}
