//! One small client of AWS JSON 1.1, for an engine that verifies no signatures.

use std::time::Duration;

use reqwest::{header, redirect};
use serde_json::{Value, json};

use crate::face::codepipeline::TARGET;

/// An answer that takes longer is given up.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The engine wants to see that the caller is an AWS client; it verifies nothing.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=stagewright/20260101/local/codepipeline/aws4_request, SignedHeaders=host, Signature=0";

/// Talks to one engine.
pub struct Client {
    http: reqwest::Client,
    url: String,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody answers.
    #[error(
        "no engine answers at {url}: start one with `stagewright serve`, or name it with --endpoint-url"
    )]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The engine refused.
    #[error("{exception}: {message}")]
    Refused {
        /// AWS's exception.
        exception: String,
        /// AWS's text.
        message: String,
    },
    /// The answer is not one of an engine.
    #[error("the answer of {url} cannot be understood (status {status})")]
    Garbled {
        /// Where.
        url: String,
        /// HTTP status.
        status: u16,
    },
}

impl CallError {
    /// Whether the request is at fault.
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

impl Client {
    /// A client of the engine at `url`.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(url: &str) -> Result<Self, CallError> {
        let url = url.trim_end_matches('/').to_owned();
        reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()
            .map(|http| Self {
                http,
                url: url.clone(),
            })
            .map_err(|source| CallError::Unreachable { url, source })
    }

    /// Calls one operation of CodePipeline.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(&self, operation: &str, request: Value) -> Result<Value, CallError> {
        let request = self
            .http
            .post(format!("{}/", self.url))
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", format!("{TARGET}{operation}"))
            .header(header::AUTHORIZATION, AUTHORIZATION)
            .body(request.to_string());
        let (status, body) = self.send(request).await?;
        let value: Value = if body.is_empty() {
            json!({})
        } else {
            self.parse(status, &body)?
        };
        if (200..300).contains(&status) {
            return Ok(value);
        }
        match (value["__type"].as_str(), value["message"].as_str()) {
            (Some(exception), message) => Err(CallError::Refused {
                exception: exception.to_owned(),
                message: message.unwrap_or_default().to_owned(),
            }),
            _ => Err(CallError::Garbled {
                url: self.url.clone(),
                status,
            }),
        }
    }

    /// All action executions of an execution, newest first.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn actions(&self, pipeline: &str, execution: &str) -> Result<Vec<Value>, CallError> {
        let mut found = Vec::new();
        let mut request =
            json!({"pipelineName": pipeline, "filter": {"pipelineExecutionId": execution}});
        loop {
            let page = self.call("ListActionExecutions", request.clone()).await?;
            found.extend(
                page["actionExecutionDetails"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default(),
            );
            match page["nextToken"].as_str() {
                Some(token) => request["nextToken"] = json!(token),
                None => return Ok(found),
            }
        }
    }

    /// The output of one action execution.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn log(&self, execution: &str, action_execution: &str) -> Result<String, CallError> {
        let url = format!(
            "{}/_stagewright/log/{execution}/{action_execution}",
            self.url
        );
        let (status, body) = self.send(self.http.get(url)).await?;
        match status {
            200 => Ok(body),
            _ => Err(CallError::Garbled {
                url: self.url.clone(),
                status,
            }),
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<(u16, String), CallError> {
        let unreachable = |source: reqwest::Error| CallError::Unreachable {
            url: self.url.clone(),
            source: source.without_url(),
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.map_err(unreachable)?))
    }

    fn parse(&self, status: u16, body: &str) -> Result<Value, CallError> {
        serde_json::from_str(body).map_err(|_| CallError::Garbled {
            url: self.url.clone(),
            status,
        })
    }
}
