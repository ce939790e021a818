//! Requests to services that speak no JSON protocol of one address: one signed request each, without an SDK client.

use std::{sync::OnceLock, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use shared::port::PortError;

use crate::{
    error::{by_answer, chain},
    http,
    rpc::exchange,
    sdk::Aws,
};

/// One request.
pub(crate) struct RestCall<'a> {
    /// What it is about, for errors.
    pub(crate) what: &'a str,
    /// Id in `AWS_ENDPOINT_URL_<ID>`.
    pub(crate) id: &'static str,
    /// First label of its host, and its name in signatures.
    pub(crate) name: &'static str,
    /// `POST` or `PUT`.
    pub(crate) method: &'static str,
    /// Begins with a slash, already encoded.
    pub(crate) path: String,
    /// Beside host and signature.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The body.
    pub(crate) body: String,
}

/// The way to such services, with the function's own role. Makes no connector before the first call.
#[derive(Debug)]
pub(crate) struct Rest {
    aws: Aws,
    connector: OnceLock<Connector>,
}

impl Rest {
    pub(crate) fn new(aws: &Aws) -> Self {
        Self {
            aws: aws.clone(),
            connector: OnceLock::new(),
        }
    }

    /// The body of an answer that is well.
    pub(crate) async fn call(&self, call: &RestCall<'_>) -> Result<String, PortError> {
        let invalid = |message| PortError::Invalid {
            what: call.what.to_owned(),
            message,
        };
        let environment = self.aws.environment();
        let base = match environment.endpoint(call.id) {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => {
                let region = environment.region();
                let end = if region.starts_with("cn-") { ".cn" } else { "" };
                format!("https://{}.{region}.amazonaws.com{end}", call.name)
            }
        };
        let url = format!("{base}{}", call.path);
        let request = self.signed(&url, call).map_err(invalid)?;
        let connector = self
            .connector
            .get_or_init(|| http::connector(self.aws.roots()));
        let sent = exchange(connector, request, call.what);
        let (status, text) = self.aws.within(call.what, sent).await??;
        if status.is_success() {
            return Ok(text);
        }
        let code = element(&text, "Code").unwrap_or_default();
        let message = element(&text, "Message").unwrap_or(&text);
        Err(by_answer(call.what, status, code, message))
    }

    fn signed(&self, url: &str, call: &RestCall<'_>) -> Result<HttpRequest, String> {
        let text = |error: &dyn std::error::Error| chain(error);
        let identity = self.aws.credentials().into();
        let mut settings = SigningSettings::default();
        if call.name == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.aws.environment().region())
            .name(call.name)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(|error| text(&error))?
            .into();
        let mut request = ::http::Request::builder().method(call.method).uri(url);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let mut request = request
            .body(SdkBody::from(call.body.as_str()))
            .map_err(|error| text(&error))?;
        let signable = SignableRequest::new(
            call.method,
            url,
            call.headers
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
            SignableBody::Bytes(call.body.as_bytes()),
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
}

/// The text of the first XML element of this name; entities stay as they are.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// Credentials that another service gave.
pub(crate) fn temporary(id: &str, key: &str, token: &str) -> Credentials {
    Credentials::new(id, key, Some(token.to_owned()), None, "AssumeRole")
}

/// A text in a form body or a path: everything but letters, digits and `-._~` as `%XX`.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
