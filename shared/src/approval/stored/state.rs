//! Votes, decisions and states as they are written down.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    approval::{
        asker::MachineTask,
        means::{Channel, Means},
        request::{Decision, State, Verdict, Vote},
        rules::evaluate::Actor,
        trail::{Entry, Kind},
    },
    id::IdError,
};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredVote {
    recipient: String,
    verdict: StoredVerdict,
    #[serde(default, skip_serializing_if = "is_not")]
    alone: bool,
    comment: String,
    at: Timestamp,
    attempt: String,
    #[serde(flatten)]
    means: StoredMeans,
}

#[derive(Serialize, Deserialize)]
struct StoredMeans {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredMachine {
    execution: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredEntry {
    at: Timestamp,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipient: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    means: Option<StoredMeans>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredDecision {
    id: String,
    verdict: StoredVerdict,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newer: Option<String>,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum StoredVerdict {
    Approve,
    Reject,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub(super) enum StoredState {
    Open,
    Deciding {
        decision: StoredDecision,
        lease_until: Timestamp,
    },
    Decided {
        decision: StoredDecision,
        delivered_at: Timestamp,
    },
    Elsewhere {
        at: Timestamp,
        verdict: Option<StoredVerdict>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    Superseded {
        at: Timestamp,
    },
    Expired {
        at: Timestamp,
    },
}

#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub(super) enum StoredActor {
    #[default]
    Unknown,
    Machine,
    Named(Vec<String>),
}

impl StoredActor {
    pub(super) const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

impl From<&MachineTask> for StoredMachine {
    fn from(task: &MachineTask) -> Self {
        Self {
            execution: task.execution.as_str().to_owned(),
            subject: task.subject.clone(),
        }
    }
}

impl TryFrom<StoredMachine> for MachineTask {
    type Error = IdError;
    fn try_from(stored: StoredMachine) -> Result<Self, IdError> {
        Ok(Self {
            execution: stored.execution.parse()?,
            subject: stored.subject,
        })
    }
}

impl From<&Actor> for StoredActor {
    fn from(actor: &Actor) -> Self {
        match actor.clone() {
            Actor::Unknown => Self::Unknown,
            Actor::Machine => Self::Machine,
            Actor::Named(names) => Self::Named(names),
        }
    }
}

impl From<StoredActor> for Actor {
    fn from(actor: StoredActor) -> Self {
        match actor {
            StoredActor::Unknown => Self::Unknown,
            StoredActor::Machine => Self::Machine,
            StoredActor::Named(names) => Self::Named(names),
        }
    }
}

impl From<&Vote> for StoredVote {
    fn from(v: &Vote) -> Self {
        Self {
            recipient: v.recipient.to_string(),
            verdict: v.verdict.into(),
            alone: v.alone,
            comment: v.comment.clone(),
            at: v.at,
            attempt: v.attempt.to_string(),
            means: (&v.means).into(),
        }
    }
}

impl From<&Means> for StoredMeans {
    fn from(m: &Means) -> Self {
        Self {
            channel: (m.channel != Channel::default()).then(|| m.channel.as_str().to_owned()),
            ip: m.ip.clone(),
            agent: m.agent.clone(),
        }
    }
}

impl TryFrom<StoredMeans> for Means {
    type Error = IdError;
    fn try_from(m: StoredMeans) -> Result<Self, IdError> {
        Ok(Self {
            // Records of before knew nothing but the page.
            channel: m.channel.map_or_else(
                || Ok(Channel::default()),
                |text| Channel::read(&text).ok_or_else(unknown),
            )?,
            ip: m.ip,
            agent: m.agent,
        })
    }
}

/// Serde asks for a reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_not(flag: &bool) -> bool {
    !*flag
}

fn unknown() -> IdError {
    IdError {
        what: "stored word",
        problem: "is not one that this version knows".to_owned(),
    }
}

impl From<&Entry> for StoredEntry {
    fn from(entry: &Entry) -> Self {
        Self {
            at: entry.at,
            kind: entry.kind.as_str().to_owned(),
            recipient: entry.recipient.as_ref().map(ToString::to_string),
            detail: entry.detail.clone(),
            means: entry.means.as_ref().map(StoredMeans::from),
        }
    }
}

impl TryFrom<StoredEntry> for Entry {
    type Error = IdError;
    fn try_from(entry: StoredEntry) -> Result<Self, IdError> {
        Ok(Self {
            at: entry.at,
            kind: Kind::read(&entry.kind).ok_or_else(unknown)?,
            recipient: entry.recipient.map(|id| id.parse()).transpose()?,
            detail: entry.detail,
            means: entry.means.map(Means::try_from).transpose()?,
        })
    }
}

impl TryFrom<StoredVote> for Vote {
    type Error = IdError;
    fn try_from(v: StoredVote) -> Result<Self, IdError> {
        Ok(Self {
            recipient: v.recipient.parse()?,
            verdict: v.verdict.into(),
            alone: v.alone,
            comment: v.comment,
            at: v.at,
            attempt: v.attempt.parse()?,
            means: v.means.try_into()?,
        })
    }
}

impl From<&Decision> for StoredDecision {
    fn from(d: &Decision) -> Self {
        Self {
            id: d.id.to_string(),
            verdict: d.verdict.into(),
            at: d.at,
            newer: d.newer.as_ref().map(ToString::to_string),
        }
    }
}

impl TryFrom<StoredDecision> for Decision {
    type Error = IdError;
    fn try_from(d: StoredDecision) -> Result<Self, IdError> {
        Ok(Self {
            id: d.id.parse()?,
            verdict: d.verdict.into(),
            at: d.at,
            newer: d.newer.map(|id| id.parse()).transpose()?,
        })
    }
}

impl From<Verdict> for StoredVerdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Approve => Self::Approve,
            Verdict::Reject => Self::Reject,
        }
    }
}

impl From<StoredVerdict> for Verdict {
    fn from(verdict: StoredVerdict) -> Self {
        match verdict {
            StoredVerdict::Approve => Self::Approve,
            StoredVerdict::Reject => Self::Reject,
        }
    }
}

impl From<&State> for StoredState {
    fn from(state: &State) -> Self {
        match state.clone() {
            State::Open => Self::Open,
            State::Deciding {
                decision,
                lease_until,
            } => Self::Deciding {
                decision: (&decision).into(),
                lease_until,
            },
            State::Decided {
                decision,
                delivered_at,
            } => Self::Decided {
                decision: (&decision).into(),
                delivered_at,
            },
            State::Elsewhere { at, verdict, by } => Self::Elsewhere {
                at,
                verdict: verdict.map(Into::into),
                by,
            },
            State::Superseded { at } => Self::Superseded { at },
            State::Expired { at } => Self::Expired { at },
        }
    }
}

impl TryFrom<StoredState> for State {
    type Error = IdError;
    fn try_from(state: StoredState) -> Result<Self, IdError> {
        Ok(match state {
            StoredState::Open => Self::Open,
            StoredState::Deciding {
                decision,
                lease_until,
            } => Self::Deciding {
                decision: decision.try_into()?,
                lease_until,
            },
            StoredState::Decided {
                decision,
                delivered_at,
            } => Self::Decided {
                decision: decision.try_into()?,
                delivered_at,
            },
            StoredState::Elsewhere { at, verdict, by } => Self::Elsewhere {
                at,
                verdict: verdict.map(Into::into),
                by,
            },
            StoredState::Superseded { at } => Self::Superseded { at },
            StoredState::Expired { at } => Self::Expired { at },
        })
    }
}
