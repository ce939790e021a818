//! Objects: get, head, put, copy, delete, tags.

use std::{collections::BTreeMap, io, path::Path};

use axum::{body::Body, response::Response};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::{
    S3Call, S3Fault, body,
    operation::Operation,
    range::{self, Slice, Verdict},
    xml,
};
use crate::{
    face::call::form,
    store::objects::{Body as StoredBody, Condition, ObjectHeaders, ObjectInfo, PutOptions},
};

/// Replies up to this size are read in one step.
const SMALL: u64 = 64 * 1024;
/// Largest single put, in bytes, as S3's.
const PUT_LIMIT: u64 = 5 * 1024 * 1024 * 1024;

impl S3Call<'_> {
    pub(super) async fn get(&self, operation: Operation) -> Result<Response, S3Fault> {
        let (info, path) = self
            .app
            .objects
            .get(&self.bucket, &self.key, self.param("versionId"))
            .await?;
        let headers = &self.head.headers;
        match range::verdict(headers, "", &info.etag, info.last_modified) {
            Verdict::Send => {}
            Verdict::Failed => return Err(S3Fault::precondition()),
            Verdict::NotModified => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                self.describe(&info, response.headers_mut());
                return Ok(response);
            }
        }
        let if_range = self
            .header("if-range")
            .is_none_or(|etag| etag.trim_matches('"') == info.etag);
        let wanted = self.header("range").filter(|_| if_range);
        let (status, first, length) = match range::slice(wanted, info.size) {
            Slice::Whole => (StatusCode::OK, 0, info.size),
            Slice::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
            Slice::Unsatisfiable => {
                let mut fault = S3Fault::new(
                    416,
                    "InvalidRange",
                    "The requested range is not satisfiable",
                );
                fault.headers = vec![("content-range", format!("bytes */{}", info.size))];
                return Err(fault);
            }
        };
        let body = match operation {
            Operation::HeadObject => Body::empty(),
            _ => open(&path, first, length)
                .await
                .map_err(|error| unreadable(&path, &error))?,
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let out = response.headers_mut();
        self.describe(&info, out);
        self.override_headers(out);
        set(out, "content-length", length);
        if status == StatusCode::PARTIAL_CONTENT {
            set(
                out,
                "content-range",
                format!("bytes {first}-{}/{}", first + length - 1, info.size),
            );
        } else if self.header("x-amz-checksum-mode").is_some() {
            for (algorithm, value) in &info.headers.checksums {
                set(out, &format!("{}{algorithm}", body::CHECKSUM), value);
            }
        }
        Ok(response)
    }

    pub(super) async fn put(&self, wire: Body) -> Result<Response, S3Fault> {
        let expected = body::Expected::of(&self.head.headers);
        let announced = expected
            .length
            .or_else(|| self.header("content-length")?.parse().ok());
        if announced.is_some_and(|length| length > PUT_LIMIT) {
            return Err(S3Fault::new(
                400,
                "EntityTooLarge",
                "Your proposed upload exceeds the maximum allowed size",
            ));
        }
        let mut headers = self.object_headers();
        headers.checksums = expected.checksums.clone();
        let options = PutOptions {
            headers,
            condition: self.condition()?,
            trailers: body::Trailers::default(),
        };
        let stream = body::payload(wire, expected, options.trailers.clone());
        let info = self
            .app
            .objects
            .put(&self.bucket, &self.key, options, StoredBody::Stream(stream))
            .await?;
        self.created(&info, "PutObject").await?;
        let mut response = Response::new(Body::empty());
        let out = response.headers_mut();
        set(out, "etag", format!("\"{}\"", info.etag));
        for (algorithm, value) in &info.headers.checksums {
            set(out, &format!("{}{algorithm}", body::CHECKSUM), value);
        }
        stored_as(&info, out);
        Ok(response)
    }

    pub(super) async fn copy(&self) -> Result<Response, S3Fault> {
        let (bucket, key, version) = self
            .copy_source()?
            .ok_or_else(|| S3Fault::invalid("x-amz-copy-source is missing"))?;
        let (source, path) = self
            .app
            .objects
            .get(&bucket, &key, version.as_deref())
            .await?;
        let verdict = range::verdict(
            &self.head.headers,
            "x-amz-copy-source-",
            &source.etag,
            source.last_modified,
        );
        if verdict != Verdict::Send {
            return Err(S3Fault::precondition());
        }
        let replaced = self.header("x-amz-metadata-directive") == Some("REPLACE");
        let in_place = bucket == self.bucket && key == self.key && version.is_none();
        if in_place && !replaced {
            return Err(S3Fault::new(
                400,
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        let asked = self.object_headers();
        let mut headers = if replaced {
            asked.clone()
        } else {
            source.headers.clone()
        };
        headers.tags = match self.header("x-amz-tagging-directive") {
            Some("REPLACE") => asked.tags,
            _ => source.headers.tags.clone(),
        };
        headers.sse = asked.sse;
        headers.sse_kms_key = asked.sse_kms_key;
        headers.checksums = source.headers.checksums.clone();
        let options = PutOptions {
            headers,
            condition: self.condition()?,
            ..PutOptions::default()
        };
        let info = self
            .app
            .objects
            .put(&self.bucket, &self.key, options, StoredBody::File(path))
            .await?;
        self.created(&info, "CopyObject").await?;
        let mut response = xml::Writer::default()
            .text("LastModified", xml::time(info.last_modified))
            .text("ETag", format!("\"{}\"", info.etag))
            .respond("CopyObjectResult");
        if let Some(version) = source.version_id {
            set(
                response.headers_mut(),
                "x-amz-copy-source-version-id",
                version,
            );
        }
        stored_as(&info, response.headers_mut());
        Ok(response)
    }

    pub(super) async fn delete(&self) -> Result<Response, S3Fault> {
        let deleted = self
            .app
            .objects
            .delete(&self.bucket, &self.key, self.param("versionId"))
            .await?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let out = response.headers_mut();
        if let Some(version) = deleted.version_id {
            set(out, "x-amz-version-id", version);
        }
        if deleted.delete_marker {
            set(out, "x-amz-delete-marker", "true");
        }
        Ok(response)
    }

    pub(super) async fn tags(&self) -> Result<Response, S3Fault> {
        let info = self
            .app
            .objects
            .head(&self.bucket, &self.key, self.param("versionId"))
            .await?;
        let mut out = xml::Writer::default();
        out.nested("TagSet", |out| {
            for (key, value) in &info.headers.tags {
                out.nested("Tag", |out| {
                    out.text("Key", key).text("Value", value);
                });
            }
        });
        Ok(out.respond("Tagging"))
    }

    pub(super) async fn set_tags(&self, wire: Body) -> Result<Response, S3Fault> {
        let tagging = xml::read(wire).await?;
        let tags = tagging
            .all("TagSet")
            .flat_map(|set| set.all("Tag"))
            .map(|tag| {
                let key = tag.child("Key").filter(|key| !key.is_empty());
                let key = key.ok_or_else(|| S3Fault::malformed("a Tag has no Key"))?;
                Ok((
                    key.to_owned(),
                    tag.child("Value").unwrap_or_default().to_owned(),
                ))
            })
            .collect::<Result<BTreeMap<_, _>, S3Fault>>()?;
        self.app
            .objects
            .set_tags(&self.bucket, &self.key, self.param("versionId"), tags)
            .await?;
        Ok(Response::new(Body::empty()))
    }

    pub(super) async fn delete_tags(&self) -> Result<Response, S3Fault> {
        let none = BTreeMap::new();
        self.app
            .objects
            .set_tags(&self.bucket, &self.key, self.param("versionId"), none)
            .await?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    /// What the request wants kept with the object.
    pub(super) fn object_headers(&self) -> ObjectHeaders {
        let get = |name: &str| self.header(name).map(str::to_owned);
        let encoding = self.header("content-encoding").map(|encoding| {
            let kept: Vec<_> = encoding
                .split(',')
                .map(str::trim)
                .filter(|one| *one != "aws-chunked")
                .collect();
            kept.join(",")
        });
        let metadata = self.head.headers.iter().filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("x-amz-meta-")?;
            Some((
                name.to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            ))
        });
        ObjectHeaders {
            content_type: get("content-type"),
            cache_control: get("cache-control"),
            content_disposition: get("content-disposition"),
            content_encoding: encoding.filter(|encoding| !encoding.is_empty()),
            content_language: get("content-language"),
            expires: get("expires"),
            metadata: metadata.collect(),
            sse: get("x-amz-server-side-encryption"),
            sse_kms_key: get("x-amz-server-side-encryption-aws-kms-key-id"),
            tags: form(self.header("x-amz-tagging").unwrap_or_default().as_bytes())
                .into_iter()
                .collect(),
            checksums: BTreeMap::new(),
        }
    }

    /// `If-Match` and `If-None-Match` of a write.
    pub(super) fn condition(&self) -> Result<Condition, S3Fault> {
        match (self.header("if-none-match"), self.header("if-match")) {
            (None, None) => Ok(Condition::Always),
            (Some("*"), None) => Ok(Condition::Absent),
            (None, Some(etag)) => Ok(Condition::Etag(etag.trim_matches('"').to_owned())),
            _ => Err(S3Fault::not_built("writes with If-None-Match other than *")),
        }
    }

    fn describe(&self, info: &ObjectInfo, out: &mut HeaderMap) {
        let kept = &info.headers;
        set(out, "etag", format!("\"{}\"", info.etag));
        set(out, "last-modified", range::http_date(info.last_modified));
        set(out, "accept-ranges", "bytes");
        set(
            out,
            "content-type",
            kept.content_type
                .as_deref()
                .unwrap_or("binary/octet-stream"),
        );
        let optional = [
            ("cache-control", &kept.cache_control),
            ("content-disposition", &kept.content_disposition),
            ("content-encoding", &kept.content_encoding),
            ("content-language", &kept.content_language),
            ("expires", &kept.expires),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                set(out, name, value);
            }
        }
        for (name, value) in &kept.metadata {
            set(out, &format!("x-amz-meta-{name}"), value);
        }
        if !kept.tags.is_empty() {
            set(out, "x-amz-tagging-count", kept.tags.len());
        }
        stored_as(info, out);
    }

    /// `response-content-type` and the like, which presigned URLs use.
    fn override_headers(&self, out: &mut HeaderMap) {
        for name in [
            "content-type",
            "content-language",
            "expires",
            "cache-control",
            "content-disposition",
            "content-encoding",
        ] {
            if let Some(value) = self.param(&format!("response-{name}")) {
                set(out, name, value);
            }
        }
    }
}

