//! An HTTP request and its answer as the approval page sees them, already out of Lambda's event.

use std::{fmt, net::IpAddr};

/// A request.
#[derive(Clone, Default)]
pub struct HttpRequest {
    /// Upper case.
    pub method: String,
    /// As sent, not decoded, without query.
    pub path: String,
    /// As sent, not decoded.
    pub query: String,
    /// Names in lower case; several values joined by a comma, as API Gateway does.
    pub headers: Vec<(String, String)>,
    /// `name=value` each.
    pub cookies: Vec<String>,
    /// The body.
    pub body: Body,
    /// Where the connection came from, as AWS saw it.
    pub source: Option<IpAddr>,
}

/// A body as the event carries it.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// Plain.
    Text(String),
    /// Base64, as form posts arrive.
    Base64(String),
}

/// An answer.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// All headers but `Set-Cookie`.
    pub headers: Vec<(&'static str, String)>,
    /// `Set-Cookie` values.
    pub cookies: Vec<String>,
    /// UTF-8 text.
    pub body: String,
}

impl HttpRequest {
    /// The header's value; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }

    /// The cookie's value, if it was sent exactly once.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let mut values = self.cookies.iter().filter_map(|cookie| {
            let (have, value) = cookie.trim().split_once('=')?;
            (have == name).then_some(value)
        });
        values.next().filter(|_| values.next().is_none())
    }
}

impl HttpAnswer {
    /// The header's value; `name` as it is written.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

// The path holds a link token, cookies and bodies hold nonces and codes: none of it is printed.
impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAnswer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
