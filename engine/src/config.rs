//! `stagewright.toml`, typed; unknown keys are refused by name.

mod build;
mod error;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use engine_plan::definition::CustomActionType;
use serde::Deserialize;
use shared::approval::rules::RuleSet;
use shared::secret::Secret;

use crate::{
    connector::{self, Connectors},
    provider::codedeploy::Configuration,
    states::declared::{ActivityConfig, HttpConnectionConfig, StateMachineConfig},
    third_party::{self, Partners},
};

pub use build::{CodebuildConfig, FromEnvironment, StoredValue};
pub use error::ConfigError;

/// The whole file; every table may be absent. Relative paths are relative to the file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Folder of the file; set by the loader.
    #[serde(skip)]
    pub folder: PathBuf,
    /// What AWS would know of this account.
    pub engine: EngineSettings,
    /// What source actions take instead of their repository, by action name (`--source`).
    #[serde(skip)]
    pub sources: BTreeMap<String, PathBuf>,
    /// Functions by name.
    pub function: BTreeMap<String, FunctionConfig>,
    /// Pipelines by name that are there from the start, beside the one that runs.
    pub pipeline: BTreeMap<String, PipelineConfig>,
    /// State machines by name that are there from the start.
    pub state_machine: BTreeMap<String, StateMachineConfig>,
    /// Activities by name that are there from the start.
    pub activity: BTreeMap<String, ActivityConfig>,
    /// Connections of HTTP tasks by name.
    pub http_connection: BTreeMap<String, HttpConnectionConfig>,
    /// CodeBuild projects by name.
    pub codebuild: BTreeMap<String, CodebuildConfig>,
    /// Connections by ARN: a git URL or path; `{FullRepositoryId}` is replaced.
    pub connection: BTreeMap<String, GitRemote>,
    /// CodeCommit repositories by name.
    pub codecommit: BTreeMap<String, GitRemote>,
    /// Deployment groups of CodeDeploy, as `APPLICATION/GROUP`.
    pub codedeploy: BTreeMap<String, CodeDeployConfig>,
    /// ECR repositories by name.
    pub ecr: BTreeMap<String, EcrConfig>,
    /// Partners whose jobs a worker of the user does, by provider.
    pub third_party: Partners,
    /// Vendors whose actions functions of this workspace do, by provider.
    pub connector: Connectors,
    /// Topics by name.
    pub topic: BTreeMap<String, TopicConfig>,
    /// S3 buckets to create at start.
    pub bucket: BTreeMap<String, BucketConfig>,
    /// Parameters of Systems Manager that builds read.
    pub parameter: BTreeMap<String, StoredValue>,
    /// Secrets of Secrets Manager that builds read.
    pub secret: BTreeMap<String, StoredValue>,
    /// Endpoints by service name, for services without a face.
    pub endpoint: BTreeMap<String, String>,
    /// Approvals wired by the engine itself.
    pub approval: Option<ApprovalConfig>,
}

/// `[engine]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSettings {
    /// 12 digits.
    pub account: String,
    /// Region of pipelines and of the functions' environment.
    pub region: String,
    /// Seconds between a continuation token and the next invocation.
    pub continuation_seconds: u32,
    /// Public base URL in links; the listener's when absent.
    pub base_url: Option<String>,
    /// `host:port` of an SMTP server that mail goes on to.
    pub smtp: Option<String>,
    /// Program that runs build images; `docker` when absent, else `podman`.
    pub containers: Option<String>,
    /// Seconds before each retry of an asynchronous function call that failed; Lambda's are 60 and 120.
    pub async_retry_seconds: Vec<u32>,
    /// Seconds between two looks at a source that asks to be polled (`serve` only); 0: never. CodePipeline looks about
    /// once a minute.
    pub poll_seconds: u32,
    /// Seconds a job may stay unreported after its function returned; CodePipeline waits its 20 minutes: 1200.
    pub unreported_job_seconds: u32,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            continuation_seconds: 30,
            base_url: None,
            smtp: None,
            containers: None,
            async_retry_seconds: vec![60, 120],
            poll_seconds: 60,
            unreported_job_seconds: 5,
        }
    }
}

