//! Pages of web sites, over HTTP and HTTPS.

use std::time::{Duration, Instant};

use shared::port::{PageAnswer, PageFetcher, PortError};

use crate::{
    error::{chain, unavailable},
    sdk::Aws,
    web::{Clients, Route},
};

/// Fetches pages. Redirects are answers, proxies named in the environment are not used.
#[derive(Debug)]
pub struct Web(Clients);

impl Web {
    /// Makes no client yet.
    pub fn new(aws: &Aws) -> Self {
        Self(Clients::new(aws, Route::Direct))
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
        let client = self.0.client();
        let mut answer = client
            .map_err(|why| unavailable("the web client", why))?
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
