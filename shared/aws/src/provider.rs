//! Third-party services over HTTP and HTTPS.

use std::{path::Path, time::Duration};

use reqwest::{Body, Method as Verb, RequestBuilder, Response};
use shared::provider::{Answer, Call, Http, Method, Payload, SendError};
use tokio::{
    fs::File,
    io::{AsyncWriteExt as _, BufWriter},
};

use crate::{
    error::chain,
    sdk::Aws,
    web::{Clients, Route},
};

/// How long a vendor may send nothing while it answers.
const READ: Duration = Duration::from_secs(20);

/// Sends connectors' calls. Redirects are answers; proxies that the environment names are used; connections are shared.
#[derive(Debug)]
pub struct ProviderHttp(Clients);

impl ProviderHttp {
    /// Makes no client yet.
    pub fn new(aws: &Aws) -> Self {
        Self(Clients::new(aws, Route::ByEnvironment))
    }

    async fn request(&self, call: &Call) -> Result<RequestBuilder, SendError> {
        let unusable = |why: String| SendError::Unusable(why.into());
        let client = self.0.client().map_err(unusable)?;
        let mut request = client.request(verb(call.method), &call.url);
        for (name, value) in &call.headers {
            request = request.header(name.as_ref(), value.reveal());
        }
        if let Some(kind) = call.payload.content_type() {
            request = request.header("content-type", kind);
        }
        Ok(match &call.payload {
            Payload::Empty if call.method == Method::Get => request,
            Payload::Empty => request.header("content-length", 0),
            Payload::File { path, .. } => {
                let (file, length) = open(path)
                    .await
                    .map_err(|error| SendError::Unusable(error.into()))?;
                request
                    .header("content-length", length)
                    .body(Body::from(file))
            }
            payload => request.body(payload.bytes().unwrap_or_default()),
        })
    }
}

impl Http for ProviderHttp {
    async fn send(&self, call: &Call, timeout: Duration) -> Result<Answer, SendError> {
        let request = self.request(call).await?.timeout(timeout);
        let response = request.send().await.map_err(sorted)?;
        read(call, response).await
    }
}

fn verb(method: Method) -> Verb {
    match method {
        Method::Get => Verb::GET,
        Method::Post => Verb::POST,
        Method::Put => Verb::PUT,
        Method::Patch => Verb::PATCH,
        Method::Delete => Verb::DELETE,
    }
}

async fn open(path: &Path) -> std::io::Result<(File, u64)> {
    let file = File::open(path).await?;
    let length = file.metadata().await?.len();
    Ok((file, length))
}

/// Reads the answer up to the call's limit.
async fn read(call: &Call, mut response: Response) -> Result<Answer, SendError> {
    let headers = response.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), value.into_owned())
    });
    let mut answer = Answer::new(response.status().as_u16(), headers.collect(), Vec::new());
    let mut file = match (&call.save_to, answer.status) {
        (Some(path), 200..300) => Some(BufWriter::new(File::create(path).await.map_err(disk)?)),
        _ => None,
    };
    let mut room = call.limit;
    while let Some(chunk) = next(&mut response).await? {
        let kept = &chunk[..chunk.len().min(room)];
        room -= kept.len();
        match &mut file {
            Some(file) => {
                file.write_all(kept).await.map_err(disk)?;
                answer.saved += kept.len() as u64;
            }
            None => answer.body.extend_from_slice(kept),
        }
        if kept.len() < chunk.len() {
            answer.cut = true;
            break;
        }
    }
    if let Some(mut file) = file {
        file.flush().await.map_err(disk)?;
    }
    Ok(answer)
}

async fn next(
    response: &mut Response,
) -> Result<Option<impl AsRef<[u8]> + std::ops::Deref<Target = [u8]>>, SendError> {
    match tokio::time::timeout(READ, response.chunk()).await {
        Ok(chunk) => chunk.map_err(sorted),
        Err(_) => Err(SendError::Lost("the answer stopped halfway".into())),
    }
}

fn disk(error: std::io::Error) -> SendError {
    SendError::Unusable(error.into())
}

/// Whether a request may have arrived. The address stays out of the text: it may hold a token.
fn sorted(error: reqwest::Error) -> SendError {
    let (connect, builder) = (error.is_connect(), error.is_builder());
    let text = chain(&error.without_url()).into();
    match (connect, builder) {
        (true, _) => SendError::NotSent(text),
        (_, true) => SendError::Unusable(text),
        _ => SendError::Lost(text),
    }
}
