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
use shared::port::{PortError, Service, ServiceCall, Services, answered};

use crate::{
    error::{chain, unavailable},
    http,
    sdk::Aws,
};

const ATTEMPTS: u32 = 3;
/// The largest answers here are a megabyte of log lines in JSON.
const LONGEST_ANSWER: usize = 8 * 1024 * 1024;
const BACKOFF: Duration = Duration::from_millis(50);

/// The way to small services, with the function's own role. Makes no connector before the first call.
#[derive(Debug)]
pub struct JsonServices {
    aws: Aws,
    connector: OnceLock<Connector>,
}

impl JsonServices {
    /// Connects to nothing yet.
    pub fn new(aws: &Aws) -> Self {
        Self {
            aws: aws.clone(),
            connector: OnceLock::new(),
        }
    }

    async fn once(&self, call: &ServiceCall<'_>) -> Result<Value, PortError> {
        let sent = self.send(call);
        self.aws.within(call.what, sent).await?
    }

    async fn send(&self, call: &ServiceCall<'_>) -> Result<Value, PortError> {
        let (service, what, body) = (call.service, call.what, call.body.to_string());
        let environment = self.aws.environment();
        let region = call
            .region
            .or(service.region)
            .unwrap_or(environment.region());
        let url = match environment.endpoint(service.id) {
            Some(url) => format!("{}/", url.trim_end_matches('/')),
            None => {
                let end = if region.starts_with("cn-") { ".cn" } else { "" };
                format!("https://{}.{region}.amazonaws.com{end}/", service.name)
            }
        };
        let content_type = format!("application/x-amz-json-{}", service.version);
        let target = format!("{}.{}", service.target, call.operation);
        let headers = [
            ("content-type", content_type.as_str()),
            ("x-amz-target", target.as_str()),
        ];
        let request = signed(&self.aws, &url, region, service.name, &headers, &body);
        let request = request.map_err(|message| PortError::Invalid {
            what: what.to_owned(),
            message,
        })?;
        let connector = self
            .connector
            .get_or_init(|| http::connector(self.aws.roots()));
        let (status, text) = exchange(connector, request, what).await?;
        answered(what, status.as_u16(), &text)
    }
}

impl Services for JsonServices {
    async fn call(&self, call: &ServiceCall<'_>) -> Result<Value, PortError> {
        let mut attempt = 1;
        loop {
            match self.once(call).await {
                Err(PortError::Unavailable { .. }) if call.repeatable && attempt < ATTEMPTS => {
                    tokio::time::sleep(BACKOFF * attempt).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }
}

/// The way to one service.
#[derive(Debug)]
pub(crate) struct Rpc {
    services: JsonServices,
    service: Service,
}

impl Rpc {
    pub(crate) fn new(aws: &Aws, service: Service) -> Self {
        Self {
            services: JsonServices::new(aws),
            service,
        }
    }

    /// Calls an operation; calls again while the service cannot be reached. `what` names the call in errors.
    pub(crate) async fn call(
        &self,
        operation: &'static str,
        what: &str,
        body: &Value,
    ) -> Result<Value, PortError> {
        let call = ServiceCall::new(self.service, operation, what, body.clone());
        self.services.call(&call).await
    }

    /// Calls an operation that must not be repeated.
    pub(crate) async fn call_once(
        &self,
        operation: &'static str,
        what: &str,
        body: &Value,
    ) -> Result<Value, PortError> {
        let call = ServiceCall::new(self.service, operation, what, body.clone());
        self.services.call(&call.once()).await
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
    let mut body = ByteStream::new(answer.into_body());
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| unavailable(what, chain(&error)))?);
        if bytes.len() > LONGEST_ANSWER {
            return Err(unavailable(what, "the answer has more than 8 MiB"));
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok((status, text))
}
