//! Requests as a stand-in sees them, and its replies.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use shared::provider::{decoded, pairs};

/// A request.
#[derive(Clone, PartialEq, Eq)]
pub struct Asked {
    /// As `POST`.
    pub method: String,
    /// As it was sent, still encoded, without the query.
    pub path: String,
    /// The query's pairs, decoded.
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// A request of this method for this address, or for a path with its query.
    pub fn new(method: &str, url: &str, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        let target = match url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => url,
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs(query),
            headers: headers.into_iter().map(lower).collect(),
            body,
        }
    }

    /// The path's parts, each decoded once.
    pub fn segments(&self) -> Vec<String> {
        let parts = self.path.split('/').filter(|part| !part.is_empty());
        parts.map(decoded).collect()
    }

    /// The first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// The first value of this name in the query.
    pub fn param(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// The body's form.
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&String::from_utf8_lossy(&self.body))
    }

    /// The texts of a multipart form; of files their bytes as text. Empty when it is none.
    pub fn multipart(&self) -> Vec<(String, String)> {
        let kind = self.header("content-type").unwrap_or_default();
        let Some((_, boundary)) = kind.split_once("multipart/form-data; boundary=") else {
            return Vec::new();
        };
        let body = String::from_utf8_lossy(&self.body);
        let boundary = format!("--{boundary}");
        let parts = body.split(&boundary);
        parts
            .filter_map(|part| {
                let (head, value) = part.split_once("\r\n\r\n")?;
                let (_, name) = head.split_once("; name=\"")?;
                let name = name.split('"').next()?;
                Some((name.to_owned(), value.strip_suffix("\r\n")?.to_owned()))
            })
            .collect()
    }

    /// The body's JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// User and password of Basic authentication.
    pub fn basic(&self) -> Option<(String, String)> {
        let encoded = self.header("authorization")?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }

    /// The bearer token.
    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }
}

fn first<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = pairs.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Beside the length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// No body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// JSON.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::of_type(status, "application/json;charset=utf-8", value.to_string())
    }

    /// A page for people.
    pub fn html(status: u16, title: &str) -> Self {
        let page = format!(
            "<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
        );
        Self::of_type(status, "text/html;charset=utf-8", page)
    }

    /// Plain text.
    pub fn text(status: u16, text: &str) -> Self {
        Self::of_type(status, "text/plain;charset=utf-8", text)
    }

    /// Any body.
    pub fn of_type(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::empty(status).header("content-type", content_type)
        }
    }

    /// With a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
