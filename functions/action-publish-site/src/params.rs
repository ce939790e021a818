//! What the pipeline says about publishing, parsed and checked.

use std::collections::BTreeMap;

use serde::Deserialize;
use shared::id::{BucketName, IdError};

/// Checked parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Params {
    /// The site's bucket.
    pub bucket: BucketName,
    /// Empty, or ends in `/`; nothing outside it is ever touched.
    pub prefix: String,
    /// `Cache-Control` by pattern; of several that match, the longest pattern counts.
    pub cache_control: BTreeMap<String, String>,
    /// The CloudFront distribution before the bucket.
    pub distribution: Option<String>,
    /// Whether objects that the artifact lacks are deleted.
    pub delete_removed: bool,
    /// The site's public address, for later actions.
    pub url: Option<String>,
}

/// As written in `UserParameters`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    bucket: String,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    cache_control: BTreeMap<String, String>,
    distribution: Option<String>,
    #[serde(default = "yes")]
    delete_removed: bool,
    url: Option<String>,
}

const fn yes() -> bool {
    true
}

/// Why parameters were refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// The bucket's name.
    #[error(transparent)]
    Bucket(#[from] IdError),
    /// The prefix.
    #[error("prefix {0}")]
    Prefix(&'static str),
    /// A value of `cacheControl`.
    #[error(
        "cacheControl of {pattern:?} is not a header value: printable ASCII, at most 200 characters"
    )]
    CacheControl {
        /// Whose.
        pattern: String,
    },
    /// The distribution.
    #[error(
        "distribution is not an id of CloudFront: capital letters and digits, as E2EXAMPLE1OAB"
    )]
    Distribution,
}

/// Room for file names in an S3 key of 1,024 bytes.
const LONGEST_PREFIX: usize = 512;

impl TryFrom<Raw> for Params {
    type Error = ParamsError;

    fn try_from(raw: Raw) -> Result<Self, ParamsError> {
        for (pattern, value) in &raw.cache_control {
            let printable = value.bytes().all(|b| (0x20..0x7f).contains(&b));
            if value.is_empty() || value.len() > 200 || !printable {
                let pattern = pattern.clone();
                return Err(ParamsError::CacheControl { pattern });
            }
        }
        let is_id = |id: &String| {
            !id.is_empty()
                && id.len() <= 64
                && id
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        if raw.distribution.as_ref().is_some_and(|id| !is_id(id)) {
            return Err(ParamsError::Distribution);
        }
        Ok(Self {
            bucket: raw.bucket.try_into()?,
            prefix: prefix(raw.prefix)?,
            cache_control: raw.cache_control,
            distribution: raw.distribution,
            delete_removed: raw.delete_removed,
            url: raw.url.filter(|url| !url.is_empty()),
        })
    }
}

fn prefix(mut text: String) -> Result<String, ParamsError> {
    let fail = |problem| Err(ParamsError::Prefix(problem));
    if text.is_empty() {
        return Ok(text);
    }
    if text.len() > LONGEST_PREFIX {
        return fail("is longer than 512 characters");
    }
    if text.chars().any(char::is_control) {
        return fail("holds a control character");
    }
    if !text.ends_with('/') {
        text.push('/');
    }
    let parts = text.strip_suffix('/').unwrap_or_default().split('/');
    for part in parts {
        if matches!(part, "" | "." | "..") {
            return fail("has an empty part, `.` or `..`; write it as docs or docs/v2");
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Params, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_prefix_ends_in_a_slash() {
        let prefix = |text: &str| {
            parse(&format!(r#"{{"bucket":"site","prefix":"{text}"}}"#)).map(|params| params.prefix)
        };
        assert_eq!(prefix("").unwrap(), "");
        assert_eq!(prefix("docs").unwrap(), "docs/");
        assert_eq!(prefix("docs/v2/").unwrap(), "docs/v2/");
        for bad in ["/", "/docs", "a//b", "../up"] {
            assert!(prefix(bad).unwrap_err().starts_with("prefix "), "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, want) in [
            (r#"{}"#, "missing field `bucket`"),
            (r#"{"bucket":"a","delete":true}"#, "unknown field `delete`"),
            (r#"{"bucket":"a b"}"#, "bucket name has a character"),
            (
                r#"{"bucket":"a","distribution":"../x"}"#,
                "distribution is not an id",
            ),
            (
                r#"{"bucket":"a","cacheControl":{"*":"a\nb"}}"#,
                r#"cacheControl of "*""#,
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
        }
    }
}
