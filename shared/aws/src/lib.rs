//! The only code that knows the AWS SDK and the Lambda runtime: ports, bootstrap, real clock and environment.

pub mod bootstrap;
pub mod clock;
pub mod deadline;
pub mod environment;
mod error;
mod http;
mod log;
pub mod sdk;
