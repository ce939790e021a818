//! The address of a page that people name in parameters; its query may hold a token.

use std::{fmt, str::FromStr};

/// An address that can be asked: http or https, a host, no user information. Shown without query and fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct PageUrl(String);

/// What is wrong with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PageUrlError(pub &'static str);

impl FromStr for PageUrl {
    type Err = PageUrlError;

    fn from_str(text: &str) -> Result<Self, PageUrlError> {
        let fail = |problem| Err(PageUrlError(problem));
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"));
        let Some(rest) = rest else {
            return fail("must start with http:// or https://");
        };
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return fail("holds a space or a control character");
        }
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.is_empty() || host.starts_with(':') {
            return fail("names no host");
        }
        if host.contains('@') {
            return fail(
                "holds a user name or password, which would be shown in the pipeline's history",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl PageUrl {
    /// The whole address, for the one place that asks it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.split(['?', '#']).next().unwrap_or_default())
    }
}

impl fmt::Debug for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_not_shown() {
        let url: PageUrl = "https://example.com/a?token=planted#b".parse().unwrap();
        assert_eq!(url.as_str(), "https://example.com/a?token=planted#b");
        assert_eq!(
            format!("{url} {url:?}"),
            "https://example.com/a https://example.com/a"
        );
        for (bad, want) in [
            ("ftp://a/", "must start with"),
            ("http:///a", "names no host"),
            ("http://u:p@a/", "a user name or password"),
            ("http://a b/", "a space"),
        ] {
            let error = bad.parse::<PageUrl>().unwrap_err();
            assert!(error.0.contains(want), "{bad}: {error}");
        }
    }
}
