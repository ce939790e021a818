//! The address of a vendor's API, as a parameter.

use std::{fmt, str::FromStr};

/// `https://HOST/PATH` without a slash at its end: http or https, a host, no user information, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address like https://api.example.com/v1 is needed: {0}")]
pub struct BaseUrlError(&'static str);

/// Longer addresses are no address of an API.
const LONGEST: usize = 500;

impl BaseUrl {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        let fail = |problem| Err(BaseUrlError(problem));
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let Some(rest) = rest else {
            return fail("it must start with https:// or http://");
        };
        let host = rest.split('/').next().unwrap_or_default();
        if text.len() > LONGEST {
            return fail("this one is longer than 500 bytes");
        }
        if host.is_empty() || host.starts_with(':') {
            return fail("this one names no host");
        }
        if host.contains('@') {
            return fail("this one holds a user name or password, which would be shown");
        }
        if text.contains(['?', '#', '\\', '"', '<', '>'])
            || !text.chars().all(|c| c.is_ascii_graphic())
        {
            return fail(
                "this one holds a query, a fragment, a space or a character that is not allowed",
            );
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for BaseUrl {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_and_not_shown_when_refused() {
        let read = |text: &str| text.parse::<BaseUrl>().map_err(|error| error.to_string());
        for (text, want) in [
            ("https://ci.example.com/a/", "https://ci.example.com/a"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(read(text).unwrap().as_str(), want);
        }
        let long = format!("https://a/{}", "planted".repeat(100));
        for (text, want) in [
            ("ftp://planted", "must start with"),
            ("https:///planted", "names no host"),
            ("https://u:planted@a/", "user name or password"),
            ("https://a/?key=planted", "a query"),
            ("https://a/b planted", "a space"),
            (long.as_str(), "longer than 500 bytes"),
        ] {
            let error = read(text).unwrap_err();
            assert!(
                error.contains(want) && !error.contains("planted"),
                "{error}"
            );
        }
    }
}
