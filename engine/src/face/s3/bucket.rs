//! Buckets and listings.

use axum::{body::Body, response::Response};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use http::StatusCode;

use super::{S3Call, S3Fault, object::set, xml};
use crate::store::objects::{BucketSettings, ListQuery, ObjectInfo, VersionQuery, Versioning};

/// The account's canonical user, as listings show an owner.
const OWNER: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Most keys of one DeleteObjects.
const DELETE_LIMIT: usize = 1_000;

impl S3Call<'_> {
    pub(super) async fn list_buckets(&self) -> Result<Response, S3Fault> {
        let buckets = self.app.objects.list_buckets().await?;
        let prefix = self.param("prefix").unwrap_or_default();
        let mut out = xml::Writer::default();
        out.nested("Owner", |out| {
            out.text("ID", OWNER);
        });
        out.nested("Buckets", |out| {
            for bucket in buckets
                .iter()
                .filter(|bucket| bucket.name.starts_with(prefix))
            {
                out.nested("Bucket", |out| {
                    out.text("Name", &bucket.name)
                        .text("CreationDate", xml::time(bucket.created));
                });
            }
        });
        Ok(out.respond("ListAllMyBucketsResult"))
    }

    pub(super) async fn create_bucket(&self) -> Result<Response, S3Fault> {
        self.app
            .objects
            .create_bucket(&self.bucket, BucketSettings::default())
            .await?;
        let mut response = Response::new(Body::empty());
        set(
            response.headers_mut(),
            "location",
            format!("/{}", self.bucket),
        );
        Ok(response)
    }

    pub(super) async fn head_bucket(&self) -> Result<Response, S3Fault> {
        self.app.objects.bucket(&self.bucket).await?;
        let mut response = Response::new(Body::empty());
        set(
            response.headers_mut(),
            "x-amz-bucket-region",
            &self.app.config.engine.region,
        );
        Ok(response)
    }

    pub(super) async fn delete_bucket(&self) -> Result<Response, S3Fault> {
        self.app.objects.delete_bucket(&self.bucket).await?;
        self.notify(false)?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    pub(super) async fn location(&self) -> Result<Response, S3Fault> {
        self.app.objects.bucket(&self.bucket).await?;
        let region = self.app.config.engine.region.as_str();
        // us-east-1 is the empty constraint. The root element itself holds the text.
        let text = if region == "us-east-1" { "" } else { region };
        Ok(xml::Writer::default()
            .raw(text)
            .respond("LocationConstraint"))
    }

    pub(super) async fn versioning(&self) -> Result<Response, S3Fault> {
        let status = match self.app.objects.bucket(&self.bucket).await?.versioning {
            Versioning::Off => None,
            Versioning::Enabled => Some("Enabled"),
            Versioning::Suspended => Some("Suspended"),
        };
        Ok(xml::Writer::default()
            .optional("Status", status)
            .respond("VersioningConfiguration"))
    }

    pub(super) async fn set_versioning(&self, wire: Body) -> Result<Response, S3Fault> {
        let versioning = match xml::read(wire).await?.child("Status") {
            Some("Enabled") => Versioning::Enabled,
            Some("Suspended") => Versioning::Suspended,
            _ => {
                return Err(S3Fault::malformed(
                    "Status is neither Enabled nor Suspended",
                ));
            }
        };
        self.app
            .objects
            .set_versioning(&self.bucket, versioning)
            .await?;
        Ok(Response::new(Body::empty()))
    }

    pub(super) async fn website(&self) -> Result<Response, S3Fault> {
        if !self.app.objects.bucket(&self.bucket).await?.website {
            return Err(S3Fault::new(
                404,
                "NoSuchWebsiteConfiguration",
                "The specified bucket does not have a website configuration",
            ));
        }
        let mut out = xml::Writer::default();
        out.nested("IndexDocument", |out| {
            out.text("Suffix", "index.html");
        });
        out.nested("ErrorDocument", |out| {
            out.text("Key", "404.html");
        });
        Ok(out.respond("WebsiteConfiguration"))
    }

    pub(super) async fn set_website(&self, website: bool) -> Result<Response, S3Fault> {
        self.app.objects.set_website(&self.bucket, website).await?;
        let mut response = Response::new(Body::empty());
        if !website {
            *response.status_mut() = StatusCode::NO_CONTENT;
        }
        Ok(response)
    }

    pub(super) async fn list(&self, version: u8) -> Result<Response, S3Fault> {
        let prefix = self.param("prefix").unwrap_or_default();
        let max = self.number("max-keys")?.unwrap_or(1_000).min(1_000);
        let after = match (version, self.param("continuation-token")) {
            (1, _) => self.param("marker").map(str::to_owned),
            (_, Some(token)) => Some(
                BASE64
                    .decode(token)
                    .ok()
                    .and_then(|key| String::from_utf8(key).ok())
                    .ok_or_else(|| {
                        S3Fault::invalid("The continuation token provided is incorrect")
                    })?,
            ),
            (_, None) => self.param("start-after").map(str::to_owned),
        };
        let query = ListQuery {
            prefix: prefix.to_owned(),
            delimiter: self.delimiter(),
            after,
            max: Some(max as usize),
        };
        let listing = self.app.objects.list(&self.bucket, query).await?;
        let truncated = if listing.next.is_some() {
            "true"
        } else {
            "false"
        };
        let mut out = xml::Writer::default();
        out.text("Name", &self.bucket)
            .text("Prefix", self.encoded(prefix));
        out.optional("Delimiter", self.delimiter().map(|d| self.encoded(&d)));
        out.text("MaxKeys", max.to_string())
            .optional("EncodingType", self.param("encoding-type"));
        out.text("IsTruncated", truncated);
        if version == 1 {
            out.text(
                "Marker",
                self.encoded(self.param("marker").unwrap_or_default()),
            );
            let next = listing
                .next
                .as_ref()
                .filter(|_| self.param("delimiter").is_some());
            out.optional("NextMarker", next.map(|next| self.encoded(next)));
        } else {
            let count = listing.objects.len() + listing.common_prefixes.len();
            out.text("KeyCount", count.to_string());
            out.optional(
                "StartAfter",
                self.param("start-after").map(|key| self.encoded(key)),
            );
            out.optional("ContinuationToken", self.param("continuation-token"));
            out.optional(
                "NextContinuationToken",
                listing.next.as_ref().map(|key| BASE64.encode(key)),
            );
        }
        let owner = version == 1 || self.param("fetch-owner") == Some("true");
        for object in &listing.objects {
            out.nested("Contents", |out| {
                self.object(object, out);
                if owner {
                    out.nested("Owner", |out| {
                        out.text("ID", OWNER);
                    });
                }
            });
        }
        self.common_prefixes(&listing.common_prefixes, &mut out);
        Ok(out.respond("ListBucketResult"))
    }

    pub(super) async fn list_versions(&self) -> Result<Response, S3Fault> {
        let prefix = self.param("prefix").unwrap_or_default();
        let max = self.number("max-keys")?.unwrap_or(1_000).min(1_000);
        let some = |name: &str| {
            self.param(name)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let query = VersionQuery {
            prefix: prefix.to_owned(),
            delimiter: self.delimiter(),
            key_marker: some("key-marker"),
            version_marker: some("version-id-marker"),
            max: Some(max as usize),
        };
        let listing = self.app.objects.list_versions(&self.bucket, query).await?;
        let truncated = if listing.next.is_some() {
            "true"
        } else {
            "false"
        };
        let mut out = xml::Writer::default();
        out.text("Name", &self.bucket)
            .text("Prefix", self.encoded(prefix));
        out.optional("Delimiter", self.delimiter().map(|d| self.encoded(&d)));
        out.text("MaxKeys", max.to_string())
            .optional("EncodingType", self.param("encoding-type"));
        out.text(
            "KeyMarker",
            self.encoded(self.param("key-marker").unwrap_or_default()),
        );
        out.text(
            "VersionIdMarker",
            self.param("version-id-marker").unwrap_or_default(),
        );
        out.text("IsTruncated", truncated);
        if let Some((key, version)) = &listing.next {
            out.text("NextKeyMarker", self.encoded(key));
            out.optional("NextVersionIdMarker", version.as_ref());
        }
        for version in &listing.versions {
            let name = if version.delete_marker {
                "DeleteMarker"
            } else {
                "Version"
            };
            out.nested(name, |out| {
                out.text("VersionId", version.version_id.as_deref().unwrap_or("null"));
                out.text("IsLatest", if version.latest { "true" } else { "false" });
                if version.delete_marker {
                    out.text("Key", self.encoded(&version.key));
                    out.text("LastModified", xml::time(version.last_modified));
                } else {
                    self.object(version, out);
                }
                out.nested("Owner", |out| {
                    out.text("ID", OWNER);
                });
            });
        }
        self.common_prefixes(&listing.common_prefixes, &mut out);
        Ok(out.respond("ListVersionsResult"))
    }

    pub(super) async fn delete_objects(&self, wire: Body) -> Result<Response, S3Fault> {
        let delete = xml::read(wire).await?;
        let quiet = delete.child("Quiet") == Some("true");
        let objects: Vec<_> = delete.all("Object").collect();
        if objects.is_empty() || objects.len() > DELETE_LIMIT {
            return Err(S3Fault::malformed(format!(
                "between 1 and {DELETE_LIMIT} Objects are deleted at once"
            )));
        }
        self.app.objects.bucket(&self.bucket).await?;
        let mut out = xml::Writer::default();
        for object in objects {
            let key = object.child("Key").unwrap_or_default();
            let version = object
                .child("VersionId")
                .filter(|version| !version.is_empty());
            match self.app.objects.delete(&self.bucket, key, version).await {
                Ok(_) if quiet => {}
                Ok(deleted) => {
                    out.nested("Deleted", |out| {
                        out.text("Key", key).optional("VersionId", version);
                        if deleted.delete_marker {
                            out.text("DeleteMarker", "true");
                            out.optional("DeleteMarkerVersionId", deleted.version_id.as_ref());
                        }
                    });
                }
                Err(error) => {
                    let fault = S3Fault::from(error);
                    out.nested("Error", |out| {
                        out.text("Key", key)
                            .text("Code", &fault.code)
                            .text("Message", &fault.message);
                    });
                }
            }
        }
        Ok(out.respond("DeleteResult"))
    }

    fn delimiter(&self) -> Option<String> {
        self.param("delimiter")
            .filter(|delimiter| !delimiter.is_empty())
            .map(str::to_owned)
    }

    fn object(&self, info: &ObjectInfo, out: &mut xml::Writer) {
        out.text("Key", self.encoded(&info.key));
        out.text("LastModified", xml::time(info.last_modified));
        out.text("ETag", format!("\"{}\"", info.etag));
        out.text("Size", info.size.to_string())
            .text("StorageClass", "STANDARD");
    }

    fn common_prefixes(&self, prefixes: &[String], out: &mut xml::Writer) {
        for prefix in prefixes {
            out.nested("CommonPrefixes", |out| {
                out.text("Prefix", self.encoded(prefix));
            });
        }
    }

    /// `encoding-type=url` asks for names that XML cannot spoil.
    fn encoded(&self, name: &str) -> String {
        const KEPT: percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC
            .remove(b'-')
            .remove(b'_')
            .remove(b'.')
            .remove(b'*')
            .remove(b'/');
        if self.param("encoding-type") == Some("url") {
            percent_encoding::utf8_percent_encode(name, &KEPT).to_string()
        } else {
            name.to_owned()
        }
    }
}
