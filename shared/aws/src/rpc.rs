//! Small JSON services spoken to without an SDK client of their own: one signed POST an operation.
//!
//! An SDK crate brings hundreds of kilobytes to a function that needs one to six operations with a few members each,
//! and pages of a binary are start time (docs/performance.md). Signing is the SDK's own.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::{
    client::{http::HttpConnector, orchestrator::HttpRequest},
    http::StatusCode,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use serde_json::Value;
use shared::port::PortError;

use crate::{
    error::{by_answer, chain, unavailable},
    http,
    sdk::Aws,
};

/// A service of AWS's JSON protocol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// Id in `AWS_ENDPOINT_URL_<ID>`.
    pub id: &'static str,
    /// First label of its host, and its name in signatures.
    pub name: &'static str,
    /// What stands before the operation in `X-Amz-Target`.
    pub target: &'static str,
    /// `1.0` or `1.1`.
    pub version: &'static str,
}

const ATTEMPTS: u32 = 3;
const BACKOFF: Duration = Duration::from_millis(50);

/// The way to one service, with the function's own role. Makes no connector before the first call.
#[derive(Debug)]
pub(crate) struct Rpc {
    aws: Aws,
    service: Service,
    connector: OnceLock<Connector>,
}

impl Rpc {
    pub(crate) fn new(aws: &Aws, service: Service) -> Self {
        Self {
            aws: aws.clone(),
            service,
            connector: OnceLock::new(),
        }
    }

    /// Calls an operation; calls again while the service cannot be reached. `what` names the call in errors.
    pub(crate) async fn call(
        &self,
        operation: &str,
        what: &str,
        body: &Value,
    ) -> Result<Value, PortError> {
        let mut attempt = 1;
        loop {
            match self.call_once(operation, what, body).await {
                Err(PortError::Unavailable { .. }) if attempt < ATTEMPTS => {
                    tokio::time::sleep(BACKOFF * attempt).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// Calls an operation that must not be repeated.
    pub(crate) async fn call_once(
        &self,
        operation: &str,
        what: &str,
        body: &Value,
    ) -> Result<Value, PortError> {
        let body = body.to_string();
        let sent = self.send(operation, what, &body);
        self.aws.within(what, sent).await?
    }

    async fn send(&self, operation: &str, what: &str, body: &str) -> Result<Value, PortError> {
        let service = self.service;
        let region = self.aws.environment().region();
        let url = match self.aws.environment().endpoint(service.id) {
            Some(url) => format!("{}/", url.trim_end_matches('/')),
            None => {
                let end = if region.starts_with("cn-") { ".cn" } else { "" };
                format!("https://{}.{region}.amazonaws.com{end}/", service.name)
            }
        };
        let content_type = format!("application/x-amz-json-{}", service.version);
        let target = format!("{}.{operation}", service.target);
        let headers = [
            ("content-type", content_type.as_str()),
            ("x-amz-target", target.as_str()),
        ];
        let request = signed(&self.aws, &url, region, service.name, &headers, body);
        let request = request.map_err(|message| PortError::Invalid {
            what: what.to_owned(),
            message,
        })?;
        let connector = self
            .connector
            .get_or_init(|| http::connector(self.aws.roots()));
        let (status, text) = exchange(connector, request, what).await?;
        answered(what, status, &text)
    }
}

/// A POST signed with the function's own credentials.
pub(crate) fn signed(
    aws: &Aws,
    url: &str,
    region: &str,
    service: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<HttpRequest, String> {
    let text = |error: &dyn std::error::Error| chain(error);
    let identity = aws.credentials().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| text(&error))?
        .into();
    let mut request = ::http::Request::post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request
        .body(SdkBody::from(body))
        .map_err(|error| text(&error))?;
    let signable = SignableRequest::new(
        "POST",
        url,
        headers.iter().copied(),
        SignableBody::Bytes(body.as_bytes()),
    )
    .map_err(|error| text(&error))?;
    let (instructions, _) = sign(signable, &parameters)
        .map_err(|error| text(&error))?
        .into_parts();
    instructions.apply_to_request_http1x(&mut request);
    request
        .try_into()
        .map_err(|error: aws_smithy_runtime_api::http::HttpError| text(&error))
}

/// Sends a request; answers status and body.
pub(crate) async fn exchange(
    connector: &Connector,
    request: HttpRequest,
    what: &str,
) -> Result<(StatusCode, String), PortError> {
    let answer = connector
        .call(request)
        .await
        .map_err(|error| unavailable(what, chain(&error)))?;
    let status = answer.status();
    let body = ByteStream::new(answer.into_body())
        .collect()
        .await
        .map_err(|error| unavailable(what, chain(&error)))?;
    let text = String::from_utf8_lossy(&body.to_vec()).into_owned();
    Ok((status, text))
}

/// The answer's value, or its error by code: `__type` may carry a namespace in front.
fn answered(what: &str, status: StatusCode, text: &str) -> Result<Value, PortError> {
    let value = serde_json::from_str::<Value>(text);
    if status.is_success() {
        return value.map_err(|_| unavailable(what, "the answer is no JSON"));
    }
    let value = value.unwrap_or_default();
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let code = text("__type").rsplit('#').next().unwrap_or_default();
    let message = match text("message") {
        "" => text("Message"),
        message => message,
    };
    Err(by_answer(what, status, code, message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_values_or_errors_by_code() {
        let answer =
            |status: u16, text: &str| answered("x", StatusCode::try_from(status).unwrap(), text);
        assert_eq!(answer(200, "{\"a\":1}").unwrap(), json!({"a": 1}));
        assert!(matches!(
            answer(200, "<html>"),
            Err(PortError::Unavailable { .. })
        ));
        let typed =
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#;
        assert!(matches!(
            answer(400, typed),
            Err(PortError::Conflict { .. })
        ));
        assert!(matches!(
            answer(503, "<html>"),
            Err(PortError::Unavailable { .. })
        ));
        let Err(PortError::Invalid { message, .. }) =
            answer(400, r#"{"__type":"ValidationException","Message":"no"}"#)
        else {
            unreachable!("a refusal");
        };
        assert_eq!(message, "ValidationException: no");
    }
}
