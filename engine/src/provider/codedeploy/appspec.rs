//! The AppSpec file of a deployment to servers: `appspec.yml`, read and checked.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
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
    pub(super) source: PathBuf,
    /// A folder of the server.
    pub(super) destination: PathBuf,
    #[serde(default)]
    file_exists_behavior: Option<Existing>,
}

/// One script.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    /// In the bundle.
    pub(super) location: PathBuf,
    /// Seconds.
    #[serde(default = "script_seconds")]
    pub(super) timeout: u64,
    /// Who should run it.
    #[serde(default)]
    pub(super) runas: Option<String>,
}

const fn script_seconds() -> u64 {
    SCRIPT_SECONDS
}

/// One entry of `permissions`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Permission {
    /// A file or folder of the server.
    pub(super) object: PathBuf,
    /// Which files in it; `**` is all.
    #[serde(default)]
    pub(super) pattern: Option<String>,
    /// Which not.
    #[serde(default)]
    pub(super) except: Vec<String>,
    /// Octal.
    #[serde(default)]
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

/// A mode as YAML has it: a text, or digits that are octal whatever YAML makes of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Mode {
    Digits(u32),
    Text(String),
}

impl Mode {
    /// The bits, if it is one.
    pub(super) fn bits(&self) -> Option<u32> {
        let text = match self {
            Self::Digits(digits) => digits.to_string(),
            Self::Text(text) => text.clone(),
        };
        let bits = u32::from_str_radix(&text, 8).ok()?;
        (bits <= 0o7777).then_some(bits)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: f64,
    os: String,
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
pub(super) struct AppSpec {
    /// What is installed where, each with its behaviour.
    pub(super) files: Vec<(FileEntry, Existing)>,
    /// In order.
    pub(super) permissions: Vec<Permission>,
    /// Scripts by event.
    pub(super) hooks: BTreeMap<Hook, Vec<Script>>,
}

/// Why an AppSpec is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum AppSpecError {
    /// It is no YAML of this shape: the parser's words have the line.
    #[error("{file}: {problem}")]
    Shape { file: String, problem: String },
    /// A value is wrong.
    #[error("{file}: {place}: {problem}")]
    Value {
        file: String,
        place: String,
        problem: String,
    },
}

impl AppSpec {
    /// Reads and checks the text of `file`.
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, AppSpecError> {
        let shape = |problem: String| AppSpecError::Shape {
            file: file.to_owned(),
            problem,
        };
        let wrong = |place: &str, problem: String| AppSpecError::Value {
            file: file.to_owned(),
            place: place.to_owned(),
            problem,
        };
        yaml::check(text).map_err(|error| shape(error.to_string()))?;
        let raw: Raw = yaml_serde::from_str(text).map_err(|error| shape(error.to_string()))?;
        if raw.version != 0.0 {
            let problem = format!("is {}, and CodeDeploy knows only 0.0", raw.version);
            return Err(wrong("version", problem));
        }
        if raw.os != "linux" {
            let problem = format!("is '{}': the engine deploys to linux only", raw.os);
            return Err(wrong("os", problem));
        }
        for (number, entry) in raw.files.iter().enumerate() {
            if !inside(&entry.source) {
                let problem = format!("'{}' leads out of the bundle", entry.source.display());
                return Err(wrong(&format!("files[{number}].source"), problem));
            }
            if !entry.destination.is_absolute() || climbs(&entry.destination) {
                let problem = format!("'{}' is no absolute path", entry.destination.display());
                return Err(wrong(&format!("files[{number}].destination"), problem));
            }
        }
        for (hook, scripts) in &raw.hooks {
            for (number, script) in scripts.iter().enumerate() {
                let place = format!("hooks.{}[{number}]", hook.name());
                if !inside(&script.location) {
                    let problem =
                        format!("'{}' leads out of the bundle", script.location.display());
                    return Err(wrong(&format!("{place}.location"), problem));
                }
                if !(1..=SCRIPT_SECONDS).contains(&script.timeout) {
                    let problem =
                        format!("is {}, and must be 1 to {SCRIPT_SECONDS} s", script.timeout);
                    return Err(wrong(&format!("{place}.timeout"), problem));
                }
            }
        }
        for (number, permission) in raw.permissions.iter().enumerate() {
            let place = format!("permissions[{number}]");
            if !permission.object.is_absolute() || climbs(&permission.object) {
                let problem = format!("'{}' is no absolute path", permission.object.display());
                return Err(wrong(&format!("{place}.object"), problem));
            }
            if permission
                .mode
                .as_ref()
                .is_some_and(|it| it.bits().is_none())
            {
                let problem = "must be octal digits, as 755 or '0644'".to_owned();
                return Err(wrong(&format!("{place}.mode"), problem));
            }
        }
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

/// Whether a path of the bundle stays in it; a leading `/` is the bundle itself.
fn inside(path: &Path) -> bool {
    !path.as_os_str().is_empty() && !climbs(path)
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
