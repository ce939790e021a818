//! Executions of Step Functions' state machines.

use std::future::Future;

use super::PortError;

/// What an execution is started with.
#[derive(Clone, Copy)]
pub struct ExecutionStart<'a> {
    /// The machine's ARN, or that of a version or alias.
    pub machine: &'a str,
    /// 1 to 80 characters; reserved for 90 days.
    pub name: &'a str,
    /// JSON, at most 262,144 bytes.
    pub input: &'a str,
}

/// An execution as it is now. Without `Debug`: what goes in and comes out may be private.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Execution {
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`, `PENDING_REDRIVE`.
    pub status: String,
    /// JSON; absent when the caller may not see it.
    pub input: Option<String>,
    /// JSON, of one that succeeded.
    pub output: Option<String>,
    /// At most 256 characters.
    pub error: Option<String>,
    /// At most 32,768 characters.
    pub cause: Option<String>,
}

/// Starts executions and looks at them.
pub trait StateMachines: Send + Sync {
    /// `STANDARD` or `EXPRESS`.
    fn kind(&self, machine: &str) -> impl Future<Output = Result<String, PortError>> + Send;
    /// Answers the execution's ARN. A running execution of the same name and input is answered as if it had been
    /// started now; `Conflict` when the name was used otherwise.
    fn start(
        &self,
        start: ExecutionStart<'_>,
    ) -> impl Future<Output = Result<String, PortError>> + Send;
    /// Looks at an execution. One that was just started may not be found yet.
    fn execution(&self, arn: &str) -> impl Future<Output = Result<Execution, PortError>> + Send;
    /// Ends an execution.
    fn stop(
        &self,
        arn: &str,
        error: &str,
        cause: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
