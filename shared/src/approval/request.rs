//! The nouns of an approval: request, facts, recipient, vote, rule, state.

mod recipient;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::{
    approval::{
        asker::Asker,
        chat::room::Room,
        facts::Mode,
        history::History,
        id::{ApprovalId, DecisionId, RecipientId},
        means::Means,
        review::Review,
        rules::{
            PersonId, Rule,
            evaluate::{self, Actor, Choice, Circumstances, Conditions, Evaluation},
        },
        trail::{Entry, Kind},
    },
    id::{ActionExecutionId, ActionName, ExecutionId, PipelineName, StageName},
    secret::Secret,
};

pub use recipient::{IssuedLink, Made, Recipient};

/// How often a wrong code may be typed before a recipient's links are locked.
pub const CODE_TRIES: u8 = 5;

/// Everything known of one request: written and read as a whole, guarded by `version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What is asked; never changes.
    pub request: Request,
    /// Who must agree, as it was when the approval was asked; never changes.
    pub rule: Rule,
    /// Who is asked.
    pub recipients: Vec<Recipient>,
    /// Who answered, in order.
    pub votes: Vec<Vote>,
    /// Where it stands.
    pub state: State,
    /// Channels that were told of it.
    pub rooms: Vec<Room>,
    /// What a broken glass left behind.
    pub review: Option<Review>,
    /// How many groups were asked beside the rule's own, for time was running out.
    pub escalated: u8,
    /// What happened and is not in the audit chain yet.
    pub trail: Vec<Entry>,
    /// Counts writes; a write holds only over the version it was decided on.
    pub version: u64,
}

/// One approval asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Our own id.
    pub id: ApprovalId,
    /// Who waits.
    pub asker: Asker,
    /// Where the action is; of a state machine its name and what it calls the rest.
    pub target: Target,
    /// The execution that waits.
    pub execution: ExecutionId,
    /// The action's run.
    pub action_execution: ActionExecutionId,
    /// The bearer token of CodePipeline or of the task: never in a link, a mail or a log.
    pub token: Secret,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When whoever asked gives up.
    pub expires_at: Timestamp,
    /// The pipeline's region.
    pub region: String,
    /// Account of the topic or of the machine that asked.
    pub account: String,
    /// Text of the action's configuration.
    pub custom_data: Option<String>,
    /// Link of the action's configuration; never fetched.
    pub external_link: Option<String>,
    /// What would be released.
    pub facts: Facts,
}

/// An approval action of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Pipeline.
    pub pipeline: PipelineName,
    /// Stage.
    pub stage: StageName,
    /// Action.
    pub action: ActionName,
}

/// What the execution carries, as it was when the approval was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Who or what started the execution, in words.
    pub started_by: Option<String>,
    /// Source revisions, in the order AWS gives them.
    pub revisions: Vec<Revision>,
    /// Who started the execution, for four-eyes.
    pub trigger: Actor,
    /// Who wrote what is released, for four-eyes. Empty: not known.
    pub authors: Vec<Actor>,
    /// How the pipeline's executions get along; `None`: not known, or a state machine asks.
    pub mode: Option<Mode>,
    /// The how-manyeth run of the action this is in its execution: a retried stage asks again. `None`: not known.
    pub attempt: Option<u32>,
    /// What the execution's actions have made so far.
    pub artifacts: Vec<Artifact>,
    /// What came before, and what waits behind.
    pub history: History,
}

/// One source revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revision {
    /// Name of the source artifact or action.
    pub name: String,
    /// Commit id, version id or digest.
    pub id: String,
    /// Commit message.
    pub message: Option<String>,
    /// Author's display name.
    pub author: Option<String>,
    /// Branch.
    pub branch: Option<String>,
    /// Where it can be read.
    pub url: Option<String>,
}

/// What an action has made, as far as AWS tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifact {
    /// Name in the pipeline.
    pub name: String,
    /// `s3://bucket/key`.
    pub location: Option<String>,
    /// Digest that the action itself told, as `sha256:…` of an image.
    pub digest: Option<String>,
}

/// Approve or reject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The pipeline goes on.
    Approve,
    /// The action fails.
    Reject,
}

/// One approver's answer; final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Whose.
    pub recipient: RecipientId,
    /// What.
    pub verdict: Verdict,
    /// Given alone in an emergency, against the rule.
    pub alone: bool,
    /// Why; may be empty for an approval.
    pub comment: String,
    /// When.
    pub at: Timestamp,
    /// Tells the answer of one POST from that of its double.
    pub attempt: DecisionId,
    /// How it came.
    pub means: Means,
}

/// The one result of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Carried in the summary sent to AWS.
    pub id: DecisionId,
    /// What.
    pub verdict: Verdict,
    /// When the deciding vote came.
    pub at: Timestamp,
    /// The execution that the request gave way to, where nobody's vote decided.
    pub newer: Option<ExecutionId>,
}