/// `[function.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionConfig {
    /// Program and arguments; `None`: the workspace binary of the same name.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// Working folder.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// Environment beside what Lambda sets.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Lambda's timeout, 1 to 900 s.
    #[serde(default = "three")]
    pub timeout_seconds: u32,
    /// Lambda's memory, 128 to 10,240 MB.
    #[serde(default = "memory")]
    pub memory_mb: u32,
    /// Reachable at `/_stagewright/function/NAME/`.
    #[serde(default)]
    pub url: bool,
}

impl Default for FunctionConfig {
    fn default() -> Self {
        Self {
            command: None,
            cwd: None,
            environment: BTreeMap::new(),
            timeout_seconds: three(),
            memory_mb: memory(),
            url: false,
        }
    }
}

const fn three() -> u32 {
    3
}
const fn memory() -> u32 {
    128
}

/// `[connection."ARN"]`, `[codecommit.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitRemote {
    /// A git URL, or a path of this machine.
    pub git: String,
    /// Of a connection: what its host signs webhooks with.
    #[serde(default)]
    pub secret: Option<Secret>,
}

/// `[codedeploy."APPLICATION/GROUP"]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CodeDeployConfig {
    /// Folders that stand for the file systems of its servers.
    pub targets: Vec<PathBuf>,
    /// How many at once, and how many must succeed.
    pub configuration: Configuration,
    /// Whether a deployment that fails is rolled back.
    pub rollback: bool,
}

/// `[ecr.NAME]`: one of both.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EcrConfig {
    /// `http://HOST:PORT` of a registry that holds the repository under this name and asks for no login.
    pub registry: Option<String>,
    /// Folder in OCI's image layout.
    pub layout: Option<PathBuf>,
}

/// `[pipeline.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineConfig {
    /// File of its definition, as `stagewright run` takes it.
    pub definition: PathBuf,
    /// Which of the pipelines in a template.
    #[serde(default)]
    pub logical_id: Option<String>,
}

/// `[topic.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TopicConfig {
    /// Who gets its messages.
    pub subscriptions: Vec<SubscriptionConfig>,
}

/// One subscription.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SubscriptionConfig {
    /// `lambda`, `email`, `http`, `https`.
    pub protocol: String,
    /// Function name, address, URL.
    pub endpoint: String,
}

/// `[bucket.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BucketConfig {
    /// Versioned (S3 sources need it).
    pub versioned: bool,
    /// Readable without credentials at `/BUCKET/KEY`, and served as a web site at `/_stagewright/site/BUCKET/`.
    pub website: bool,
}

/// `[approval]`: wires `approval-notify` and `approval-respond` to every approval topic without subscriptions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalConfig {
    /// A rules file (`docs/approval-rules.md`) in place of the two below.
    #[serde(default)]
    pub rules: Option<PathBuf>,
    /// Addresses of the approvers.
    #[serde(default)]
    pub approvers: Vec<String>,
    /// Approvals needed; 1 by default.
    #[serde(default = "one")]
    pub needed: u32,
    /// `From` of the mails.
    #[serde(default = "sender")]
    pub sender: String,
}

/// Whether the approval functions would take this rules file.
fn rules(path: &Path) -> Result<(), String> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| format!("{name} cannot be read: {e}"))?;
    match RuleSet::parse(&text) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

const fn one() -> u32 {
    1
}
fn sender() -> String {
    "pipelines@stagewright.localhost".to_owned()
}

