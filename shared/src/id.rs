//! One newtype per name, id and token, each with a checked constructor.

use std::{fmt, str::FromStr};

/// Why a text is not the id it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {problem}")]
pub struct IdError {
    /// Which kind of id was expected.
    pub what: &'static str,
    /// What is wrong with it; never the value itself, which may be a secret.
    pub problem: String,
}

fn checked(
    what: &'static str,
    text: &str,
    max: usize,
    allowed: fn(char) -> bool,
) -> Result<(), IdError> {
    let fail = |problem: String| Err(IdError { what, problem });
    if text.is_empty() {
        return fail("is empty".to_owned());
    }
    if text.chars().count() > max {
        return fail(format!("is longer than {max} characters"));
    }
    match text.chars().position(|c| !allowed(c)) {
        Some(at) => fail(format!(
            "has a character at position {at} that is not allowed"
        )),
        None => Ok(()),
    }
}

fn name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || ".@-_".contains(c)
}
fn uuid_char(c: char) -> bool {
    c.is_ascii_hexdigit() || c == '-'
}
fn bucket_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || ".-".contains(c)
}
fn artifact_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-".contains(c)
}
fn printable(c: char) -> bool {
    !c.is_control()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $allowed:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text as AWS writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                checked($what, text, $max, $allowed)?;
                Ok(Self(text.to_owned()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                checked($what, &text, $max, $allowed)?;
                Ok(Self(text))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

id!(/// A pipeline's name: 1 to 100 of `[A-Za-z0-9.@_-]`.
    PipelineName, "pipeline name", 100, name_char);
id!(/// A stage's name: 1 to 100 of `[A-Za-z0-9.@_-]`.
    StageName, "stage name", 100, name_char);
id!(/// An action's name: 1 to 100 of `[A-Za-z0-9.@_-]`.
    ActionName, "action name", 100, name_char);
id!(/// An artifact's name: 1 to 100 of `[A-Za-z0-9_-]`.
    ArtifactName, "artifact name", 100, artifact_char);
id!(/// A pipeline execution's id (UUID).
    ExecutionId, "pipeline execution id", 64, uuid_char);
id!(/// An action execution's id (UUID).
    ActionExecutionId, "action execution id", 64, uuid_char);
id!(/// A job's id (UUID); a continuation has a new one.
    JobId, "job id", 64, uuid_char);
id!(/// An S3 bucket's name: 3 to 63 of `[A-Za-z0-9.-]` (the lower bound is checked by S3).
    BucketName, "bucket name", 63, bucket_char);
id!(/// An S3 object's key: at most 1,024 characters.
    ObjectKey, "object key", 1024, printable);
id!(/// The id an outside system gave to a run: at most 1,500 characters (`executionDetails.externalExecutionId`).
    ExternalId, "external execution id", 1500, printable);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!("My.Pipeline@2_x-y".parse::<PipelineName>().is_ok());
        assert_eq!(
            "a b".parse::<PipelineName>().map_err(|e| e.to_string()),
            Err("pipeline name has a character at position 1 that is not allowed".to_owned())
        );
        assert!("".parse::<StageName>().is_err());
        assert!("x".repeat(101).parse::<ActionName>().is_err());
    }
}
