//! The only code that knows the AWS SDK and the Lambda runtime: ports, bootstrap, real clock and environment.

pub mod approval_store;
pub mod artifacts;
pub mod bootstrap;
pub mod clock;
pub mod cloudfront;
pub mod codepipeline;
pub mod deadline;
pub mod entropy;
pub mod environment;
mod error;
mod http;
pub mod http_entry;
pub mod ledger;
mod log;
pub mod mail;
pub mod page;
pub mod pipelines;
mod s3;
pub mod sdk;
pub mod signer;
pub mod site_bucket;
pub mod sns_entry;
pub mod topic;

#[cfg(test)]
mod tests;
