//! Images of a registry that speaks the OCI distribution protocol.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{StatusCode, header};

use super::image::{Image, MANIFEST_LIMIT, Reference, read};
use crate::provider::{Trouble, chain};

/// Manifests that are understood.
const KINDS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
/// For connecting and for each read.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the registry. One without `Last-Modified` does not say when an image came: `now` stands for it.
pub(super) async fn find(
    address: &str,
    repository: &str,
    reference: &Reference,
    now: Timestamp,
) -> Result<Image, Trouble> {
    let address = address.trim_end_matches('/');
    let wanted = reference.text();
    let what = format!("image {repository}:{wanted} at {address}");
    let unreached = |error: reqwest::Error| {
        let error = error.without_url();
        Trouble::job(format!(
            "{what}: the registry cannot be reached: {}",
            chain(&error)
        ))
    };
    // Another part of the process may have installed it already: that is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder()
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .build()
        .map_err(unreached)?;
    let url = format!("{address}/v2/{repository}/manifests/{wanted}");
    let request = client.get(url).header(header::ACCEPT, KINDS);
    let mut answer = request.send().await.map_err(unreached)?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => {
            return Err(Trouble::job(format!(
                "the repository {repository} has no image {wanted} in the registry {address}"
            )));
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(Trouble::configuration(format!(
                "{what}: the registry asks for a login, which the engine does not do: name one that is open to this machine"
            )));
        }
        other => {
            return Err(Trouble::job(format!(
                "{what}: the registry answered {other}"
            )));
        }
    }
    let pushed = answer.headers().get(header::LAST_MODIFIED);
    let pushed = pushed.and_then(|text| {
        let text = text.to_str().ok()?;
        Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
    });
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(unreached)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > MANIFEST_LIMIT {
            return Err(Trouble::job(format!(
                "{what}: the manifest is larger than {MANIFEST_LIMIT} bytes"
            )));
        }
    }
    let expected = match reference {
        Reference::Digest(digest) => Some(digest.as_str()),
        Reference::Tag(_) => None,
    };
    read(&bytes, expected, pushed.unwrap_or(now), &what)
}
