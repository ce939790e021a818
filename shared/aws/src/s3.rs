//! How every S3 client here is made.

use aws_sdk_s3::{Client, config::Builder};
use shared::job::ArtifactCredentials;

use crate::sdk::Aws;

/// A client with a job's credentials or, without them, the function's own. It shares connections with all others.
pub(crate) fn client(aws: &Aws, job: Option<&ArtifactCredentials>) -> Client {
    let config = aws.transfer_config(job);
    // Emulators and proxies seldom have a name for each bucket.
    let by_path = config.endpoint_url().is_some();
    Client::from_conf(Builder::from(&config).force_path_style(by_path).build())
}
