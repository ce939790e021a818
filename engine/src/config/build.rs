//! What `stagewright.toml` says of builds: projects, and the values that AWS keeps for them.

use std::collections::BTreeMap;

use serde::Deserialize;
use shared::secret::Secret;

/// `[codebuild.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CodebuildConfig {
    /// Path in the source, or the text itself when it has more than one line.
    pub buildspec: Option<String>,
    /// Environment variables of the project.
    pub environment: BTreeMap<String, String>,
    /// Variables of the project whose values are parameters of Systems Manager: its names.
    pub parameter_store: BTreeMap<String, String>,
    /// Variables of the project whose values are secrets: `SECRET:JSON-KEY:STAGE:VERSION`, as CodeBuild writes it.
    pub secrets_manager: BTreeMap<String, String>,
    /// `host` (default) runs on this machine, anything else is an image for `engine.containers`.
    pub image: Option<String>,
    /// Build timeout, 5 to 2,160 minutes; 60 by default, as CodeBuild's.
    pub timeout_minutes: Option<u32>,
    /// Whether `cache.paths` of the buildspec are kept from build to build.
    pub cache: bool,
}

/// A value of `[parameter]` or `[secret]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum StoredValue {
    /// The value itself.
    Text(Secret),
    /// Where it lies, so that the file can be shared.
    Environment(FromEnvironment),
}

/// `{ environment = "NAME" }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromEnvironment {
    /// A variable of the engine's own environment.
    pub environment: String,
}
