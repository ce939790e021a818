//! The AppSpec file of a deployment to servers: `appspec.yml`, read and checked.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
    str::FromStr,
};

use serde::Deserialize;

use crate::yaml;

/// Its names, in the order CodeDeploy looks for them.
pub(super) const NAMES: [&str; 2] = ["appspec.yml", "appspec.yaml"];
/// Largest file that is read, in bytes.
pub(super) const LIMIT: u64 = 1024 * 1024;
/// Seconds a script may take, by default and at most (CodeDeploy's documentation: one hour).
const SCRIPT_SECONDS: u64 = 3600;

/// Lifecycle events that have hooks, in order, without a load balancer. `Install` lies between the second and the third.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) enum Hook {
    ApplicationStop,
    BeforeInstall,
    AfterInstall,
    ApplicationStart,
    ValidateService,
}

impl Hook {
    /// As AWS writes it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ApplicationStop => "ApplicationStop",
            Self::BeforeInstall => "BeforeInstall",
            Self::AfterInstall => "AfterInstall",
            Self::ApplicationStart => "ApplicationStart",
            Self::ValidateService => "ValidateService",
        }
    }
}

/// What happens to a file that is in the way and not of the last deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Existing {
    /// The deployment fails.
    #[default]
    Disallow,
    /// The deployment's file takes its place.
    Overwrite,
    /// It stays.
    Retain,
}

/// One entry of `files`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileEntry {
    /// A file or folder of the bundle; `/` is all of it.
    #[serde(deserialize_with = "yaml::checked")]
    pub(super) source: InBundle,
    /// A folder of the server.
    #[serde(deserialize_with = "yaml::checked")]
    pub(super) destination: OnServer,
    #[serde(default)]
    file_exists_behavior: Option<Existing>,
}

/// One script.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    /// In the bundle.
    #[serde(deserialize_with = "yaml::checked")]
    pub(super) location: InBundle,
    /// How long it may take.
    #[serde(default, deserialize_with = "yaml::checked")]
    pub(super) timeout: Timeout,
    /// Who should run it.
    #[serde(default)]
    pub(super) runas: Option<String>,
}

/// A path of the bundle; a leading `/` is the bundle itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InBundle(pub(super) PathBuf);

impl FromStr for InBundle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        match path.as_os_str().is_empty() || climbs(&path) {
            true => Err(format!("'{text}' leads out of the bundle")),
            false => Ok(Self(path)),
        }
    }
}

/// An absolute path of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OnServer(pub(super) PathBuf);

impl FromStr for OnServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        match path.is_absolute() && !climbs(&path) {
            true => Ok(Self(path)),
            false => Err(format!("'{text}' is no absolute path")),
        }
    }
}

/// Seconds of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timeout(pub(super) u64);

impl Default for Timeout {
    fn default() -> Self {
        Self(SCRIPT_SECONDS)
    }
}

impl FromStr for Timeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.parse().ok();
        let seconds = seconds.filter(|it| (1..=SCRIPT_SECONDS).contains(it));
        seconds
            .map(Self)
            .ok_or_else(|| format!("is {text}, and must be 1 to {SCRIPT_SECONDS} s"))
    }
}

/// One entry of `permissions`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Permission {
    /// A file or folder of the server.
    #[serde(deserialize_with = "yaml::checked")]
    pub(super) object: OnServer,
    /// Which files in it; `**` is all.
    #[serde(default)]
    pub(super) pattern: Option<String>,
    /// Which not.
    #[serde(default)]
    pub(super) except: Vec<String>,
    /// Octal.
    #[serde(default, deserialize_with = "yaml::checked_option")]
    pub(super) mode: Option<Mode>,
    /// `file`, `directory` or both.
    #[serde(default, rename = "type")]
    pub(super) kinds: Vec<Kind>,
    #[serde(default)]
    pub(super) owner: Option<String>,
    #[serde(default)]
    pub(super) group: Option<String>,
    #[serde(default)]
    pub(super) acls: Vec<String>,
    #[serde(default)]
    pub(super) context: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    File,
    Directory,
}

/// The bits of a mode: digits that are octal whatever YAML makes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mode(pub(super) u32);

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bits = u32::from_str_radix(text, 8).ok();
        let bits = bits.filter(|bits| *bits <= 0o7777);
        let bits = bits.ok_or("must be octal digits, as 755 or '0644'")?;
        Ok(Self(bits))
    }
}

struct Version;

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(0.0) => Ok(Self),
            _ => Err(format!("is {text}, and CodeDeploy knows only 0.0")),
        }
    }
}

struct Os;

impl FromStr for Os {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "linux" => Ok(Self),
            other => Err(format!("is '{other}': the engine deploys to linux only")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "version", deserialize_with = "yaml::checked")]
    _version: Version,
    #[serde(rename = "os", deserialize_with = "yaml::checked")]
    _os: Os,
    #[serde(default)]
    files: Vec<FileEntry>,
    #[serde(default)]
    file_exists_behavior: Existing,
    #[serde(default)]
    permissions: Vec<Permission>,
    #[serde(default)]
    hooks: BTreeMap<Hook, Vec<Script>>,
}

/// A checked AppSpec.
#[derive(Debug, Clone, PartialEq)]
pub struct AppSpec {
    /// What is installed where, each with its behaviour.
    pub(super) files: Vec<(FileEntry, Existing)>,
    /// In order.
    pub(super) permissions: Vec<Permission>,
    /// Scripts by event.
    pub(super) hooks: BTreeMap<Hook, Vec<Script>>,
}

/// Why an AppSpec is not used: the file, the place in it, and its line.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct AppSpecError {
    file: String,
    problem: String,
}

impl AppSpec {
    /// Reads and checks the text of `file`.
    ///
    /// # Errors
    /// It is no YAML, has another shape, or a value that cannot be.
    pub fn parse(file: &str, text: &str) -> Result<Self, AppSpecError> {
        let wrong = |problem: String| AppSpecError {
            file: file.to_owned(),
            problem,
        };
        yaml::check(text).map_err(|error| wrong(error.to_string()))?;
        let raw: Raw = yaml_serde::from_str(text).map_err(|error| wrong(yaml::told(&error)))?;
        let overall = raw.file_exists_behavior;
        let files = raw.files.into_iter().map(|entry| {
            let behavior = entry.file_exists_behavior.unwrap_or(overall);
            (entry, behavior)
        });
        Ok(Self {
            files: files.collect(),
            permissions: raw.permissions,
            hooks: raw.hooks,
        })
    }
}

fn climbs(path: &Path) -> bool {
    path.components()
        .any(|part| matches!(part, Component::ParentDir))
}

/// A path below a folder, absolute or not.
pub(super) fn below(folder: &Path, path: &Path) -> PathBuf {
    let parts = path.components();
    let parts = parts.filter(|part| matches!(part, Component::Normal(_)));
    folder.join(parts.collect::<PathBuf>())
}
