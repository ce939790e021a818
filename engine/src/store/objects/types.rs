//! The nouns of the object store and its refusals.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Whether a bucket keeps replaced objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// Never was; objects have no version id.
    Off,
    /// Every put makes a version.
    Enabled,
    /// Old versions are kept, new puts replace the version `null`.
    Suspended,
}

/// How a bucket is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BucketSettings {
    /// Versioning enabled.
    pub versioned: bool,
    /// Readable without credentials, and served as a web site.
    pub website: bool,
}

/// One bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketInfo {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// Whether it is readable without credentials.
    pub website: bool,
}

/// What is kept with an object's bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectHeaders {
    /// `Content-Type`; `binary/octet-stream` when absent.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`, as it was sent.
    pub expires: Option<String>,
    /// User metadata; names without `x-amz-meta-`, in lower case.
    pub metadata: BTreeMap<String, String>,
    /// `x-amz-server-side-encryption`: named back, nothing is encrypted.
    pub sse: Option<String>,
    /// The KMS key of the encryption.
    pub sse_kms_key: Option<String>,
    /// Object tags.
    pub tags: BTreeMap<String, String>,
    /// Checksums by algorithm (`crc32`, `sha256`, …), Base64.
    pub checksums: BTreeMap<String, String>,
}

/// What must hold of the key for a put to happen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    #[default]
    Always,
    /// `If-None-Match: *`: there is no object.
    Absent,
    /// `If-Match`: the object has this ETag (no quotes).
    Etag(String),
}

/// How an object is put.
#[derive(Debug, Clone, Default)]
pub struct PutOptions {
    /// Kept with it.
    pub headers: ObjectHeaders,
    /// When it may be put.
    pub condition: Condition,
    /// Checksums that are known only once the body has been read (trailers); added to the headers.
    pub trailers: Arc<Mutex<BTreeMap<String, String>>>,
}

/// One version of one object, or a delete marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// MD5 of the bytes in hex without quotes; with `-N` for N parts. Empty for a delete marker.
    pub etag: String,
    /// `None` when the bucket never was versioned; `null` for versions made while it was not.
    pub version_id: Option<String>,
    /// Bytes.
    pub size: u64,
    /// When it was put, in milliseconds.
    pub last_modified: Timestamp,
    /// Whether it is the key's latest version.
    pub latest: bool,
    /// Whether it marks a deletion.
    pub delete_marker: bool,
    /// What is kept with it.
    pub headers: ObjectHeaders,
}

/// Why the store refused.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The bucket does not exist.
    #[error("bucket {bucket:?} does not exist")]
    NoSuchBucket {
        /// Its name.
        bucket: String,
    },
    /// The name breaks S3's rules.
    #[error(
        "{bucket:?} is not a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens"
    )]
    InvalidBucketName {
        /// The name.
        bucket: String,
    },
    /// The bucket still has objects, versions or uploads.
    #[error("bucket {bucket:?} is not empty")]
    BucketNotEmpty {
        /// Its name.
        bucket: String,
    },
    /// No such object, or its latest version is a delete marker.
    #[error("bucket {bucket:?} has no object {key:?}")]
    NoSuchKey {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// The delete marker's version, when that is the reason.
        delete_marker: Option<String>,
    },
    /// The object has no such version.
    #[error("object {key:?} of bucket {bucket:?} has no version {version:?}")]
    NoSuchVersion {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// The version asked for.
        version: String,
    },
    /// The version asked for is a delete marker.
    #[error("version {version:?} of object {key:?} is a delete marker")]
    IsDeleteMarker {
        /// Its key.
        key: String,
        /// The version asked for.
        version: String,
    },
    /// The key is empty or longer than 1,024 bytes.
    #[error("an object's key has 1 to 1,024 bytes")]
    BadKey,
    /// The condition of the put does not hold.
    #[error("the condition on object {key:?} of bucket {bucket:?} does not hold")]
    Precondition {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
    },
    /// The upload does not exist: ended, or never begun.
    #[error("there is no multipart upload {upload:?} of object {key:?}")]
    NoSuchUpload {
        /// Its key.
        key: String,
        /// The upload's id.
        upload: String,
    },
    /// A part named at the end was not uploaded, or has another ETag.
    #[error("part {number} was not uploaded, or has another ETag")]
    InvalidPart {
        /// Its number.
        number: u32,
    },
    /// The parts are not in ascending order, or there is none.
    #[error("the parts are not named in ascending order")]
    InvalidPartOrder,
    /// The body ended early or did not match its checksum.
    #[error("the body of object {key:?} could not be read")]
    Body {
        /// Its key.
        key: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of the store.
    #[error("could not {doing} {}", path.display())]
    File {
        /// What was done.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The index.
    #[error("the index of the object store failed")]
    Index {
        /// Why.
        #[from]
        source: rusqlite::Error,
    },
    /// The worker that did it panicked or was cancelled at shutdown.
    #[error("the object store's worker ended early")]
    Worker {
        /// Why.
        #[source]
        source: tokio::task::JoinError,
    },
}

impl StoreError {
    pub(super) fn file(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn no_key(bucket: &str, key: &str) -> Self {
        Self::NoSuchKey {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            delete_marker: None,
        }
    }
}
