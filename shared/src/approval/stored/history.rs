//! Revisions and the pipeline's past as they are written down.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    approval::{
        history::{Deploy, Earlier, Ended, History},
        request::{Artifact, Revision},
    },
    id::IdError,
};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredRevision {
    name: String,
    id: String,
    message: Option<String>,
    author: Option<String>,
    branch: Option<String>,
    url: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredHistory {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<StoredEarlier>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    between: Vec<StoredRevision>,
    #[serde(default)]
    more: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<StoredEnded>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    newer: Vec<StoredEarlier>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deploys: Vec<StoredDeploy>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredArtifact {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredEarlier {
    execution: String,
    at: Timestamp,
    revisions: Vec<StoredRevision>,
}

#[derive(Serialize, Deserialize)]
struct StoredEnded {
    execution: String,
    at: Timestamp,
    succeeded: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredDeploy {
    provider: String,
    what: Option<String>,
    region: Option<String>,
    account: Option<String>,
}

/// Nothing is written of a past that says nothing.
pub(super) fn of(history: &History) -> Option<StoredHistory> {
    (*history != History::default()).then(|| StoredHistory {
        current: history.current.as_ref().map(StoredEarlier::from),
        between: history.between.iter().map(StoredRevision::from).collect(),
        more: history.more,
        last: history.last.as_ref().map(|e| StoredEnded {
            execution: e.execution.to_string(),
            at: e.at,
            succeeded: e.succeeded,
        }),
        newer: history.newer.iter().map(StoredEarlier::from).collect(),
        deploys: history.deploys.iter().map(StoredDeploy::from).collect(),
    })
}

impl TryFrom<StoredHistory> for History {
    type Error = IdError;
    fn try_from(s: StoredHistory) -> Result<Self, IdError> {
        let last = |e: StoredEnded| {
            Ok(Ended {
                execution: e.execution.parse()?,
                at: e.at,
                succeeded: e.succeeded,
            })
        };
        Ok(Self {
            current: s.current.map(Earlier::try_from).transpose()?,
            between: s.between.into_iter().map(Revision::from).collect(),
            more: s.more,
            last: s.last.map(last).transpose()?,
            newer: s
                .newer
                .into_iter()
                .map(Earlier::try_from)
                .collect::<Result<_, _>>()?,
            deploys: s.deploys.into_iter().map(Deploy::from).collect(),
        })
    }
}

impl From<&Earlier> for StoredEarlier {
    fn from(e: &Earlier) -> Self {
        Self {
            execution: e.execution.to_string(),
            at: e.at,
            revisions: e.revisions.iter().map(StoredRevision::from).collect(),
        }
    }
}

impl TryFrom<StoredEarlier> for Earlier {
    type Error = IdError;
    fn try_from(e: StoredEarlier) -> Result<Self, IdError> {
        Ok(Self {
            execution: e.execution.parse()?,
            at: e.at,
            revisions: e.revisions.into_iter().map(Revision::from).collect(),
        })
    }
}

/// Both ways between a noun and its written form, whose fields are the same.
macro_rules! mirrored {
    ($noun:ident, $stored:ident { $($field:ident),* }) => {
        impl From<&$noun> for $stored {
            fn from(noun: &$noun) -> Self {
                Self { $($field: noun.$field.clone()),* }
            }
        }

        impl From<$stored> for $noun {
            fn from(stored: $stored) -> Self {
                Self { $($field: stored.$field),* }
            }
        }
    };
}

mirrored!(
    Deploy,
    StoredDeploy {
        provider,
        what,
        region,
        account
    }
);
mirrored!(
    Artifact,
    StoredArtifact {
        name,
        location,
        digest
    }
);
mirrored!(
    Revision,
    StoredRevision {
        name,
        id,
        message,
        author,
        branch,
        url
    }
);
