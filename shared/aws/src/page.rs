//! Pages of web sites, over HTTP and HTTPS.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use reqwest::{Client, redirect::Policy};
use shared::port::{PageAnswer, PageFetcher, PortError};

use crate::{
    error::{chain, unavailable},
    http::Roots,
    sdk::Aws,
};

/// Fetches pages. Redirects are answers, proxies named in the environment are not used.
#[derive(Debug)]
pub struct Web {
    roots: Roots,
    client: OnceLock<Client>,
}

/// A site that does not take a connection in this time is not up.
const CONNECT: Duration = Duration::from_secs(5);

impl Web {
    /// Makes no client yet.
    pub fn new(aws: &Aws) -> Self {
        Self {
            roots: aws.roots().clone(),
            client: OnceLock::new(),
        }
    }

    fn client(&self) -> Result<&Client, PortError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let broken = |error: &dyn std::error::Error| unavailable("the web client", chain(error));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| broken(&error))?
            .with_root_certificates(self.roots.for_the_web())
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .user_agent(concat!("stagewright/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| broken(&error))?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl PageFetcher for Web {
    async fn get(
        &self,
        url: &str,
        timeout: Duration,
        body_limit: usize,
    ) -> Result<PageAnswer, PortError> {
        let started = Instant::now();
        let what = "the page";
        let failed = |error: reqwest::Error| {
            if error.is_builder() {
                return PortError::Invalid {
                    what: what.to_owned(),
                    message: chain(&error.without_url()),
                };
            }
            // The address stays out of the text: it may hold a token. Whoever asked knows it.
            unavailable(what, chain(&error.without_url()))
        };
        let mut answer = self
            .client()?
            .get(url)
            .timeout(timeout)
            .send()
            .await
            .map_err(failed)?;
        let mut body = Vec::new();
        while body.len() < body_limit {
            let Some(chunk) = answer.chunk().await.map_err(failed)? else {
                break;
            };
            let room = body_limit - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        Ok(PageAnswer {
            status: answer.status().as_u16(),
            body,
            took: started.elapsed(),
        })
    }
}
