//! The local side of AWS services: one listener, routed by SigV4 scope or target header.

pub mod call;
pub mod codepipeline;
pub mod dynamodb;
pub mod kms;
pub mod lambda;
pub mod s3;
pub mod ses;
pub mod sns;
pub mod sts;
pub mod upstream;

pub use call::{Call, Caller, Fault, JsonAnswer, XmlAnswer};
