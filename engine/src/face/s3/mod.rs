//! S3 over HTTP: REST and XML over the object store.

use axum::{body::Body, response::Response};
use http::{Method, header, request::Parts};

use super::{
    call::{decode, form},
    route::text,
};
use crate::{app::App, vault::Scope};

mod body;
mod bucket;
pub mod chunked;
mod fault;
mod multipart;
mod notify;
mod object;
mod operation;
mod range;
pub mod site;
pub(crate) mod xml;

pub use fault::S3Fault;
use operation::Operation;

/// What is published runs in the browser of whoever looks; on this address it must not act as the console or an
/// approver.
const SANDBOX: &str = "sandbox allow-scripts allow-forms allow-popups";

/// What the caller's credentials open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Everything: any ordinary credentials.
    Full,
    /// A job's objects.
    Scoped(Scope),
    /// Web site buckets, reading only.
    Anonymous,
}

/// One request, its path and query taken apart.
pub struct S3Call<'a> {
    app: &'a App,
    head: &'a Parts,
    bucket: String,
    key: String,
    query: Vec<(String, String)>,
}

/// Answers one request.
pub async fn answer(
    app: &App,
    access: &Access,
    host_bucket: Option<String>,
    head: Parts,
    body: Body,
    request_id: &str,
) -> Response {
    let (bucket, key) = names(head.uri.path(), host_bucket);
    let query = form(head.uri.query().unwrap_or_default().as_bytes());
    let resource = if key.is_empty() {
        format!("/{bucket}")
    } else {
        format!("/{bucket}/{key}")
    };
    let call = S3Call {
        app,
        head: &head,
        bucket,
        key,
        query,
    };
    let answered = match call.operation() {
        Ok(operation) => match call.check_access(access, operation).await {
            Ok(()) => call.perform(operation, body).await,
            Err(fault) => Err(fault),
        },
        Err(fault) => Err(fault),
    };
    let mut response = answered.unwrap_or_else(|fault| {
        fault.into_response(&resource, request_id, head.method == Method::HEAD)
    });
    if head.headers.get(header::AUTHORIZATION).is_none() {
        object::set(response.headers_mut(), "content-security-policy", SANDBOX);
    }
    response
}

/// The IAM actions of a request; none of what is not built.
pub fn actions(head: &Parts, host_bucket: Option<&str>) -> Vec<&'static str> {
    let (bucket, key) = names(head.uri.path(), host_bucket.map(str::to_owned));
    let query = form(head.uri.query().unwrap_or_default().as_bytes());
    let copies = head.headers.contains_key("x-amz-copy-source");
    let (bucket, key) = (!bucket.is_empty(), !key.is_empty());
    let Ok(operation) = operation::operation(&head.method, bucket, key, &query, copies) else {
        return Vec::new();
    };
    let mut actions = operation.actions().to_vec();
    if head.headers.contains_key("x-amz-object-lock-mode") {
        actions.push("s3:PutObjectRetention");
    }
    actions
}

/// Bucket and key of a path, decoded.
fn names(path: &str, host_bucket: Option<String>) -> (String, String) {
    let path = path.strip_prefix('/').unwrap_or(path);
    match host_bucket {
        Some(bucket) => (bucket, decode(path)),
        None => {
            let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
            (decode(bucket), decode(key))
        }
    }
}

