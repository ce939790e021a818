//! Images of a folder in OCI's image layout.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Deserialize;

use super::image::{Image, MANIFEST_LIMIT, Reference, read};
use crate::provider::Trouble;

/// The annotation that holds a manifest's tag; some tools write `NAME:TAG` into it.
const NAME: &str = "org.opencontainers.image.ref.name";

/// `index.json`.
#[derive(Deserialize)]
struct Index {
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

/// Finds an image in the layout.
pub(super) fn find(
    folder: &Path,
    repository: &str,
    reference: &Reference,
) -> Result<Image, Trouble> {
    let shown = folder.display();
    let index = folder.join("index.json");
    let (bytes, _) = file(&index).map_err(|error| {
        Trouble::configuration(format!("{} of an OCI layout: {error}", index.display()))
    })?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|error| {
        Trouble::configuration(format!("{} is no OCI index: {error}", index.display()))
    })?;
    let found = index.manifests.iter().rev().find(|entry| match reference {
        Reference::Digest(digest) => entry.digest == *digest,
        Reference::Tag(tag) => entry.annotations.get(NAME).is_some_and(|name| {
            name == tag || name.rsplit_once(':').is_some_and(|(_, its)| its == tag)
        }),
    });
    let Some(entry) = found else {
        return Err(Trouble::job(format!(
            "the repository {repository} has no image {} in the OCI layout {shown}",
            reference.text()
        )));
    };
    let place = blob(folder, &entry.digest)?;
    let what = format!("image {repository} in {shown}");
    let (bytes, written) = file(&place)
        .map_err(|error| Trouble::job(format!("{what}: {}: {error}", place.display())))?;
    read(&bytes, Some(&entry.digest), written, &what)
}

/// Where a blob lies; a digest of another shape is refused before it becomes a path.
fn blob(folder: &Path, digest: &str) -> Result<PathBuf, Trouble> {
    let hex = digest.strip_prefix("sha256:").filter(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    });
    let hex = hex.ok_or_else(|| {
        Trouble::job(format!(
            "{}: '{digest}' is no SHA-256 digest",
            folder.display()
        ))
    })?;
    Ok(folder.join("blobs/sha256").join(hex))
}

/// A file's bytes and when it was written.
fn file(path: &Path) -> io::Result<(Vec<u8>, Timestamp)> {
    let open = fs::File::open(path)?;
    let written = open.metadata()?.modified()?;
    let mut bytes = Vec::new();
    open.take(MANIFEST_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MANIFEST_LIMIT {
        return Err(io::Error::other(format!(
            "it is larger than {MANIFEST_LIMIT} bytes"
        )));
    }
    let written = Timestamp::try_from(written).map_err(io::Error::other)?;
    Ok((bytes, written))
}
