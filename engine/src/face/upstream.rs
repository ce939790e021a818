//! Services without a face: forwarded to another endpoint, streaming both ways.

use std::sync::OnceLock;

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderName, header, request::Parts};

use super::call::Fault;
use crate::app::App;

/// Headers of one connection, which are not passed on.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The endpoint that a service's calls go to: `[endpoint]` of the configuration, then `--upstream`.
pub fn target(app: &App, service: &str) -> Option<String> {
    let named = app.config.endpoint.get(service).cloned();
    named.or_else(|| app.upstream.as_deref().map(str::to_owned))
}

/// The client, made when the first call is forwarded.
#[derive(Default)]
pub struct Upstream {
    client: OnceLock<reqwest::Client>,
}

impl Upstream {
    /// Passes a request on, host and signature untouched, and its answer back.
    pub async fn forward(&self, target: &str, head: Parts, body: Body) -> Response {
        match self.pass(target, head, body).await {
            Ok(response) => response,
            Err(error) => Fault::new(
                502,
                "UpstreamUnavailable",
                format!("{target} did not answer: {}", chain(&error)),
            )
            .into_json("1.1"),
        }
    }

    async fn pass(
        &self,
        target: &str,
        head: Parts,
        body: Body,
    ) -> Result<Response, reqwest::Error> {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let url = format!("{}{path}", target.trim_end_matches('/'));
        let has_body = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
            .iter()
            .any(|name| head.headers.contains_key(name));
        let mut request = self
            .client()?
            .request(head.method, url)
            .headers(passed_on(head.headers));
        if has_body {
            request = request.body(reqwest::Body::wrap_stream(body.into_data_stream()));
        }
        let answer = request.send().await?;
        let status = answer.status();
        let headers = passed_on(answer.headers().clone());
        let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    fn client(&self) -> Result<&reqwest::Client, reqwest::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Another part of the process may have installed it already: that is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn passed_on(mut headers: HeaderMap) -> HeaderMap {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers
}

fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .fold(error.to_string(), |text, source| {
            format!("{text}: {source}")
        })
}
