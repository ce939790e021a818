//! One SNS message as a subscribed function gets it, reduced to what is believed and used.

/// A message and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnsDelivery {
    /// The topic it was published to.
    pub topic_arn: String,
    /// The same for every delivery of one message.
    pub message_id: String,
    /// What was published. May hold an approval token: not to be logged.
    pub message: crate::secret::Secret,
}

impl SnsDelivery {
    /// The topic's region, where the ARN has one.
    pub fn region(&self) -> Option<&str> {
        self.topic_arn.split(':').nth(3).filter(|r| !r.is_empty())
    }

    /// The topic's account, where the ARN has one.
    pub fn account(&self) -> Option<&str> {
        self.topic_arn.split(':').nth(4).filter(|a| !a.is_empty())
    }
}
