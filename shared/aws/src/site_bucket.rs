//! The bucket of a web site, with the function's own role.

use std::{path::Path, sync::OnceLock};

use aws_sdk_s3::{
    Client,
    types::{Delete, ObjectIdentifier},
};
use aws_smithy_types::byte_stream::ByteStream;
use shared::{
    id::{BucketName, ObjectKey},
    port::{Listed, PortError, SiteBucket, SiteHeaders},
};

use crate::{error::chain, s3, sdk::Aws};

/// Lists, puts and deletes a site's objects.
#[derive(Debug)]
pub struct S3Site {
    aws: Aws,
    client: OnceLock<Client>,
}

/// `DeleteObjects` takes at most this many keys.
const DELETE_BATCH: usize = 1000;

impl S3Site {
    /// Makes no client yet.
    pub fn new(aws: &Aws) -> Self {
        Self {
            aws: aws.clone(),
            client: OnceLock::new(),
        }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| s3::client(&self.aws, None))
    }
}

impl SiteBucket for S3Site {
    async fn list(&self, bucket: &BucketName, prefix: &str) -> Result<Vec<Listed>, PortError> {
        let what = format!("listing the bucket {bucket}");
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let request = self
                .client()
                .list_objects_v2()
                .bucket(bucket.as_str())
                .set_prefix(Some(prefix.to_owned()).filter(|text| !text.is_empty()))
                .set_continuation_token(token);
            let page = self.aws.call(&what, request.send()).await?;
            for object in page.contents() {
                found.push(Listed {
                    key: key(&what, object.key())?,
                    etag: object
                        .e_tag()
                        .unwrap_or_default()
                        .trim_matches('"')
                        .to_owned(),
                    size: object
                        .size()
                        .and_then(|n| u64::try_from(n).ok())
                        .unwrap_or(0),
                });
            }
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn head(&self, bucket: &BucketName, key: &ObjectKey) -> Result<SiteHeaders, PortError> {
        let what = format!("looking at {bucket}/{key}");
        let request = self
            .client()
            .head_object()
            .bucket(bucket.as_str())
            .key(key.as_str());
        let head = self.aws.call(&what, request.send()).await?;
        let mut metadata: Vec<_> = head
            .metadata()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        metadata.sort();
        Ok(SiteHeaders {
            content_type: head.content_type().unwrap_or_default().to_owned(),
            cache_control: head.cache_control().map(str::to_owned),
            metadata,
        })
    }

    async fn put(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        headers: &SiteHeaders,
        from: &Path,
    ) -> Result<(), PortError> {
        let what = format!("putting {bucket}/{key}");
        let body = ByteStream::from_path(from)
            .await
            .map_err(|error| PortError::Invalid {
                what: what.clone(),
                message: format!("the function's own disk: {}", chain(&error)),
            })?;
        let mut request = self
            .client()
            .put_object()
            .bucket(bucket.as_str())
            .key(key.as_str())
            .content_type(&headers.content_type)
            .set_cache_control(headers.cache_control.clone())
            .body(body);
        for (name, value) in &headers.metadata {
            request = request.metadata(name, value);
        }
        self.aws.call(&what, request.send()).await.map(drop)
    }

    async fn delete(&self, bucket: &BucketName, keys: &[ObjectKey]) -> Result<(), PortError> {
        let what = format!("deleting from the bucket {bucket}");
        let invalid = |message: String| PortError::Invalid {
            what: what.clone(),
            message,
        };
        for batch in keys.chunks(DELETE_BATCH) {
            let mut delete = Delete::builder().quiet(true);
            for key in batch {
                let object = ObjectIdentifier::builder().key(key.as_str()).build();
                delete = delete.objects(object.map_err(|error| invalid(error.to_string()))?);
            }
            let delete = delete.build().map_err(|error| invalid(error.to_string()))?;
            let request = self
                .client()
                .delete_objects()
                .bucket(bucket.as_str())
                .delete(delete);
            let answer = self.aws.call(&what, request.send()).await?;
            if let Some(error) = answer.errors().first() {
                let what = format!("deleting {bucket}/{}", error.key().unwrap_or_default());
                return Err(match error.code() {
                    Some("AccessDenied") => PortError::Denied { what },
                    code => PortError::Unavailable {
                        what,
                        source: code.map(|code| code.to_owned().into()),
                    },
                });
            }
        }
        Ok(())
    }
}

fn key(what: &str, text: Option<&str>) -> Result<ObjectKey, PortError> {
    text.unwrap_or_default()
        .parse()
        .map_err(|error: shared::id::IdError| PortError::Invalid {
            what: what.to_owned(),
            message: format!("a listed {error}"),
        })
}