/// The bytes of a file, from `first` on.
pub(super) async fn open(path: &Path, first: u64, length: u64) -> io::Result<Body> {
    if length == 0 {
        return Ok(Body::empty());
    }
    let mut file = tokio::fs::File::open(path).await?;
    if first > 0 {
        file.seek(io::SeekFrom::Start(first)).await?;
    }
    let mut part = file.take(length);
    if length <= SMALL {
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        part.read_to_end(&mut bytes).await?;
        return Ok(Body::from(bytes));
    }
    Ok(Body::from_stream(
        ReaderStream::with_capacity(part, 256 * 1024).boxed(),
    ))
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> S3Fault {
    tracing::error!(path = %path.display(), %error, "an object's file cannot be read");
    S3Fault::new(500, "InternalError", "the object's file cannot be read")
}

/// Version and encryption.
pub(super) fn stored_as(info: &ObjectInfo, out: &mut HeaderMap) {
    if let Some(version) = &info.version_id {
        set(out, "x-amz-version-id", version);
    }
    if let Some(sse) = &info.headers.sse {
        set(out, "x-amz-server-side-encryption", sse);
    }
    if let Some(key) = &info.headers.sse_kms_key {
        set(out, "x-amz-server-side-encryption-aws-kms-key-id", key);
    }
}

/// Sets a header; a value that no header can have is left out.
pub(super) fn set(out: &mut HeaderMap, name: &str, value: impl ToString) {
    let name = HeaderName::from_bytes(name.as_bytes());
    let value = HeaderValue::from_maybe_shared(bytes::Bytes::from(value.to_string()));
    if let (Ok(name), Ok(value)) = (name, value) {
        out.insert(name, value);
    }
}
