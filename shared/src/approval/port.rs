//! What the approval functions need of the outside, one small trait per capability.

use std::future::Future;

use jiff::tz::TimeZone;

use crate::{
    approval::{
        audit::weekly::WeeklyHead,
        chat::{
            Asked, ChatPlace, Question,
            room::{Notice, Said},
            slack::Message,
        },
        decide::{Finding, SendAnswer},
        facts::{ExecutionFacts, SourceOutput, Waiting},
        history::Past,
        id::ApprovalId,
        key::MessageKey,
        request::{Decision, Record, Request},
        rules::{
            evaluate::{CalendarState, GateState},
            gate::Gate,
        },
    },
    id::{ExecutionId, PipelineName, StageName},
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

    /// Requests that are not done with, at most a thousand, beginning after `after`.
    fn unfinished(
        &self,
        after: Option<&ApprovalId>,
    ) -> impl Future<Output = Result<Vec<ApprovalId>, PortError>> + Send;

    /// Requests of a pipeline execution.
    fn of_execution(
        &self,
        execution: &ExecutionId,
    ) -> impl Future<Output = Result<Vec<ApprovalId>, PortError>> + Send;

    /// Takes a request off that list; one that is not on it is no error.
    fn finished(&self, id: &ApprovalId) -> impl Future<Output = Result<(), PortError>> + Send;
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

    /// Recent runs of all actions, and what waits to enter the stage.
    fn past(
        &self,
        pipeline: &PipelineName,
        stage: &StageName,
    ) -> impl Future<Output = Result<Past, PortError>> + Send;
}

/// The one answer to a request.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// To what.
    pub record: &'a Record,
    /// Which.
    pub decision: &'a Decision,
    /// In words, with the decision's id (AWS: at most 512 characters).
    pub summary: &'a str,
    /// Address of whoever decided last.
    pub approver: Option<&'a str>,
    /// Addresses of all who answered like this.
    pub approvers: Vec<&'a str>,
}

/// Tells whoever asked, and looks at what they were told.
pub trait ResultSender: Send + Sync {
    /// PutApprovalResult, or SendTaskSuccess and SendTaskFailure. `Unavailable` may have arrived.
    fn put(
        &self,
        answer: &Answer<'_>,
    ) -> impl Future<Output = Result<SendAnswer, PortError>> + Send;

    /// Nobody decided in time: tells a state machine, which would wait on. Telling twice tells once.
    fn give_up(&self, record: &Record) -> impl Future<Output = Result<(), PortError>> + Send;

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

/// Asks people in their chats and channels, beside the mail.
pub trait Chat: Send + Sync {
    /// Asks one person in their chats: in the place of an earlier question, or, where that one still holds, with a
    /// reminder under it.
    fn ask(&self, question: &Question<'_>) -> impl Future<Output = Asked> + Send;

    /// Says in a channel what is due there. An error: certainly nothing was said.
    fn tell(&self, notice: &Notice<'_>) -> impl Future<Output = Result<Said, PortError>> + Send;

    /// Writes in the question's place how it ended.
    fn rewrite(
        &self,
        place: &ChatPlace,
        record: &Record,
        zone: &TimeZone,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// What answers to pressed buttons are believed by, and where they go.
pub trait Press: Send + Sync {
    /// Slack's signing secret; `None`: no press is taken.
    fn signing_secret(&self) -> impl Future<Output = Result<Option<Secret>, PortError>> + Send;

    /// Tells whoever pressed, to them alone or in the message's place.
    fn reply(
        &self,
        to: &Secret,
        message: &Message,
        private: bool,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Has the mails sent that are due of a request, some time soon.
pub trait Postman: Send + Sync {
    /// Asks for them; asking twice sends nothing twice.
    fn send_due(&self, approval: &ApprovalId)
    -> impl Future<Output = Result<(), PortError>> + Send;

    /// Asks for the mail to auditors about where the audit chain stands.
    fn mail_head(&self, head: &WeeklyHead) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// What machines say that a rule asks beside its people.
pub trait Conditions: Send + Sync {
    /// The state of a Change Calendar.
    fn calendar(&self, name: &str)
    -> impl Future<Output = Result<CalendarState, PortError>> + Send;

    /// How a check stands for this request.
    fn gate(
        &self,
        gate: &Gate,
        record: &Record,
    ) -> impl Future<Output = Result<GateState, PortError>> + Send;
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
