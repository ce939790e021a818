//! What the approval functions need of the outside, one small trait per capability.

use std::future::Future;

use crate::{
    approval::{
        decide::{Finding, SendAnswer},
        facts::{ExecutionFacts, SourceOutput, Waiting},
        id::ApprovalId,
        key::MessageKey,
        request::{Record, Request, Target, Verdict},
    },
    id::{ExecutionId, PipelineName},
    port::PortError,
    secret::Secret,
};

/// Keeps requests. Reads are strongly consistent.
pub trait ApprovalStore: Send + Sync {
    /// The request an earlier delivery of the same message led to.
    fn find(
        &self,
        key: &MessageKey,
    ) -> impl Future<Output = Result<Option<ApprovalId>, PortError>> + Send;

    /// Stores a new request under its key; `Conflict` when the key has one.
    fn create(
        &self,
        key: &MessageKey,
        record: &Record,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Reads one.
    fn load(
        &self,
        id: &ApprovalId,
    ) -> impl Future<Output = Result<Option<Record>, PortError>> + Send;

    /// Writes `next` over version `next.version - 1`; `Conflict` when another write was first.
    fn replace(&self, next: &Record) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Reads pipelines.
pub trait PipelineReader: Send + Sync {
    /// Approvals that GetPipelineState shows with a token.
    fn waiting_in_state(
        &self,
        pipeline: &PipelineName,
    ) -> impl Future<Output = Result<Vec<Waiting>, PortError>> + Send;

    /// Actions in progress that ListActionExecutions shows, their external execution id as token (PARALLEL mode).
    fn waiting_in_history(
        &self,
        pipeline: &PipelineName,
    ) -> impl Future<Output = Result<Vec<Waiting>, PortError>> + Send;

    /// GetPipelineExecution.
    fn execution(
        &self,
        pipeline: &PipelineName,
        execution: &ExecutionId,
    ) -> impl Future<Output = Result<ExecutionFacts, PortError>> + Send;

    /// Output variables of the execution's source actions.
    fn source_outputs(
        &self,
        pipeline: &PipelineName,
        execution: &ExecutionId,
    ) -> impl Future<Output = Result<Vec<SourceOutput>, PortError>> + Send;
}

/// Tells CodePipeline, and looks at what it was told.
pub trait ResultSender: Send + Sync {
    /// PutApprovalResult. `Unavailable` may have arrived.
    fn put(
        &self,
        target: &Target,
        token: &Secret,
        verdict: Verdict,
        summary: &str,
    ) -> impl Future<Output = Result<SendAnswer, PortError>> + Send;

    /// How the request's action run stands.
    fn look(&self, request: &Request) -> impl Future<Output = Result<Finding, PortError>> + Send;
}

/// Signs links.
pub trait LinkSigner: Send + Sync {
    /// Ed25519 over these bytes.
    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<[u8; 64], PortError>> + Send;
}

/// Sends mail.
pub trait Mailer: Send + Sync {
    /// Hands one mail over, open and click tracking off.
    fn send(&self, mail: &Mail) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Unguessable bytes.
pub trait Entropy: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);

    /// An array of them.
    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut buffer = [0; N];
        self.fill(&mut buffer);
        buffer
    }
}

/// One mail to one person. Its bodies hold a link and a code, so they are not printed.
#[derive(Debug, Clone)]
pub struct Mail {
    /// `From`.
    pub from: String,
    /// The one recipient.
    pub to: String,
    /// One line.
    pub subject: String,
    /// `text/plain`.
    pub text: Secret,
    /// `text/html`.
    pub html: Secret,
    /// Extra headers.
    pub headers: Vec<(&'static str, String)>,
}
