//! Starts the function.

use std::{convert::Infallible, process::ExitCode};

use action_publish_site::PublishSite;
use shared_aws::{
    artifacts::S3Artifacts, bootstrap::run_action, cloudfront::CloudFront, site_bucket::S3Site,
};

fn main() -> ExitCode {
    run_action(|aws| {
        Ok::<_, Infallible>(PublishSite::new(
            S3Artifacts::new(aws),
            S3Site::new(aws),
            CloudFront::new(aws),
        ))
    })
}
