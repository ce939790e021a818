//! Why an event fails; Lambda repeats it.

use shared::{
    approval::{request::Target, rules::NoRule},
    id::IdError,
    port::PortError,
    wire::approval_message::MessageError,
};

/// Why an event fails, to be repeated by Lambda.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// Somebody else's topic.
    #[error("the topic {topic} is not in STAGEWRIGHT_APPROVAL_TOPICS: its message is not believed")]
    UnknownTopic {
        /// Its ARN.
        topic: String,
    },
    /// The message names a region that its topic is not in.
    #[error("the message names another region than its topic {topic}")]
    OtherRegion {
        /// Its ARN.
        topic: String,
    },
    /// Not CodePipeline's JSON.
    #[error("the message of topic {topic} is not believed")]
    Message {
        /// Its ARN.
        topic: String,
        /// What is wrong with it.
        #[source]
        source: MessageError,
    },
    /// No rule holds, so nobody is asked.
    #[error(transparent)]
    NoRule(#[from] NoRule),
    /// No run waits with this token: no link is made.
    #[error("no execution of {pipeline} waits at {stage}/{action} with the token of the message")]
    Untied {
        /// Pipeline.
        pipeline: String,
        /// Stage.
        stage: String,
        /// Action.
        action: String,
    },
    /// The deadline of a task is over, or too far away for links.
    #[error("the deadline is over, or more than 60 days away")]
    Deadline,
    /// An id of a task.
    #[error("the task's execution cannot be named")]
    Id(#[from] IdError),
    /// Another delivery of the message is sending right now.
    #[error("{count} mails are being sent by another delivery of the same message")]
    Busy {
        /// How many.
        count: usize,
    },
    /// A mail could not be sent; the others were.
    #[error("{failed} of {asked} approvers could not be mailed")]
    Mail {
        /// How many.
        failed: usize,
        /// Of how many.
        asked: usize,
        /// The first failure.
        #[source]
        source: PortError,
    },
    /// Nobody is to get the mail about the audit chain.
    #[error(
        "the audit's head was to be mailed, and STAGEWRIGHT_AUDIT_MAIL of approval-notify names nobody"
    )]
    NoAuditor,
    /// That mail.
    #[error("{failed} of {all} auditors could not be mailed")]
    Head {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
        /// The first failure.
        #[source]
        source: PortError,
    },
    /// The table.
    #[error("the approval could not be read")]
    Read {
        /// Why.
        #[source]
        source: PortError,
    },
    /// An AWS service.
    #[error("the approval of {pipeline} could not be {what}")]
    Port {
        /// Pipeline.
        pipeline: String,
        /// Past participle.
        what: &'static str,
        /// Why.
        #[source]
        source: PortError,
    },
}

impl NotifyError {
    /// What a state machine catches.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoRule(_) => "ApprovalNoRule",
            Self::Deadline | Self::Id(_) => "ApprovalInput",
            _ => "ApprovalNotAsked",
        }
    }
}

/// Makes the error of a port call about this pipeline.
pub(crate) fn port(
    target: &Target,
) -> impl Fn(&'static str) -> Box<dyn Fn(PortError) -> NotifyError + Send> + use<> {
    let pipeline = target.pipeline.to_string();
    move |what| {
        let pipeline = pipeline.clone();
        Box::new(move |source| NotifyError::Port {
            pipeline: pipeline.clone(),
            what,
            source,
        })
    }
}
