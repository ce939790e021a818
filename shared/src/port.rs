//! One small trait per capability. Each has a real implementation (`shared-aws`), an in-memory one and a
//! failing one (`shared-testkit`).

use std::{future::Future, path::Path, time::Duration};

use jiff::Timestamp;

use crate::{
    id::{BucketName, JobId, ObjectKey},
    job::{ArtifactCredentials, ArtifactRef, Report},
};

mod answer;
mod hosting;
mod ledger;
mod machines;
mod services;

pub use answer::answered;
pub use hosting::{
    ArtifactFiles, CustomType, JobSource, Polled, SecretStore, TaskCallback, TaskOutcome,
};
pub use ledger::{
    Intent, Ledger, LedgerEntry, OpenJob, OpenJobs, OpenRun, OpenRuns, Shelf, WaitingTask,
    WaitingTasks,
};
pub use machines::{Execution, ExecutionStart, StateMachines};
pub use services::{Service, ServiceCall, Services};

/// Why a port call failed, in the words a decision needs.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The thing is not there.
    #[error("{what} was not found")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// The service refused.
    #[error("{what} was refused")]
    Denied {
        /// What was refused.
        what: String,
    },
    /// A condition did not hold: somebody else was first, or the state has moved on.
    #[error("{what}: the condition did not hold")]
    Conflict {
        /// Which condition.
        what: String,
    },
    /// Throttled, cut off, timed out, 5xx: the call may or may not have happened.
    #[error("{what} could not be reached")]
    Unavailable {
        /// Which service.
        what: String,
        /// The client's own error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The service says that the request is wrong.
    #[error("{what} was rejected: {message}")]
    Invalid {
        /// Which request.
        what: String,
        /// The service's words.
        message: String,
    },
}

/// Time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Waiting, so that nothing here depends on an async runtime.
pub trait Timer: Send + Sync {
    /// Resolves after `time`.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// Tells CodePipeline how a job ended. `Conflict` means the job has already a result (`InvalidJobState`).
pub trait JobReporter: Send + Sync {
    /// Sends the one report.
    fn report(
        &self,
        job: &JobId,
        report: &Report,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Reads and writes artifacts with a job's own credentials, through files, so that memory stays flat.
pub trait Artifacts: Send + Sync {
    /// Streams the artifact into `to`; refuses more than `limit` bytes. Answers the size in bytes.
    fn download(
        &self,
        credentials: Option<&ArtifactCredentials>,
        artifact: &ArtifactRef,
        to: &Path,
        limit: u64,
    ) -> impl Future<Output = Result<u64, PortError>> + Send;

    /// Uploads the file `from` as the artifact, with the job's KMS key when it has one.
    fn upload(
        &self,
        credentials: Option<&ArtifactCredentials>,
        artifact: &ArtifactRef,
        encryption_key: Option<&str>,
        from: &Path,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// One object of a bucket listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: ObjectKey,
    /// Its ETag without quotes; the MD5 of the bytes for single-part uploads without KMS.
    pub etag: String,
    /// Bytes.
    pub size: u64,
}

/// How an object is stored for a web site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SiteHeaders {
    /// `Content-Type`.
    pub content_type: String,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// User metadata (`x-amz-meta-…`), for finding unchanged objects.
    pub metadata: Vec<(String, String)>,
}

/// A bucket that a site is published to, with the function's own role.
pub trait SiteBucket: Send + Sync {
    /// All objects below the prefix, in key order.
    fn list(
        &self,
        bucket: &BucketName,
        prefix: &str,
    ) -> impl Future<Output = Result<Vec<Listed>, PortError>> + Send;
    /// Content type, cache control and metadata as stored.
    fn head(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> impl Future<Output = Result<SiteHeaders, PortError>> + Send;
    /// Puts one file.
    fn put(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        headers: &SiteHeaders,
        from: &Path,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Deletes objects; absent ones are no error.
    fn delete(
        &self,
        bucket: &BucketName,
        keys: &[ObjectKey],
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Empties a CDN's cache.
pub trait CacheInvalidator: Send + Sync {
    /// Invalidates paths of a CloudFront distribution; the caller reference makes a repeat harmless. Answers the invalidation's id.
    fn invalidate(
        &self,
        distribution: &str,
        paths: &[String],
        caller_reference: &str,
    ) -> impl Future<Output = Result<String, PortError>> + Send;
}

/// What a page answered.
#[derive(Debug, Clone)]
pub struct PageAnswer {
    /// HTTP status.
    pub status: u16,
    /// Body, cut at the limit asked for.
    pub body: Vec<u8>,
    /// From request to last byte read.
    pub took: Duration,
}

/// Fetches one page, redirects not followed.
pub trait PageFetcher: Send + Sync {
    /// GETs the address; `Unavailable` when no HTTP answer came within `timeout`.
    fn get(
        &self,
        url: &str,
        timeout: Duration,
        body_limit: usize,
    ) -> impl Future<Output = Result<PageAnswer, PortError>> + Send;
}

/// Publishes to an SNS topic.
pub trait Topic: Send + Sync {
    /// Publishes one message.
    fn publish(
        &self,
        topic_arn: &str,
        subject: &str,
        message: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
