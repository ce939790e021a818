//! Calls of AWS's own APIs, at an endpoint that somebody named: signed, in JSON or as a query.

#[cfg(test)]
pub mod scripted;
mod sign;
mod upload;

use std::time::Duration;

use jiff::Timestamp;
use reqwest::redirect;
use serde_json::Value;

pub use sign::Caller;

use crate::{
    app::App,
    face::{s3::xml, upstream},
};

/// A call that got no answer is given up after this.
const PATIENCE: Duration = Duration::from_secs(60);
/// Calls that were throttled or met a broken service are made again after these pauses.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(600),
    Duration::from_millis(1_800),
    Duration::from_millis(5_400),
];
/// Answers are read up to this size.
const LARGEST: usize = 16 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// Nobody is there.
    #[error("{service} at {endpoint} did not answer")]
    Unreachable {
        /// Which service.
        service: &'static str,
        /// Where.
        endpoint: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The service said no.
    #[error("{service} refused {operation}: {code}: {message}")]
    Refused {
        /// Which service.
        service: &'static str,
        /// What was asked.
        operation: String,
        /// AWS's name of the error.
        code: String,
        /// Its words.
        message: String,
        /// HTTP's status.
        status: u16,
    },
    /// A file that was to be sent.
    #[error("{path} cannot be read")]
    File {
        /// Which.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It answered something else.
    #[error("the answer of {service} to {operation} is not read: {problem}")]
    Unread {
        /// Which service.
        service: &'static str,
        /// What was asked.
        operation: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl CloudError {
    /// Whether the service refused with words that hold this text.
    pub fn says(&self, text: &str) -> bool {
        matches!(self, Self::Refused { message, .. } if message.contains(text))
    }

    fn passes(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => source.is_connect(),
            Self::Refused { code, status, .. } => {
                *status >= 500 || *status == 429 || code.contains("Throttl")
            }
            Self::File { .. } | Self::Unread { .. } => false,
        }
    }
}

/// A service at an endpoint.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    service: &'static str,
    endpoint: String,
    caller: Caller,
}

impl Client {
    /// The service at the endpoint of `[endpoint]`, `--endpoint` or `--upstream`; `None` without one.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn configured(
        app: &App,
        service: &'static str,
        region: &str,
    ) -> Result<Option<Self>, reqwest::Error> {
        let endpoint = upstream::target(app, service);
        let caller = || Caller::of_environment(Some(region));
        endpoint
            .map(|endpoint| Self::new(service, &endpoint, caller()))
            .transpose()
    }

    /// The service at this endpoint.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(
        service: &'static str,
        endpoint: &str,
        caller: Caller,
    ) -> Result<Self, reqwest::Error> {
        // Another part of the process may have installed it already: that is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE)
            .build()?;
        Ok(Self {
            http,
            service,
            endpoint: format!("{}/", endpoint.trim_end_matches('/')),
            caller,
        })
    }

    /// Where it is.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A call in JSON; `target` is `SHAPE.Operation`, `version` the JSON's.
    ///
    /// # Errors
    /// See [`CloudError`].
    pub async fn json(
        &self,
        target: &str,
        version: &str,
        input: &Value,
    ) -> Result<Value, CloudError> {
        let operation = target.rsplit('.').next().unwrap_or(target);
        let kind = format!("application/x-amz-json-{version}");
        let body = input.to_string();
        let (status, text) = self
            .patiently(operation, &kind, Some(target), &body)
            .await?;
        let answer: Value = match text.is_empty() {
            true => Value::Object(serde_json::Map::new()),
            false => serde_json::from_str(&text).map_err(|e| self.unread(operation, e))?,
        };
        debug_assert!(status < 300);
        Ok(answer)
    }

    /// A call of a service of the Query protocol; the element below the answer's root that holds the result.
    ///
    /// # Errors
    /// See [`CloudError`].
    pub async fn query(
        &self,
        operation: &str,
        version: &str,
        parameters: &[(String, String)],
    ) -> Result<xml::Element, CloudError> {
        let own = [("Action", operation), ("Version", version)];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let pairs: Vec<String> = own
            .iter()
            .chain(parameters)
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let (_, text) = self
            .patiently(operation, kind, None, &pairs.join("&"))
            .await?;
        let root = xml::parse(&text).map_err(|problem| self.unread(operation, problem))?;
        let name = format!("{operation}Result");
        let mut results = root.children.into_iter();
        Ok(results.find(|it| it.name == name).unwrap_or_default())
    }

    async fn patiently(
        &self,
        operation: &str,
        kind: &str,
        target: Option<&str>,
        body: &str,
    ) -> Result<(u16, String), CloudError> {
        for pause in PAUSES {
            match self.once(operation, kind, target, body).await {
                Err(error) if error.passes() => {
                    tracing::debug!(operation, ?pause, "a call is made again");
                    tokio::time::sleep(pause).await;
                }
                other => return other,
            }
        }
        self.once(operation, kind, target, body).await
    }

    async fn once(
        &self,
        operation: &str,
        kind: &str,
        target: Option<&str>,
        body: &str,
    ) -> Result<(u16, String), CloudError> {
        let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut headers = vec![
            ("content-type", kind),
            ("host", self.host()),
            ("x-amz-date", &now),
        ];
        if let Some(token) = self.caller.token() {
            headers.push(("x-amz-security-token", token));
        }
        headers.extend(target.map(|target| ("x-amz-target", target)));
        let signed = sign::Asked {
            service: self.service,
            method: "POST",
            path: "/",
            digest: &sign::sha256(body),
        };
        let authorization = self.caller.authorization(&signed, &now, &headers);
        let mut request = self.http.post(&self.endpoint);
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
            request = request.header(*name, *value);
        }
        let request = request.header("authorization", authorization);
        self.answered(operation, request.body(body.to_owned()))
            .await
    }

    async fn answered(
        &self,
        operation: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<(u16, String), CloudError> {
        let unreachable = |source| CloudError::Unreachable {
            service: self.service,
            endpoint: self.endpoint.clone(),
            source,
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.map_err(unreachable)?;
        if bytes.len() > LARGEST {
            return Err(self.unread(operation, format!("it has more than {LARGEST} bytes")));
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status < 300 {
            return Ok((status, text));
        }
        let (code, message) = said(&text);
        Err(CloudError::Refused {
            service: self.service,
            operation: operation.to_owned(),
            code,
            message,
            status,
        })
    }

    fn host(&self) -> &str {
        let rest = self.endpoint.split_once("://").map_or("", |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }

    fn unread(&self, operation: &str, problem: impl ToString) -> CloudError {
        CloudError::Unread {
            service: self.service,
            operation: operation.to_owned(),
            problem: problem.to_string(),
        }
    }
}

/// The error's name and words, in JSON or XML.
fn said(text: &str) -> (String, String) {
    if let Ok(json) = serde_json::from_str::<Value>(text) {
        let kind = json["__type"].as_str().unwrap_or_default();
        let kind = kind.rsplit('#').next().unwrap_or_default();
        let message = json["message"].as_str().or(json["Message"].as_str());
        return (kind.to_owned(), message.unwrap_or_default().to_owned());
    }
    let root = xml::parse(text).unwrap_or_default();
    // S3 sends the error alone
    let error = match root.name.as_str() {
        "Error" => Some(&root),
        _ => root.all("Error").next(),
    };
    let part = |name| {
        error
            .and_then(|error| error.child(name))
            .unwrap_or_default()
    };
    match part("Code") {
        "" => ("Unknown".to_owned(), text.chars().take(200).collect()),
        code => (code.to_owned(), part("Message").to_owned()),
    }
}

fn encoded(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    utf8_percent_encode(text, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_read_in_both_forms() {
        let xml = "<ErrorResponse xmlns='x'><Error><Type>Sender</Type><Code>ValidationError</Code><Message>No updates are to be performed.</Message></Error></ErrorResponse>";
        let json = r#"{"__type":"com.amazonaws.ecs#ClusterNotFoundException","message":"gone"}"#;
        for (text, code, message) in [
            (xml, "ValidationError", "No updates are to be performed."),
            (json, "ClusterNotFoundException", "gone"),
            (
                "<?xml version='1.0'?><Error><Code>NoSuchBucket</Code><Message>gone</Message></Error>",
                "NoSuchBucket",
                "gone",
            ),
            ("<html>502</html>", "Unknown", "<html>502</html>"),
        ] {
            assert_eq!(said(text), (code.to_owned(), message.to_owned()));
        }
    }

    #[test]
    fn forms_keep_their_values() {
        assert_eq!(encoded("{\"a\": b+c~_-.}"), "%7B%22a%22%3A%20b%2Bc~_-.%7D");
    }
}
