//! The pipeline definition exactly as the API sends it (`PipelineDeclaration`), before any check.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::gate::{FailureGate, Gate};

/// `pipeline` of CreatePipeline, UpdatePipeline and GetPipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineDeclaration {
    pub name: String,
    pub role_arn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_store: Option<ArtifactStore>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_stores: Option<BTreeMap<String, ArtifactStore>>,
    pub stages: Vec<StageDeclaration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_mode: Option<ExecutionMode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_type: Option<PipelineType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<Vec<VariableDeclaration>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triggers: Option<Vec<serde_json::Value>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactStore {
    #[serde(rename = "type")]
    pub kind: String,
    pub location: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<EncryptionKey>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncryptionKey {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
}

impl PipelineDeclaration {
    /// Its execution mode; SUPERSEDED when it names none.
    pub fn mode(&self) -> ExecutionMode {
        self.execution_mode.unwrap_or_default()
    }

    /// The store that an action in `region` uses.
    pub fn store(&self, region: &str) -> Option<&ArtifactStore> {
        self.artifact_stores
            .as_ref()
            .and_then(|stores| stores.get(region))
            .or(self.artifact_store.as_ref())
    }

    /// The stage's position.
    pub fn stage(&self, name: &str) -> Option<usize> {
        self.stages.iter().position(|stage| stage.name == name)
    }
}

impl StageDeclaration {
    /// The action of that name.
    pub fn action(&self, name: &str) -> Option<&ActionDeclaration> {
        self.actions.iter().find(|action| action.name == name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionMode {
    #[default]
    Superseded,
    Queued,
    Parallel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PipelineType {
    #[default]
    V1,
    V2,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VariableDeclaration {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageDeclaration {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blockers: Option<Vec<serde_json::Value>>,
    pub actions: Vec<ActionDeclaration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<FailureGate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_success: Option<Gate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_entry: Option<Gate>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ActionTypeId {
    pub category: String,
    pub owner: String,
    pub provider: String,
    pub version: String,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionDeclaration {
    pub name: String,
    pub action_type_id: ActionTypeId,
    #[serde(default = "first")]
    pub run_order: u32,
    #[serde(default)]
    pub configuration: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_variables: Option<Vec<EnvironmentVariable>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_variables: Option<Vec<String>>,
    #[serde(default)]
    pub output_artifacts: Vec<OutputArtifact>,
    #[serde(default)]
    pub input_artifacts: Vec<InputArtifact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_in_minutes: Option<u32>,
}

impl fmt::Debug for ActionDeclaration {
    /// Without configuration values: they may hold an OAuth token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActionDeclaration")
            .field("name", &self.name)
            .field("action_type_id", &self.action_type_id)
            .field("run_order", &self.run_order)
            .field("configuration", &self.configuration.keys())
            .field("input_artifacts", &self.input_artifacts)
            .field("output_artifacts", &self.output_artifacts)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

const fn first() -> u32 {
    1
}

/// `CreateCustomActionType`, or a partner's action type that the engine's configuration declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomActionType {
    /// `Custom` or `ThirdParty`; never what a request says.
    #[serde(default = "custom", skip_serializing_if = "is_custom")]
    pub owner: String,
    pub category: String,
    pub provider: String,
    pub version: String,
    /// URL templates, as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<serde_json::Value>,
    #[serde(default)]
    pub configuration_properties: Vec<ConfigurationProperty>,
    pub input_artifact_details: ArtifactCount,
    pub output_artifact_details: ArtifactCount,
}

impl CustomActionType {
    /// Whether the account made it, and not the engine's configuration.
    pub fn is_custom(&self) -> bool {
        is_custom(&self.owner)
    }

    /// `Custom/Category/Provider/Version`, as in its ARN.
    pub fn path(&self) -> String {
        [&*self.owner, &self.category, &self.provider, &self.version].join("/")
    }

    /// Whether a definition's action type means this one.
    pub fn is(&self, id: &ActionTypeId) -> bool {
        id.owner == self.owner
            && id.category == self.category
            && id.provider == self.provider
            && id.version == self.version
    }
}

/// The owner of types that CreateCustomActionType made.
pub const CUSTOM: &str = "Custom";
/// The owner of partners' types.
pub const THIRD_PARTY: &str = "ThirdParty";

fn custom() -> String {
    CUSTOM.to_owned()
}

fn is_custom(owner: &str) -> bool {
    owner == CUSTOM
}

/// How many artifacts an action type takes or makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactCount {
    pub minimum_count: u32,
    pub maximum_count: u32,
}

/// `ActionConfigurationProperty`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationProperty {
    pub name: String,
    pub required: bool,
    pub key: bool,
    pub secret: bool,
    #[serde(default)]
    pub queryable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputArtifact {
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputArtifact {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentVariable {
    pub name: String,
    pub value: String,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}