/// Where a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Votes are taken.
    Open,
    /// Decided; whoever holds the lease tells CodePipeline.
    Deciding {
        /// What was decided.
        decision: Decision,
        /// After this anybody may take over.
        lease_until: Timestamp,
    },
    /// CodePipeline knows.
    Decided {
        /// What was decided.
        decision: Decision,
        /// When CodePipeline knew.
        delivered_at: Timestamp,
    },
    /// CodePipeline had an answer that is not ours (console, API).
    Elsewhere {
        /// When we learned of it.
        at: Timestamp,
        /// What it was, where AWS says.
        verdict: Option<Verdict>,
        /// Who it was, where AWS says.
        by: Option<String>,
    },
    /// The action no longer waits for this request: stopped, retried, changed.
    Superseded {
        /// When we learned of it.
        at: Timestamp,
    },
    /// CodePipeline's deadline passed.
    Expired {
        /// When we learned of it.
        at: Timestamp,
    },
}

impl Verdict {
    /// As AWS and forms write it.
    pub const fn past(self) -> &'static str {
        match self {
            Self::Approve => "Approved",
            Self::Reject => "Rejected",
        }
    }
}

impl Record {
    /// A request as it is first stored: nobody mailed, no votes. `fresh` makes the id and the form key of each recipient.
    pub fn opened(
        request: Request,
        rule: Rule,
        mut fresh: impl FnMut() -> (RecipientId, [u8; 32]),
    ) -> Self {
        let recipients = rule
            .asked_between(request.asked_at, request.expires_at)
            .into_iter()
            .filter_map(|person| Recipient::of(&rule, person, &mut fresh))
            .collect();
        let asked_at = request.asked_at;
        let mut record = Self {
            request,
            rule,
            recipients,
            votes: Vec::new(),
            state: State::Open,
            rooms: Vec::new(),
            review: None,
            escalated: 0,
            trail: Vec::new(),
            version: 1,
        };
        record.note(Kind::Asked, None, None, asked_at);
        record
    }

    /// The recipient with this id.
    pub fn recipient(&self, id: &RecipientId) -> Option<&Recipient> {
        self.recipients.iter().find(|r| r.id == *id)
    }

    /// Whether the rule asked them from the beginning, and not because time ran out.
    pub fn asked_first(&self, who: &Recipient) -> bool {
        let Request {
            asked_at,
            expires_at,
            ..
        } = self.request;
        let first = self.rule.asked_between(asked_at, expires_at);
        first.contains(&who.person)
    }

    /// The recipient's vote, if there is one.
    pub fn vote_of(&self, id: &RecipientId) -> Option<&Vote> {
        self.votes.iter().find(|v| v.recipient == *id)
    }

    /// Where the votes stand under the rule, as far as votes and times go: Change Calendars and gates count as closed.
    pub fn evaluate(&self, now: Timestamp) -> Evaluation {
        self.evaluate_under(&Conditions::default(), now)
    }

    /// Where the votes stand under the rule and these conditions.
    pub fn evaluate_under(&self, conditions: &Conditions, now: Timestamp) -> Evaluation {
        let facts = Circumstances {
            trigger: self.request.facts.trigger.clone(),
            authors: self.request.facts.authors.clone(),
            calendars: conditions.calendars.clone(),
            gates: conditions.gates.clone(),
            escalated: self.escalated,
        };
        let votes: Vec<evaluate::Vote> = self
            .votes
            .iter()
            .map(|vote| evaluate::Vote {
                // A vote without its recipient is nobody's and refused; there is none.
                person: self
                    .recipient(&vote.recipient)
                    .map_or_else(|| PersonId::stored(""), |r| r.person.clone()),
                choice: match (vote.verdict, vote.alone) {
                    (Verdict::Approve, true) => Choice::BreakGlass,
                    (Verdict::Approve, false) => Choice::Approve,
                    (Verdict::Reject, _) => Choice::Reject,
                },
                reason: vote.comment.clone(),
                at: vote.at,
            })
            .collect();
        evaluate::evaluate(&self.rule, &facts, &votes, now)
    }

    /// How many approved so far.
    pub fn approvals(&self) -> u32 {
        let count = self
            .votes
            .iter()
            .filter(|v| v.verdict == Verdict::Approve)
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

impl Request {
    /// Binds a link to this execution and this token without carrying either.
    pub fn link_digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"stagewright link v1\0");
        hash.update(self.execution.as_str());
        hash.update(b"\0");
        hash.update(self.token.reveal());
        digest_text(hash)
    }
}

/// First 128 bits, base64url.
pub(super) fn digest_text(hash: Sha256) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..16])
}