impl S3Call<'_> {
    fn operation(&self) -> Result<Operation, S3Fault> {
        let copies = self.header("x-amz-copy-source").is_some();
        operation::operation(
            &self.head.method,
            !self.bucket.is_empty(),
            !self.key.is_empty(),
            &self.query,
            copies,
        )
        .map_err(|name| S3Fault::not_built(&name))
    }

    async fn check_access(&self, access: &Access, operation: Operation) -> Result<(), S3Fault> {
        let (bucket, key) = (&self.bucket, &self.key);
        let open = match access {
            Access::Full => true,
            Access::Scoped(scope) => {
                (operation.reads_object() && scope.may_read(bucket, key))
                    || (operation.writes_object()
                        && scope.may_write(bucket, key)
                        && self.may_copy(scope))
            }
            Access::Anonymous => {
                operation.reads_object() && self.app.objects.bucket(bucket).await?.website
            }
        };
        if open {
            Ok(())
        } else {
            Err(S3Fault::access_denied(format!(
                "{operation:?} is not allowed"
            )))
        }
    }

    /// Whether the source of a copy may be read (true for anything that is no copy).
    fn may_copy(&self, scope: &Scope) -> bool {
        match self.copy_source() {
            Ok(Some((bucket, key, _))) => scope.may_read(&bucket, &key),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Bucket, key and version that `x-amz-copy-source` names.
    fn copy_source(&self) -> Result<Option<(String, String, Option<String>)>, S3Fault> {
        let Some(source) = self.header("x-amz-copy-source") else {
            return Ok(None);
        };
        let (path, version) = match source.split_once("?versionId=") {
            Some((path, version)) => (path, Some(version.to_owned())),
            None => (source, None),
        };
        let path = decode(path);
        match path.trim_start_matches('/').split_once('/') {
            Some((bucket, key)) if !key.is_empty() => {
                Ok(Some((bucket.to_owned(), key.to_owned(), version)))
            }
            _ => Err(S3Fault::invalid("x-amz-copy-source is not BUCKET/KEY")),
        }
    }

    async fn perform(&self, operation: Operation, body: Body) -> Result<Response, S3Fault> {
        match operation {
            Operation::ListBuckets => self.list_buckets().await,
            Operation::CreateBucket => self.create_bucket().await,
            Operation::HeadBucket => self.head_bucket().await,
            Operation::DeleteBucket => self.delete_bucket().await,
            Operation::GetBucketLocation => self.location().await,
            Operation::GetBucketVersioning => self.versioning().await,
            Operation::PutBucketVersioning => self.set_versioning(body).await,
            Operation::GetBucketNotificationConfiguration => self.notifications().await,
            Operation::PutBucketNotificationConfiguration => self.set_notifications(body).await,
            Operation::GetBucketWebsite => self.website().await,
            Operation::PutBucketWebsite => self.set_website(true).await,
            Operation::DeleteBucketWebsite => self.set_website(false).await,
            Operation::ListObjects => self.list(1).await,
            Operation::ListObjectsV2 => self.list(2).await,
            Operation::ListObjectVersions => self.list_versions().await,
            Operation::ListMultipartUploads => self.list_uploads().await,
            Operation::DeleteObjects => self.delete_objects(body).await,
            Operation::GetObject | Operation::HeadObject => self.get(operation).await,
            Operation::PutObject => self.put(body).await,
            Operation::CopyObject => self.copy().await,
            Operation::DeleteObject => self.delete().await,
            Operation::GetObjectTagging => self.tags().await,
            Operation::PutObjectTagging => self.set_tags(body).await,
            Operation::DeleteObjectTagging => self.delete_tags().await,
            Operation::CreateMultipartUpload => self.create_upload().await,
            Operation::UploadPart => self.upload_part(body).await,
            Operation::UploadPartCopy => self.upload_part_copy().await,
            Operation::CompleteMultipartUpload => self.complete_upload(body).await,
            Operation::AbortMultipartUpload => self.abort_upload().await,
            Operation::ListParts => self.list_parts().await,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        text(&self.head.headers, name)
    }

    fn param(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(n, _)| n == name)?;
        Some(found.1.as_str())
    }

    /// A number of the query.
    fn number(&self, name: &str) -> Result<Option<u32>, S3Fault> {
        self.param(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    S3Fault::invalid(format!(
                        "Provided {name} not an integer or within integer range"
                    ))
                })
            })
            .transpose()
    }
}
