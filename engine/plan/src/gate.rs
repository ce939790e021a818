//! The gates of a stage: conditions before entry and after its end, automatic retry and rollback.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    definition::{InputArtifact, StageDeclaration},
    event::RetryMode,
};

/// `retryMode` of an automatic retry that names none (unconfirmed).
pub const DEFAULT_RETRY_MODE: RetryMode = RetryMode::FailedActions;

/// `beforeEntry` and `onSuccess`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    pub conditions: Vec<Condition>,
}

/// `onFailure`: a result of its own, or conditions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureGate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<GateResult>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_configuration: Option<RetryConfiguration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetryConfiguration {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_mode: Option<RetryMode>,
}

/// What a condition does to its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum GateResult {
    Rollback,
    Fail,
    Retry,
    Skip,
}

/// Which gate a condition belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GateKind {
    BeforeEntry,
    OnSuccess,
    OnFailure,
}

impl GateKind {
    /// All, in the order in which a stage meets them.
    pub const ALL: [Self; 3] = [Self::BeforeEntry, Self::OnSuccess, Self::OnFailure];

    /// Its member of a stage.
    pub const fn member(self) -> &'static str {
        match self {
            Self::BeforeEntry => "beforeEntry",
            Self::OnSuccess => "onSuccess",
            Self::OnFailure => "onFailure",
        }
    }
}

impl GateResult {
    /// As on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rollback => "ROLLBACK",
            Self::Fail => "FAIL",
            Self::Retry => "RETRY",
            Self::Skip => "SKIP",
        }
    }
}

/// One condition: it succeeds when all its rules do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<GateResult>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// `RuleDeclaration`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    pub name: String,
    pub rule_type_id: RuleTypeId,
    #[serde(default)]
    pub configuration: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<Vec<String>>,
    #[serde(default)]
    pub input_artifacts: Vec<InputArtifact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_in_minutes: Option<u32>,
}

/// `RuleTypeId`; the category is always `Rule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleTypeId {
    pub category: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    pub provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl StageDeclaration {
    /// How often and how its failure is retried by itself.
    pub fn automatic_retry(&self) -> Option<RetryMode> {
        let gate = self.on_failure.as_ref()?;
        let configured = gate.retry_configuration.as_ref();
        (gate.result == Some(GateResult::Retry)).then(|| {
            configured
                .and_then(|it| it.retry_mode)
                .unwrap_or(DEFAULT_RETRY_MODE)
        })
    }

    /// The condition of a gate, if it declares one.
    pub fn condition(&self, gate: GateKind) -> Option<&Condition> {
        let conditions = match gate {
            GateKind::BeforeEntry => &self.before_entry.as_ref()?.conditions,
            GateKind::OnSuccess => &self.on_success.as_ref()?.conditions,
            GateKind::OnFailure => self.on_failure.as_ref()?.conditions.as_ref()?,
        };
        conditions.first()
    }

    /// Whether its failure is answered with a rollback, without any condition.
    pub fn rolls_back(&self) -> bool {
        let gate = self.on_failure.as_ref();
        gate.is_some_and(|gate| gate.result == Some(GateResult::Rollback))
    }
}
