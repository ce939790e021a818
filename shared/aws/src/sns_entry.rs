//! SNS events at the door: from Lambda's JSON to deliveries.

use aws_lambda_events::event::sns::SnsEvent;
use serde_json::Value;
use shared::{secret::Secret, wire::sns::SnsDelivery};

/// Why an event is not one of SNS. Holds none of its values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnsEventError {
    /// Another shape.
    #[error("the event is not one of SNS: subscribe this function to a topic")]
    Shape,
    /// A record that another service wrote.
    #[error("a record of the event does not come from SNS")]
    Source,
}

/// The messages of an event, in order.
///
/// # Errors
/// When it is not an event that SNS sends to a subscribed function.
pub fn deliveries(event: Value) -> Result<Vec<SnsDelivery>, SnsEventError> {
    let event: SnsEvent = serde_json::from_value(event).map_err(|_| SnsEventError::Shape)?;
    event
        .records
        .into_iter()
        .map(|record| {
            if record.event_source != "aws:sns" || record.sns.sns_message_type != "Notification" {
                return Err(SnsEventError::Source);
            }
            Ok(SnsDelivery {
                topic_arn: record.sns.topic_arn,
                message_id: record.sns.message_id,
                message: Secret::new(record.sns.message),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = include_str!("../events/sns-approval.json");

    #[test]
    fn only_sns_events_are_taken() {
        let good: Value = serde_json::from_str(EVENT).unwrap();
        let all = deliveries(good.clone()).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].region(), Some("eu-west-1"));
        let mut other = good;
        other["Records"][0]["EventSource"] = "aws:sqs".into();
        assert_eq!(deliveries(other), Err(SnsEventError::Source));
        let none = serde_json::json!({"version": "2.0"});
        assert_eq!(deliveries(none), Err(SnsEventError::Shape));
    }
}
