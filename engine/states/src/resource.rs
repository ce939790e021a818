//! What a Task calls: `Resource`.

use std::str::FromStr;

use crate::integration;

/// A task's resource.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Resource {
    /// A function's own ARN.
    Lambda(String),
    /// An activity's ARN.
    Activity(String),
    /// `arn:aws:states:::SERVICE:ACTION[.PATTERN]`, the SDK's as `aws-sdk:SERVICE`.
    Service {
        /// `lambda`, `sns`, `aws-sdk:codepipeline`, …
        service: String,
        /// `invoke`, `publish`, …
        action: String,
        /// When the task is over.
        pattern: Pattern,
    },
}

/// When a service task is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Pattern {
    /// When the service has answered.
    Response,
    /// `.sync`: when what it started has ended.
    Sync,
    /// `.sync:2`: the same, its output as JSON.
    SyncJson,
    /// `.waitForTaskToken`: when somebody answers the token.
    Token,
}

/// Text that is no resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "The resource provided {0} is not recognized. The value is not a valid resource ARN, or the resource is not available in this region."
)]
pub struct BadResource(pub(crate) String);

impl FromStr for Resource {
    type Err = BadResource;

    fn from_str(arn: &str) -> Result<Self, BadResource> {
        let refuse = || BadResource(arn.to_owned());
        let mut parts = arn.splitn(6, ':');
        let (Some("arn"), Some(partition), Some(service), Some(region), Some(account), Some(rest)) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return Err(refuse());
        };
        if !partition.starts_with("aws") {
            return Err(refuse());
        }
        match service {
            "lambda"
                if rest
                    .strip_prefix("function:")
                    .is_some_and(|n| !n.is_empty()) =>
            {
                Ok(Self::Lambda(arn.to_owned()))
            }
            "states"
                if rest
                    .strip_prefix("activity:")
                    .is_some_and(|n| !n.is_empty()) =>
            {
                Ok(Self::Activity(arn.to_owned()))
            }
            "states" if region.is_empty() && account.is_empty() => {
                Self::integration(rest).ok_or_else(refuse)
            }
            _ => Err(refuse()),
        }
    }
}

impl Resource {
    fn integration(rest: &str) -> Option<Self> {
        let (rest, pattern) = if let Some(rest) = rest.strip_suffix(".sync") {
            (rest, Pattern::Sync)
        } else if let Some(rest) = rest.strip_suffix(".sync:2") {
            (rest, Pattern::SyncJson)
        } else if let Some(rest) = rest.strip_suffix(".waitForTaskToken") {
            (rest, Pattern::Token)
        } else {
            (rest, Pattern::Response)
        };
        let (service, action) = rest.rsplit_once(':')?;
        let known = |text: &str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_:".contains(c))
        };
        if !known(service) || !known(action) {
            return None;
        }
        let resource = Self::Service {
            service: service.to_owned(),
            action: action.to_owned(),
            pattern,
        };
        integration::exists(&resource).then_some(resource)
    }

    /// Whether the task waits for an answer by token.
    #[must_use]
    pub const fn waits_for_token(&self) -> bool {
        matches!(
            self,
            Self::Activity(_)
                | Self::Service {
                    pattern: Pattern::Token,
                    ..
                }
        )
    }

    /// Whether the task is over when what it started has ended.
    #[must_use]
    pub const fn waits_for_end(&self) -> bool {
        matches!(
            self,
            Self::Service {
                pattern: Pattern::Sync | Pattern::SyncJson,
                ..
            }
        )
    }

    /// `resourceType` in the history.
    #[must_use]
    pub fn type_name(&self) -> &str {
        match self {
            Self::Lambda(_) => "lambda",
            Self::Activity(_) => "activity",
            Self::Service { service, .. } => service,
        }
    }

    /// `resource` in the history.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Lambda(arn) | Self::Activity(arn) => arn.clone(),
            Self::Service {
                action, pattern, ..
            } => {
                let suffix = match pattern {
                    Pattern::Response => "",
                    Pattern::Sync => ".sync",
                    Pattern::SyncJson => ".sync:2",
                    Pattern::Token => ".waitForTaskToken",
                };
                format!("{action}{suffix}")
            }
        }
    }

    /// The task's name in `States.DataLimitExceeded`: the service, or the ARN.
    #[must_use]
    pub fn limited(&self) -> &str {
        match self {
            Self::Lambda(arn) | Self::Activity(arn) => arn,
            Self::Service { service, .. } => service,
        }
    }
}
