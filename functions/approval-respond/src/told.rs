//! What goes into the log.

use shared::approval::{booth::Delivery, request::Record};

/// Logs how far a decision came.
pub fn told(record: &Record, delivery: &Delivery) {
    let (approval, decision) = (&record.request.id, &delivery.decision.id);
    match &delivery.end {
        Ok(state) => {
            tracing::info!(%approval, %decision, state = ?state, "whoever asked was told");
        }
        Err(error) => {
            tracing::error!(%approval, %decision, error = %chain(error), "the decision is recorded but not delivered yet");
        }
    }
}

/// The error and what is behind it, for the log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(&format!(": {source}"));
        next = source.source();
    }
    text
}
