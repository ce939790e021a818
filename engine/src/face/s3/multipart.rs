//! Multipart uploads.

use axum::{body::Body, response::Response};
use futures_util::StreamExt as _;
use http::StatusCode;

use super::{
    S3Call, S3Fault, body,
    object::{open, set, stored_as, unreadable},
    range::{self, Slice},
    xml,
};
use crate::store::objects::Body as StoredBody;

/// Highest part number, as S3's.
const PARTS: u32 = 10_000;

impl S3Call<'_> {
    pub(super) async fn create_upload(&self) -> Result<Response, S3Fault> {
        let headers = self.object_headers();
        let upload = self
            .app
            .objects
            .create_upload(&self.bucket, &self.key, headers)
            .await?;
        Ok(xml::Writer::default()
            .text("Bucket", &self.bucket)
            .text("Key", &self.key)
            .text("UploadId", upload)
            .respond("InitiateMultipartUploadResult"))
    }

    pub(super) async fn upload_part(&self, wire: Body) -> Result<Response, S3Fault> {
        let trailers = body::Trailers::default();
        let expected = body::Expected::of(&self.head.headers);
        let stream = body::payload(wire, expected, trailers.clone());
        let (upload, number) = (self.upload(), self.part_number()?);
        let part = self
            .app
            .objects
            .put_part(
                &self.bucket,
                &self.key,
                upload,
                number,
                StoredBody::Stream(stream),
            )
            .await?;
        let mut response = Response::new(Body::empty());
        set(response.headers_mut(), "etag", format!("\"{}\"", part.etag));
        let checksums = trailers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for (algorithm, value) in checksums.iter() {
            set(
                response.headers_mut(),
                &format!("{}{algorithm}", body::CHECKSUM),
                value,
            );
        }
        Ok(response)
    }

    pub(super) async fn upload_part_copy(&self) -> Result<Response, S3Fault> {
        let (bucket, key, version) = self
            .copy_source()?
            .ok_or_else(|| S3Fault::invalid("x-amz-copy-source is missing"))?;
        let (source, path) = self
            .app
            .objects
            .get(&bucket, &key, version.as_deref())
            .await?;
        let (first, length) =
            match range::slice(self.header("x-amz-copy-source-range"), source.size) {
                Slice::Whole => (0, source.size),
                Slice::Part { first, last } => (first, last - first + 1),
                Slice::Unsatisfiable => {
                    return Err(S3Fault::new(
                        416,
                        "InvalidRange",
                        "The requested range is not satisfiable",
                    ));
                }
            };
        let bytes = open(&path, first, length)
            .await
            .map_err(|error| unreadable(&path, &error))?;
        let stream = bytes
            .into_data_stream()
            .map(|piece| piece.map_err(std::io::Error::other))
            .boxed();
        let part = self
            .app
            .objects
            .put_part(
                &self.bucket,
                &self.key,
                self.upload(),
                self.part_number()?,
                StoredBody::Stream(stream),
            )
            .await?;
        Ok(xml::Writer::default()
            .text("LastModified", xml::time(part.last_modified))
            .text("ETag", format!("\"{}\"", part.etag))
            .respond("CopyPartResult"))
    }

    pub(super) async fn complete_upload(&self, wire: Body) -> Result<Response, S3Fault> {
        let named = xml::read(wire).await?;
        let parts = named
            .all("Part")
            .map(|part| {
                let number = part
                    .child("PartNumber")
                    .and_then(|number| number.trim().parse().ok());
                let etag = part
                    .child("ETag")
                    .map(|etag| etag.trim().trim_matches('"').to_owned());
                number
                    .zip(etag)
                    .ok_or_else(|| S3Fault::malformed("a Part has no PartNumber or no ETag"))
            })
            .collect::<Result<Vec<(u32, String)>, S3Fault>>()?;
        let info = self
            .app
            .objects
            .complete_upload(
                &self.bucket,
                &self.key,
                self.upload(),
                parts,
                self.condition()?,
            )
            .await?;
        self.created(&info, "CompleteMultipartUpload").await?;
        let mut response = xml::Writer::default()
            .text(
                "Location",
                format!("{}/{}/{}", self.app.base_url, self.bucket, self.key),
            )
            .text("Bucket", &self.bucket)
            .text("Key", &self.key)
            .text("ETag", format!("\"{}\"", info.etag))
            .respond("CompleteMultipartUploadResult");
        stored_as(&info, response.headers_mut());
        Ok(response)
    }

    pub(super) async fn abort_upload(&self) -> Result<Response, S3Fault> {
        self.app
            .objects
            .abort_upload(&self.bucket, &self.key, self.upload())
            .await?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    pub(super) async fn list_parts(&self) -> Result<Response, S3Fault> {
        let parts = self
            .app
            .objects
            .list_parts(&self.bucket, &self.key, self.upload())
            .await?;
        let after = self.number("part-number-marker")?.unwrap_or(0);
        let max = self.number("max-parts")?.unwrap_or(1_000).min(1_000) as usize;
        let rest: Vec<_> = parts.iter().filter(|part| part.number > after).collect();
        let page = &rest[..rest.len().min(max)];
        let mut out = xml::Writer::default();
        out.text("Bucket", &self.bucket)
            .text("Key", &self.key)
            .text("UploadId", self.upload());
        out.text("PartNumberMarker", after.to_string())
            .text("MaxParts", max.to_string());
        out.text(
            "IsTruncated",
            if page.len() < rest.len() {
                "true"
            } else {
                "false"
            },
        );
        out.optional(
            "NextPartNumberMarker",
            page.last().map(|part| part.number.to_string()),
        );
        for part in page {
            out.nested("Part", |out| {
                out.text("PartNumber", part.number.to_string());
                out.text("LastModified", xml::time(part.last_modified));
                out.text("ETag", format!("\"{}\"", part.etag))
                    .text("Size", part.size.to_string());
            });
        }
        Ok(out.respond("ListPartsResult"))
    }

    pub(super) async fn list_uploads(&self) -> Result<Response, S3Fault> {
        let uploads = self.app.objects.list_uploads(&self.bucket).await?;
        let prefix = self.param("prefix").unwrap_or_default();
        let mut out = xml::Writer::default();
        out.text("Bucket", &self.bucket)
            .text("Prefix", prefix)
            .text("IsTruncated", "false");
        for upload in uploads
            .iter()
            .filter(|upload| upload.key.starts_with(prefix))
        {
            out.nested("Upload", |out| {
                out.text("Key", &upload.key).text("UploadId", &upload.id);
                out.text("Initiated", xml::time(upload.started))
                    .text("StorageClass", "STANDARD");
            });
        }
        Ok(out.respond("ListMultipartUploadsResult"))
    }

    fn upload(&self) -> &str {
        self.param("uploadId").unwrap_or_default()
    }

    fn part_number(&self) -> Result<u32, S3Fault> {
        match self.number("partNumber")? {
            Some(number @ 1..=PARTS) => Ok(number),
            _ => Err(S3Fault::invalid(format!(
                "Part number must be an integer between 1 and {PARTS}, inclusive"
            ))),
        }
    }
}
