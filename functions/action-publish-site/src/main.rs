//! Starts the function.

use std::{convert::Infallible, process::ExitCode};

use action_publish_site::PublishSite;
use shared_aws::{
    artifacts::S3Artifacts,
    cloudfront::CloudFront,
    hosting::{Hosted, run_action},
    site_bucket::S3Site,
};

fn main() -> ExitCode {
    run_action(|aws| {
        let artifacts = S3Artifacts::new(aws);
        let action = PublishSite::new(artifacts, S3Site::new(aws), CloudFront::new(aws));
        Ok::<_, Infallible>(Hosted::new(action).reading(S3Artifacts::new(aws)))
    })
}
