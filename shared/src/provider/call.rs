//! One request to a vendor.

use std::{borrow::Cow, fmt, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::text;
use crate::secret::Secret;

/// HTTP methods that vendors want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Starts, creates.
    Post,
    /// Sets.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// As on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request's body.
#[derive(Clone, PartialEq)]
pub enum Payload {
    /// None.
    Empty,
    /// JSON.
    Json(Value),
    /// A form, url-encoded.
    Form(Vec<(String, String)>),
    /// Bytes of any type.
    Bytes {
        /// Their type.
        content_type: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A file, streamed with its length.
    File {
        /// Its type.
        content_type: String,
        /// Where it lies.
        path: PathBuf,
    },
}

impl Payload {
    /// A form of texts.
    pub fn form<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let own = |(name, value): (N, V)| (name.into(), value.into());
        Self::Form(pairs.into_iter().map(own).collect())
    }

    /// The body's type; `None` without a body.
    pub fn content_type(&self) -> Option<&str> {
        match self {
            Self::Empty => None,
            Self::Json(_) => Some("application/json"),
            Self::Form(_) => Some("application/x-www-form-urlencoded"),
            Self::Bytes { content_type, .. } | Self::File { content_type, .. } => {
                Some(content_type)
            }
        }
    }

    /// The bytes to send; `None` of a file.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Empty => Some(Vec::new()),
            Self::Json(value) => Some(value.to_string().into_bytes()),
            Self::Form(pairs) => Some(text::form(pairs).into_bytes()),
            Self::Bytes { bytes, .. } => Some(bytes.clone()),
            Self::File { .. } => None,
        }
    }
}

/// Bytes of an answer that are read unless a call says otherwise.
const LIMIT: usize = 1024 * 1024;

/// One request. Its `Debug` text has method, meaning, host and path: no query, no header values, no body.
#[derive(Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The whole address, with its query.
    pub url: String,
    /// What it is about, as `the queue item`: for errors and fault plans.
    pub what: &'static str,
    /// Headers beside those of the body.
    pub headers: Vec<(Cow<'static, str>, Secret)>,
    /// The body.
    pub payload: Payload,
    /// Whether sending it again changes nothing: it is repeated when its answer is lost.
    pub repeatable: bool,
    /// Most bytes of the answer that are kept.
    pub limit: usize,
    /// Where the body of a good answer goes in place of memory.
    pub save_to: Option<PathBuf>,
    private: Vec<Secret>,
}

impl Call {
    /// A call of any method. Only GET is repeatable unless [`Call::repeatable`] says so.
    pub fn new(
        method: Method,
        what: &'static str,
        url: impl Into<String>,
        payload: Payload,
    ) -> Self {
        Self {
            method,
            url: url.into(),
            what,
            headers: Vec::new(),
            payload,
            repeatable: method == Method::Get,
            limit: LIMIT,
            save_to: None,
            private: Vec::new(),
        }
    }

    /// Reads something.
    pub fn get(what: &'static str, url: impl Into<String>) -> Self {
        Self::new(Method::Get, what, url, Payload::Empty)
    }

    /// Starts or creates something.
    pub fn post(what: &'static str, url: impl Into<String>, payload: Payload) -> Self {
        Self::new(Method::Post, what, url, payload)
    }

    /// Sets something.
    pub fn put(what: &'static str, url: impl Into<String>, payload: Payload) -> Self {
        Self::new(Method::Put, what, url, payload)
    }

    /// With a header. Its value is shown nowhere, and is taken out of what the vendor says back.
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) -> Self {
        let value = value.into();
        self.private.push(value.clone());
        self.headers.push((name.into(), value));
        self
    }

    /// With a bearer token.
    pub fn bearer(self, token: &Secret) -> Self {
        let value = format!("Bearer {}", token.reveal());
        self.hiding(token).header("authorization", value)
    }

    /// With user name and password or token.
    pub fn basic(self, user: &str, password: &Secret) -> Self {
        let value = STANDARD.encode(format!("{user}:{}", password.reveal()));
        let value = format!("Basic {value}");
        self.hiding(password).header("authorization", value)
    }

    /// Sending it again changes nothing.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Keeps at most so many bytes of the answer.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Writes the body of a good answer into this file, over what it holds; see [`super::Answer::saved`].
    pub fn save_to(mut self, path: impl Into<PathBuf>) -> Self {
        self.save_to = Some(path.into());
        self
    }

    /// Takes this value, which the address or the body holds, out of what the vendor says back.
    pub fn hiding(mut self, secret: &Secret) -> Self {
        self.private.push(secret.clone());
        self
    }

    /// A text of the vendor's without this call's secrets.
    pub fn redact(&self, text: &str) -> String {
        let values = self.private.iter().map(|secret| secret.reveal().as_str());
        values
            .filter(|value| !value.is_empty())
            .fold(text.to_owned(), |text, value| {
                text.replace(value, "[redacted]")
            })
    }

    /// Host and path, for people.
    pub fn place(&self) -> &str {
        let rest = self
            .url
            .split_once("://")
            .map_or(self.url.as_str(), |(_, rest)| rest);
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let host = rest.find('/').unwrap_or(rest.len());
        // User information is refused at the doors; it is not shown if it came all the same.
        rest[..host].rfind('@').map_or(rest, |at| &rest[at + 1..])
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} ({})",
            self.method.as_str(),
            self.place(),
            self.what
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let secret = Secret::new("planted".to_owned());
        let call = Call::post(
            "the start",
            "https://u:planted@ci.example.com:8080/job/a/build?token=planted",
            Payload::form([("secret", "planted")]),
        )
        .basic("user", &secret)
        .header("jenkins-crumb", "planted".to_owned());
        assert_eq!(
            format!("{call:?}"),
            "POST ci.example.com:8080/job/a/build (the start)"
        );
        assert_eq!(
            call.redact("no planted here, nor Basic dXNlcjpwbGFudGVk"),
            "no [redacted] here, nor [redacted]"
        );
    }

    #[test]
    fn bodies_have_their_types() {
        let form = Payload::form([("a", "b c")]);
        assert_eq!(
            form.content_type(),
            Some("application/x-www-form-urlencoded")
        );
        assert_eq!(form.bytes().unwrap(), b"a=b+c");
        assert_eq!(Payload::Empty.content_type(), None);
    }
}
