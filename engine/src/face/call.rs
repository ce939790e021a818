//! What every face gets and gives: who calls, one call, one refusal.

use std::fmt;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::{Map, Value, json};

/// Largest body of a JSON or Query call, in bytes; AWS's own limits are all below it.
pub const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// Who calls, as far as an engine that accepts any credentials can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The access key id; empty when the request is not signed.
    pub access_key: String,
    /// `arn:aws:iam::ACCOUNT:user/…` or `arn:aws:sts::ACCOUNT:assumed-role/…`.
    pub arn: String,
}

/// One call of a service, its body read.
#[derive(Clone)]
pub struct Call {
    /// The service's signing name (`codepipeline`, `sns`, …).
    pub service: String,
    /// The operation for JSON and Query services; empty for REST services.
    pub operation: String,
    /// Who calls.
    pub caller: Caller,
    /// HTTP method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// Headers; they hold credentials, so a call has no `Debug` text of them.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The id the reply carries in `x-amzn-RequestId`.
    pub request_id: String,
}

/// A refusal as AWS words it; the protocol decides how it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// HTTP status.
    pub status: u16,
    /// AWS's error code, such as `ValidationException`.
    pub code: String,
    /// A sentence that a person can act on.
    pub message: String,
    /// Further members of the error shape (JSON protocols).
    pub members: Box<Map<String, Value>>,
}

/// What a JSON face answers.
pub type JsonAnswer = Result<Value, Fault>;
/// What a Query face answers: the whole XML document.
pub type XmlAnswer = Result<String, Fault>;

impl Call {
    /// The members of a Query call: from the body, or the query string when there is no body; decoded, in order.
    pub fn form(&self) -> Vec<(String, String)> {
        if self.body.is_empty() {
            form(self.uri.query().unwrap_or_default().as_bytes())
        } else {
            form(&self.body)
        }
    }

    /// The JSON body as a typed request; an empty body is `{}`.
    ///
    /// # Errors
    /// `SerializationException`, naming the place, when it does not fit.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Fault> {
        let text: &[u8] = if self.body.is_empty() {
            b"{}"
        } else {
            &self.body
        };
        serde_json::from_slice(text)
            .map_err(|error| Fault::new(400, "SerializationException", error.to_string()))
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({}.{})", self.service, self.operation)
    }
}

impl Fault {
    /// A refusal without further members.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            members: Box::default(),
        }
    }

    /// What is not built, named.
    pub fn not_built(service: &str, operation: &str) -> Self {
        let what = if operation.is_empty() {
            "this request"
        } else {
            operation
        };
        Self::new(
            501,
            "UnknownOperationException",
            format!(
                "stagewright has no {service} {what}; name an endpoint that has it with --upstream URL or --endpoint {service}=URL"
            ),
        )
    }

    /// The JSON protocols' form of it.
    pub fn into_json(self, version: &str) -> Response {
        let mut body = *self.members;
        body.insert("__type".to_owned(), json!(self.code));
        body.insert("message".to_owned(), json!(self.message));
        let mut response = respond(
            self.status,
            &format!("application/x-amz-json-{version}"),
            Value::Object(body).to_string(),
        );
        if let Ok(code) = HeaderValue::from_str(&self.code) {
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        response
    }

    /// The Query protocol's form of it.
    pub fn into_query_xml(self, request_id: &str) -> Response {
        let kind = if self.status < 500 {
            "Sender"
        } else {
            "Receiver"
        };
        let body = format!(
            "<ErrorResponse><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
            escape(&self.code),
            escape(&self.message),
        );
        respond(self.status, "text/xml", body)
    }
}

/// A response with a status, a content type and a body.
pub fn respond(status: u16, content_type: &str, body: impl Into<axum::body::Body>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, body.into()).into_response();
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}

/// Text made safe inside XML elements and attributes; characters that XML 1.0 forbids become numeric references as S3 writes them.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            c if c < ' ' && c != '\n' && c != '\t' => {
                out.push_str(&format!("&#x{:X};", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

/// `application/x-www-form-urlencoded`, decoded, in order; bytes that are not UTF-8 are replaced.
pub fn form(text: &[u8]) -> Vec<(String, String)> {
    text.split(|b| *b == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |b| *b == b'=');
            let name = halves.next().unwrap_or_default();
            let value = halves.next().unwrap_or_default();
            (decode_plus(name), decode_plus(value))
        })
        .collect()
}

/// A path or query part, percent-decoded.
pub fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

fn decode_plus(text: &[u8]) -> String {
    let spaced: Vec<u8> = text
        .iter()
        .map(|b| if *b == b'+' { b' ' } else { *b })
        .collect();
    percent_encoding::percent_decode(&spaced)
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded_in_order() {
        assert_eq!(
            form(b"Action=Publish&Message=a+b%26c&Empty=&Flag"),
            [
                ("Action", "Publish"),
                ("Message", "a b&c"),
                ("Empty", ""),
                ("Flag", "")
            ]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
    }

    #[test]
    fn xml_text_is_safe() {
        assert_eq!(escape("a<b>&\"\u{1}\r"), "a&lt;b&gt;&amp;&quot;&#x1;&#13;");
    }
}
