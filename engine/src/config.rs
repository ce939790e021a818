//! `stagewright.toml`, typed; unknown keys are refused by name.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

/// The whole file; every table may be absent. Relative paths are relative to the file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Folder of the file; set by the loader.
    #[serde(skip)]
    pub folder: PathBuf,
    /// What AWS would know of this account.
    pub engine: EngineSettings,
    /// Functions by name.
    pub function: BTreeMap<String, FunctionConfig>,
    /// CodeBuild projects by name.
    pub codebuild: BTreeMap<String, CodebuildConfig>,
    /// Connections by ARN: a git URL or path; `{FullRepositoryId}` is replaced.
    pub connection: BTreeMap<String, GitRemote>,
    /// CodeCommit repositories by name.
    pub codecommit: BTreeMap<String, GitRemote>,
    /// Topics by name.
    pub topic: BTreeMap<String, TopicConfig>,
    /// S3 buckets to create at start.
    pub bucket: BTreeMap<String, BucketConfig>,
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
    /// Seconds before each retry of an asynchronous function call that failed; Lambda's are 60 and 120.
    pub async_retry_seconds: Vec<u32>,
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
            async_retry_seconds: vec![60, 120],
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

const fn three() -> u32 {
    3
}
const fn memory() -> u32 {
    128
}

/// `[codebuild.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CodebuildConfig {
    /// Path in the source, or the text itself when it has more than one line.
    pub buildspec: Option<String>,
    /// Environment variables of the project.
    pub environment: BTreeMap<String, String>,
    /// `host` (default) runs on this machine.
    pub image: Option<String>,
    /// Build timeout, 5 to 2,160 minutes; 60 by default, as CodeBuild's.
    pub timeout_minutes: Option<u32>,
}

/// `[connection."ARN"]`, `[codecommit.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitRemote {
    /// A git URL, or a path of this machine.
    pub git: String,
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
    /// Addresses of the approvers.
    pub approvers: Vec<String>,
    /// Approvals needed; 1 by default.
    #[serde(default = "one")]
    pub needed: u32,
    /// `From` of the mails.
    #[serde(default = "sender")]
    pub sender: String,
}

const fn one() -> u32 {
    1
}
fn sender() -> String {
    "pipelines@stagewright.localhost".to_owned()
}
