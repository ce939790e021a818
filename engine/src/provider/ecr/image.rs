//! What a manifest says of an image, wherever it came from.

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::provider::Trouble;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    /// What the tag stands for now.
    Tag(String),
    /// This very manifest: `sha256:…`.
    Digest(String),
}

impl Reference {
    /// As it stands in an address.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Digest(text) => text,
        }
    }
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// `sha256:` and 64 hexadecimal digits of its manifest.
    pub(super) digest: String,
    /// Bytes of its configuration and layers, compressed; of an image for several platforms, of their manifests.
    pub(super) size: u64,
    /// When it came.
    pub(super) pushed: Timestamp,
}

/// Largest manifest that is read, in bytes; registries refuse larger ones (distribution specification: 4 MiB).
pub(super) const MANIFEST_LIMIT: u64 = 4 * 1024 * 1024;

/// An image manifest or an index, OCI's or Docker's second version.
#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "schemaVersion")]
    version: u64,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    size: u64,
}

/// Reads a manifest's bytes; `expected` is the digest it was asked by, if it was.
pub(super) fn read(
    bytes: &[u8],
    expected: Option<&str>,
    pushed: Timestamp,
    what: &str,
) -> Result<Image, Trouble> {
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
    if expected.is_some_and(|expected| expected != digest) {
        return Err(Trouble::job(format!(
            "{what}: the manifest's digest is {digest}, not the one it was asked by"
        )));
    }
    let manifest: Manifest = serde_json::from_slice(bytes)
        .map_err(|error| Trouble::job(format!("{what}: the manifest cannot be read: {error}")))?;
    if manifest.version != 2 {
        return Err(Trouble::job(format!(
            "{what}: the manifest is of schema version {}; 2 is understood",
            manifest.version
        )));
    }
    let parts = manifest.config.iter();
    let parts = parts.chain(&manifest.layers).chain(&manifest.manifests);
    let size = parts.fold(0_u64, |sum, part| sum.saturating_add(part.size));
    Ok(Image {
        digest,
        size,
        pushed,
    })
}
