//! The Lambda host: speaks the Lambda Runtime API to any executable.

pub mod url;

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, config::Config, logs::Logs};

/// Clones share it.
#[derive(Clone, Default)]
pub struct LambdaHost;

/// What one engine's functions need to know.
#[derive(Clone)]
pub struct HostSettings {
    /// Functions, account and region.
    pub config: Arc<Config>,
    /// Delays between retries, deadlines, timestamps.
    pub clock: Clock,
    /// Where output lines of an action execution go.
    pub logs: Logs,
    /// `AWS_ENDPOINT_URL` of every function.
    pub base_url: Arc<str>,
    /// Where binaries named like a function are looked for; `None`: beside the running executable.
    pub binaries: Option<PathBuf>,
}

/// Who called, and who may stop it.
#[derive(Debug, Clone, Default)]
pub struct CallContext {
    /// The action execution whose log gets the output; `None`: only the function's own log.
    pub action_execution: Option<String>,
    /// Cancelled: the process that serves the call is killed.
    pub stop: CancellationToken,
}

/// The answer of one invocation.
#[derive(Debug, Clone)]
pub struct InvokeResult {
    /// Lambda's request id.
    pub request_id: String,
    /// What the function returned, or the error object.
    pub payload: Bytes,
    /// The function answered with an error, crashed or ran out of time.
    pub failed: bool,
}

/// Why a function was not called at all.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InvokeError {
    /// No such function.
    #[error(
        "function {0} is not known: configure [function.{0}] with a command in stagewright.toml, pass --function {0}=COMMAND, or build a binary of that name beside stagewright"
    )]
    UnknownFunction(String),
    /// It cannot be started.
    #[error("function {function} cannot be started: {problem}")]
    Start {
        /// Which.
        function: String,
        /// What the system said.
        problem: String,
    },
    /// The caller stopped it.
    #[error("the call of function {0} was stopped")]
    Stopped(String),
}

/// How an asynchronous invocation ended after all its attempts.
#[derive(Debug, Clone)]
pub enum AsyncOutcome {
    /// An attempt succeeded.
    Returned,
    /// All attempts failed; the last one's error.
    Failed {
        /// How many.
        attempts: u32,
        /// `errorType` of the last attempt.
        kind: String,
        /// `errorMessage` of the last attempt.
        message: String,
    },
    /// The caller stopped it.
    Stopped,
}

impl LambdaHost {
    /// A host without processes.
    pub fn new(_settings: HostSettings) -> Self {
        Self
    }

    /// Whether the function is configured or built.
    ///
    /// # Errors
    /// [`InvokeError::UnknownFunction`].
    pub fn check(&self, function: &str) -> Result<(), InvokeError> {
        Err(InvokeError::UnknownFunction(function.to_owned()))
    }

    /// Calls a function (name, `NAME:QUALIFIER` or ARN) and waits for its answer.
    ///
    /// # Errors
    /// When the function was not called; a function's own failure is a result with `failed` set.
    pub async fn invoke(
        &self,
        function: &str,
        _payload: Bytes,
        _context: CallContext,
    ) -> Result<InvokeResult, InvokeError> {
        Err(InvokeError::UnknownFunction(function.to_owned()))
    }

    /// Calls a function as Lambda's asynchronous invocation does: up to two retries after a function error.
    /// The future is the whole run; spawn it to go on meanwhile.
    ///
    /// # Errors
    /// When the function is not known or cannot be started.
    pub async fn invoke_async(
        &self,
        function: &str,
        _payload: Bytes,
        _context: CallContext,
    ) -> Result<AsyncOutcome, InvokeError> {
        Err(InvokeError::UnknownFunction(function.to_owned()))
    }

    /// Kills every process with its group; later calls start new ones.
    pub fn shutdown(&self) {}
}
