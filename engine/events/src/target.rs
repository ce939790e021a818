//! Targets of a rule: what they are, and which of them the engine reaches.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `Target` as PutTargets sends it, without the parameters of targets that the engine does not reach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Target {
    /// Its name within the rule.
    pub id: String,
    /// What is called.
    pub arn: String,
    /// Kept and shown, not assumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// A constant instead of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// A part of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_path: Option<String>,
    /// A text made from the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_transformer: Option<InputTransformer>,
    /// Bounds of the retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
}

/// `InputTransformer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InputTransformer {
    /// JSON paths by placeholder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_paths_map: Option<BTreeMap<String, String>>,
    /// The text.
    pub input_template: String,
}

/// `RetryPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RetryPolicy {
    /// 0 to 185.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_retry_attempts: Option<u32>,
    /// 60 to 86,400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_event_age_in_seconds: Option<u32>,
}

/// What stands behind a target's ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A Lambda function: its ARN or name.
    Function(String),
    /// An SNS topic: its ARN.
    Topic(String),
    /// A pipeline: its name.
    Pipeline(String),
}

/// Why a target is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No ARN and no function name.
    #[error("Parameter {0} is not valid. Reason: Provided Arn is not in correct format.")]
    NoArn(String),
    /// A service whose targets are not built.
    #[error("{0}")]
    NotBuilt(String),
}

impl Target {
    /// Whether it gets something else than the event.
    pub fn has_input(&self) -> bool {
        self.input.is_some() || self.input_path.is_some() || self.input_transformer.is_some()
    }
}

impl Destination {
    /// Reads a target's ARN; a function may also be named without one, as elsewhere in the engine.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn of(arn: &str) -> Result<Self, TargetError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if !arn.is_empty() && arn.chars().all(plain) {
            return Ok(Self::Function(arn.to_owned()));
        }
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service, _, _, resource] = parts[..] else {
            return Err(TargetError::NoArn(arn.to_owned()));
        };
        if !partition.starts_with("aws") || resource.is_empty() {
            return Err(TargetError::NoArn(arn.to_owned()));
        }
        match service {
            "lambda" if resource.starts_with("function:") => Ok(Self::Function(arn.to_owned())),
            "sns" => Ok(Self::Topic(arn.to_owned())),
            "codepipeline" => Ok(Self::Pipeline(resource.to_owned())),
            other => Err(TargetError::NotBuilt(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_told_apart() {
        let arn = |rest: &str| format!("arn:aws:{rest}");
        let lambda = arn("lambda:eu-west-1:123456789012:function:f:live");
        let topic = arn("sns:eu-west-1:123456789012:news");
        for (text, expected) in [
            (lambda.clone(), Ok(Destination::Function(lambda))),
            ("f".to_owned(), Ok(Destination::Function("f".to_owned()))),
            (topic.clone(), Ok(Destination::Topic(topic))),
            (
                arn("codepipeline:eu-west-1:123456789012:shop"),
                Ok(Destination::Pipeline("shop".to_owned())),
            ),
            (
                arn("sqs:eu-west-1:123456789012:q"),
                Err(TargetError::NotBuilt("sqs".to_owned())),
            ),
            ("a:b".to_owned(), Err(TargetError::NoArn("a:b".to_owned()))),
        ] {
            assert_eq!(Destination::of(&text), expected, "{text}");
        }
    }
}