impl Config {
    /// Reads the named file; without a name `stagewright.toml` in `folder` if there is one.
    ///
    /// # Errors
    /// See [`ConfigError`]; each names the file and the key.
    pub fn load(named: Option<&Path>, folder: &Path) -> Result<Self, ConfigError> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => {
                let beside = folder.join("stagewright.toml");
                if !beside.exists() {
                    return Ok(Self {
                        folder: folder.to_owned(),
                        ..Self::default()
                    });
                }
                beside
            }
        };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Read {
            path: name.clone(),
            source,
        })?;
        let mut config: Self = toml::from_str(&text).map_err(|e| ConfigError::Parse {
            path: name.clone(),
            message: e.to_string().trim_end().to_owned(),
        })?;
        config.folder = path.parent().map(Path::to_owned).unwrap_or_default();
        config
            .check()
            .map_err(|(key, problem)| ConfigError::Value {
                path: name,
                key,
                problem,
            })?;
        Ok(config)
    }

    /// A path of this file: relative ones are relative to its folder.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// Action types that the file brings and CodePipeline's own list has not.
    pub fn action_types(&self) -> Vec<CustomActionType> {
        let mut all = third_party::action_types(&self.third_party);
        all.extend(connector::action_types(&self.connector));
        all
    }

    fn check(&self) -> Result<(), (String, String)> {
        let wrong = |key: &str, problem: &str| Err((key.to_owned(), problem.to_owned()));
        if self.engine.account.len() != 12
            || !self.engine.account.bytes().all(|b| b.is_ascii_digit())
        {
            return wrong("engine.account", "must have 12 digits");
        }
        for (name, group) in &self.codedeploy {
            if group.targets.is_empty() {
                return wrong(&format!("codedeploy.{name}.targets"), "must name a folder");
            }
        }
        for (name, ecr) in &self.ecr {
            if ecr.registry.is_some() == ecr.layout.is_some() {
                return wrong(&format!("ecr.{name}"), "must have `registry` or `layout`");
            }
        }
        for (name, function) in &self.function {
            if !(1..=900).contains(&function.timeout_seconds) {
                return wrong(
                    &format!("function.{name}.timeout_seconds"),
                    "must be 1 to 900",
                );
            }
            if !(128..=10_240).contains(&function.memory_mb) {
                return wrong(
                    &format!("function.{name}.memory_mb"),
                    "must be 128 to 10240",
                );
            }
            if function.command.as_ref().is_some_and(Vec::is_empty) {
                return wrong(&format!("function.{name}.command"), "must name a program");
            }
        }
        for (provider, partner) in &self.third_party {
            if let Some(problem) = partner.problem(provider) {
                return wrong(&format!("third-party.{provider}:"), &problem);
            }
        }
        for (provider, connector) in &self.connector {
            let twice = self.third_party.contains_key(provider);
            let twice = twice.then(|| format!("is also in [third-party.{provider}]: keep one"));
            if let Some(problem) = twice.or_else(|| connector.problem(provider)) {
                return wrong(&format!("connector.{provider}:"), &problem);
            }
        }
        if let Some(approval) = &self.approval {
            if let Some(file) = &approval.rules {
                if !approval.approvers.is_empty() {
                    return wrong("approval.approvers", "must be left out beside rules");
                }
                return match rules(&self.folder.join(file)) {
                    Ok(()) => Ok(()),
                    Err(problem) => wrong("approval.rules:", &problem),
                };
            }
            if approval.approvers.is_empty() {
                return wrong("approval.approvers", "must name at least one address");
            }
            if approval.needed == 0 || approval.needed as usize > approval.approvers.len() {
                return wrong(
                    "approval.needed",
                    "must be at least 1 and at most the number of approvers",
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("stagewright.toml"), text).expect("a file");
        Config::load(None, folder.path()).map_err(|e| {
            e.to_string()
                .replace(&folder.path().display().to_string(), "…")
        })
    }

    #[test]
    fn a_missing_file_is_the_default() {
        let config = Config::load(None, Path::new("/nonexistent")).expect("default");
        assert_eq!(config.engine.region, "eu-west-1");
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        let error = load("[function.check]\ntimeout = 3\n").expect_err("unknown key");
        assert!(
            error.contains("unknown field `timeout`") && error.contains("line 2"),
            "{error}"
        );
        let error = load("[functions.check]\n").expect_err("unknown table");
        assert!(error.contains("unknown field `functions`"), "{error}");
    }

    #[test]
    fn values_outside_their_limits_are_refused() {
        let cases = [
            (
                "[engine]\naccount = '12'",
                "…/stagewright.toml: engine.account must have 12 digits",
            ),
            (
                "[function.f]\ntimeout_seconds = 901",
                "…/stagewright.toml: function.f.timeout_seconds must be 1 to 900",
            ),
            (
                "[function.f]\ncommand = []",
                "…/stagewright.toml: function.f.command must name a program",
            ),
            (
                "[approval]\napprovers = []",
                "…/stagewright.toml: approval.approvers must name at least one address",
            ),
            (
                "[approval]\nrules = \"stagewright.toml\"",
                "…/stagewright.toml: approval.rules: …/stagewright.toml: [0]: expected value at line 1 column 2",
            ),
            (
                "[approval]\nrules = \"r.json\"\napprovers = [\"dana@example.com\"]",
                "…/stagewright.toml: approval.approvers must be left out beside rules",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(load(text).map(|_| ()), Err(expected.to_owned()));
        }
    }
}
