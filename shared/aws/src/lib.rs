//! The only code that knows the AWS SDK and the Lambda runtime: ports, bootstrap, real clock and environment.

pub mod artifacts;
pub mod bootstrap;
pub mod clock;
pub mod cloudfront;
pub mod codepipeline;
pub mod deadline;
pub mod environment;
mod error;
mod http;
pub mod ledger;
mod log;
pub mod page;
mod s3;
pub mod sdk;
pub mod site_bucket;
pub mod topic;
