//! The only code that knows the AWS SDK and the Lambda runtime: ports, bootstrap, real clock and environment.

pub mod approval_store;
mod approver;
pub mod artifacts;
mod audit_store;
pub mod bootstrap;
pub mod chats;
pub mod clock;
pub mod cloudfront;
pub mod codepipeline;
pub mod conditions;
pub mod deadline;
pub mod entropy;
pub mod environment;
mod error;
pub mod hosting;
mod http;
pub mod http_entry;
pub mod invoke;
mod jobs;
pub mod ledger;
mod log;
pub mod mail;
pub mod page;
pub mod pipelines;
pub mod provider;
mod rest;
pub mod rpc;
pub mod rs256;
pub mod rules;
mod s3;
pub mod sdk;
pub mod secrets;
pub mod signer;
pub mod site_bucket;
pub mod sns_entry;
pub mod starts;
pub mod step_functions;
pub mod task_tokens;
pub mod topic;
mod web;
pub mod witness;

#[cfg(test)]
mod tests;
