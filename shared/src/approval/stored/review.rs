//! Reviews as they are written down.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::approval::{
    review::{Closed, Review},
    rules::PersonId,
};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredReview {
    of: String,
    reason: String,
    group: String,
    by: Vec<String>,
    opened_at: Timestamp,
    due_at: Timestamp,
    #[serde(default)]
    overdue: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed: Option<StoredClosed>,
}

#[derive(Serialize, Deserialize)]
struct StoredClosed {
    by: String,
    finding: String,
    at: Timestamp,
}

impl From<&Review> for StoredReview {
    fn from(review: &Review) -> Self {
        Self {
            of: review.of.to_string(),
            reason: review.reason.clone(),
            group: review.group.clone(),
            by: review.by.iter().map(ToString::to_string).collect(),
            opened_at: review.opened_at,
            due_at: review.due_at,
            overdue: review.overdue,
            closed: review.closed.as_ref().map(|closed| StoredClosed {
                by: closed.by.to_string(),
                finding: closed.finding.clone(),
                at: closed.at,
            }),
        }
    }
}

impl From<StoredReview> for Review {
    fn from(review: StoredReview) -> Self {
        Self {
            of: PersonId::stored(review.of),
            reason: review.reason,
            group: review.group,
            by: review.by.into_iter().map(PersonId::stored).collect(),
            opened_at: review.opened_at,
            due_at: review.due_at,
            overdue: review.overdue,
            closed: review.closed.map(|closed| Closed {
                by: PersonId::stored(closed.by),
                finding: closed.finding,
                at: closed.at,
            }),
        }
    }
}
