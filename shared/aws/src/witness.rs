//! Anchors of the audit chain in an S3 bucket with Object Lock.

use jiff::Timestamp;
use shared::{
    approval::audit::{self, port::Witness},
    port::PortError,
};

use crate::{
    rest::{Rest, RestCall, encoded},
    sdk::Aws,
};

/// `s3:PutObject` and `s3:PutObjectRetention` in one bucket. Without a bucket nothing is kept.
#[derive(Debug)]
pub struct LockedBucket {
    rest: Rest,
    bucket: String,
}

impl LockedBucket {
    /// The bucket of this name, made with Object Lock, where there is one.
    pub fn of(aws: &Aws, bucket: Option<&str>) -> Option<Self> {
        bucket.map(|bucket| Self {
            rest: Rest::new(aws),
            bucket: bucket.to_owned(),
        })
    }
}

impl Witness for LockedBucket {
    async fn keep(&self, key: &str, text: &str, until: Timestamp) -> Result<(), PortError> {
        let what = format!("the anchor {key}");
        let path: Vec<String> = key.split('/').map(encoded).collect();
        // Kept again, it is a new version; the first one is locked and stays.
        let call = RestCall {
            what: &what,
            id: "S3",
            name: "s3",
            method: "PUT",
            path: format!("/{}/{}", self.bucket, path.join("/")),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("x-amz-checksum-sha256", audit::checksum(text)),
                ("x-amz-object-lock-mode", "COMPLIANCE".to_owned()),
                ("x-amz-object-lock-retain-until-date", format!("{until:.0}")),
            ],
            body: text.to_owned(),
        };
        self.rest.call(&call).await.map(drop)
    }
}
