//! A buildspec 0.2, read strictly: what is unknown or not built is refused by name and line.

use std::collections::BTreeMap;

use raw::{RawBuildspec, RawPhases};

pub use batch::{Batch, Member};

use super::{reports::ReportSpec, stored::Reference};
use crate::yaml;

mod batch;
mod lines;
mod raw;

/// Ours: the guide names no size, and no buildspec comes near.
const MAX_BYTES: usize = 1 << 20;

/// A checked buildspec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buildspec {
    /// Which shell runs the commands.
    pub shell: Shell,
    /// `env.variables`.
    pub variables: BTreeMap<String, String>,
    /// `env.parameter-store` and `env.secrets-manager`.
    pub stored: BTreeMap<String, Reference>,
    /// `env.exported-variables`.
    pub exported: Vec<String>,
    /// Phases that the file names, in the order in which they run.
    pub phases: Vec<PhaseSpec>,
    /// `artifacts`, when the file has them.
    pub artifacts: Option<ArtifactSpec>,
    /// `artifacts.secondary-artifacts` by identifier.
    pub secondary: BTreeMap<String, ArtifactSpec>,
    /// `reports`, those in a format that is read.
    pub reports: Vec<ReportSpec>,
    /// `cache.paths`.
    pub cache: Vec<String>,
    /// `batch`, of a batch build.
    pub batch: Option<Batch>,
    /// What was accepted and has no effect here; one sentence each, for the log.
    pub notices: Vec<String>,
}

/// `env.shell`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// `/bin/sh`, the default.
    Sh,
    /// `bash`.
    Bash,
}

/// The phases a buildspec can give commands to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// `install`
    Install,
    /// `pre_build`
    PreBuild,
    /// `build`
    Build,
    /// `post_build`
    PostBuild,
}

/// `on-failure` of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// End the build.
    Abort,
    /// Go on with the next phase.
    Continue,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseSpec {
    /// Which.
    pub phase: Phase,
    /// `commands`, until the first that fails.
    pub commands: Vec<Command>,
    /// `finally`, whatever happened before.
    pub finally: Vec<Command>,
    /// `None`: CodeBuild's own transitions.
    pub on_failure: Option<OnFailure>,
}

/// One command and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Shell text, one or more lines.
    pub text: String,
    /// Its first line in the file, when it could be found.
    pub line: Option<usize>,
}

/// One artifact definition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArtifactSpec {
    /// Globs below the base directory.
    pub files: Vec<String>,
    /// Globs of what is left out.
    pub exclude: Vec<String>,
    /// A folder below the source, or a glob that names several.
    pub base_directory: Option<String>,
    /// Put every file at the top.
    pub discard_paths: bool,
}

/// Why a buildspec is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("YAML_FILE_ERROR: {file}{at}: {message}")]
pub struct BuildspecError {
    file: String,
    at: String,
    message: String,
}

impl Phase {
    /// All, in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Install, Self::PreBuild, Self::Build, Self::PostBuild];

    /// As CodeBuild's logs and API write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Install => "INSTALL",
            Self::PreBuild => "PRE_BUILD",
            Self::Build => "BUILD",
            Self::PostBuild => "POST_BUILD",
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::PreBuild => "pre_build",
            Self::Build => "build",
            Self::PostBuild => "post_build",
        }
    }
}

/// Parses and checks the text of the buildspec called `file`.
///
/// # Errors
/// Not YAML, an unknown key, a wrong type, or something that is not built: with file and line.
pub fn parse(file: &str, text: &str) -> Result<Buildspec, BuildspecError> {
    let unreadable = |message: String| BuildspecError {
        file: file.to_owned(),
        at: String::new(),
        message,
    };
    if text.len() > MAX_BYTES {
        return Err(unreadable(format!(
            "{} bytes; a buildspec may have {MAX_BYTES}",
            text.len()
        )));
    }
    yaml::check(text).map_err(|problem| unreadable(problem.to_string()))?;
    let mut raw: RawBuildspec =
        yaml_serde::from_str(text).map_err(|error| yaml_error(file, &error))?;
    let refuse = |needle: &str, message: String| BuildspecError {
        file: file.to_owned(),
        at: yaml::line_of_key(text, needle)
            .map(|line| format!(" line {line}"))
            .unwrap_or_default(),
        message,
    };
    if raw.version != "0.2" {
        return Err(refuse(
            "version",
            format!(
                "version {} is not supported; write version: 0.2",
                raw.version
            ),
        ));
    }
    let mut notices = Vec::new();
    let reports = raw.reports(&mut notices);
    raw.refuse_unbuilt(&mut notices)
        .map_err(|(key, message)| refuse(key, message))?;
    let env = raw.env.unwrap_or_default();
    let shell = match env.shell.as_deref() {
        None | Some("/bin/sh" | "sh") => Shell::Sh,
        Some("bash" | "/bin/bash") => Shell::Bash,
        Some(other) => {
            return Err(refuse(
                "shell",
                format!("env.shell {other} is not supported; use bash or /bin/sh"),
            ));
        }
    };
    let names = env.variables.keys().chain(&env.exported_variables);
    let names = names.chain(env.parameter_store.keys());
    for name in names.chain(env.secrets_manager.keys()) {
        if !is_variable_name(name) {
            return Err(refuse(name, format!("{name} is not a variable name")));
        }
    }
    if let Some(name) = env
        .exported_variables
        .iter()
        .find(|n| n.starts_with("AWS_"))
    {
        return Err(refuse(
            name,
            format!("env.exported-variables: {name} cannot be exported, AWS_ is reserved"),
        ));
    }
    let batch = raw.batch.map(batch::RawBatch::checked).transpose();
    let batch = batch.map_err(|(key, message)| refuse(key, message))?;
    let parameters = env.parameter_store.into_iter();
    let secrets = env.secrets_manager.into_iter();
    let stored = parameters
        .map(|(name, place)| (name, Reference::Parameter(place)))
        .chain(secrets.map(|(name, place)| (name, Reference::Secret(place))))
        .collect();
    let RawPhases {
        install,
        pre_build,
        build,
        post_build,
    } = raw.phases;
    let mut phases = Vec::new();
    for (phase, raw) in Phase::ALL
        .into_iter()
        .zip([install, pre_build, build, post_build])
    {
        let Some(raw) = raw else { continue };
        if let Some(user) = raw.run_as {
            return Err(refuse(
                "run-as",
                format!("run-as {user} is not supported: builds run as the user of the engine"),
            ));
        }
        if let Some(versions) = raw.runtime_versions {
            let list: Vec<_> = versions.iter().map(|(k, v)| format!("{k} {v}")).collect();
            notices.push(format!(
                "runtime-versions ({}) are not installed on the host; what PATH has is used",
                list.join(", ")
            ));
        }
        let on_failure = match raw.on_failure.as_deref() {
            None => None,
            Some("ABORT") => Some(OnFailure::Abort),
            Some("CONTINUE") => Some(OnFailure::Continue),
            Some(other) => {
                return Err(refuse(
                    "on-failure",
                    format!("on-failure {other} is not supported; use ABORT or CONTINUE"),
                ));
            }
        };
        phases.push(PhaseSpec {
            phase,
            commands: lines::located(text, phase, "commands", raw.commands.unwrap_or_default()),
            finally: lines::located(text, phase, "finally", raw.finally.unwrap_or_default()),
            on_failure,
        });
    }
    if phases.is_empty() {
        return Err(refuse("phases", "at least one phase is needed".to_owned()));
    }
    let mut secondary = BTreeMap::new();
    let mut primary = None;
    if let Some(raw) = raw.artifacts {
        for (id, raw) in raw.secondary_artifacts.unwrap_or_default() {
            let spec = raw
                .checked(&mut notices)
                .map_err(|(key, m)| refuse(key, m))?;
            secondary.insert(id, spec);
        }
        primary = Some(
            raw.body
                .checked(&mut notices)
                .map_err(|(key, m)| refuse(key, m))?,
        );
    }
    Ok(Buildspec {
        shell,
        variables: env.variables,
        stored,
        exported: env.exported_variables,
        phases,
        artifacts: primary.filter(|spec| !spec.files.is_empty()),
        secondary,
        reports,
        cache: raw.cache.map(|cache| cache.paths).unwrap_or_default(),
        batch,
        notices,
    })
}

/// `[A-Za-z_][A-Za-z0-9_]*`
pub fn is_variable_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn yaml_error(file: &str, error: &yaml_serde::Error) -> BuildspecError {
    let text = error.to_string();
    let message = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(m, _)| m);
    let hint = if message.contains("expected a string") && message.contains("invalid type: map") {
        "; a command with `: ` in it must be quoted"
    } else {
        ""
    };
    BuildspecError {
        file: file.to_owned(),
        at: format!(" line {}", error.location().map_or(1, |at| at.line())),
        message: format!("{message}{hint}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"version: 0.2
env:
  shell: bash
  variables:
    ANSWER: no
    OCTAL: 012
    VERSION: 1.10
    ON: true
  exported-variables: [TAG]
phases:
  install:
    runtime-versions:
      nodejs: 20
    commands: []
  build:
    on-failure: ABORT
    commands:
      - echo one
      - |
        echo two
        echo three
      - "echo \"a: b\""
      - echo one
    finally:
      - echo bye
reports:
  mine: {files: ['**/*']}
artifacts:
  base-directory: site
  files: '**/*'
  exclude-paths: ['**/*.map']
  discard-paths: no
  secondary-artifacts:
    Docs:
      files:
        - docs/*
      discard-paths: yes
"#;

    #[test]
    fn scalars_stay_as_written_and_commands_know_their_line() {
        let spec = parse("buildspec.yml", FULL).expect("good");
        assert_eq!(spec.shell, Shell::Bash);
        let variables: Vec<_> = spec
            .variables
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        assert_eq!(
            variables,
            ["ANSWER=no", "OCTAL=012", "ON=true", "VERSION=1.10"]
        );
        let build = &spec.phases[1];
        assert_eq!(build.phase, Phase::Build);
        assert_eq!(build.on_failure, Some(OnFailure::Abort));
        let lines: Vec<_> = build.commands.iter().map(|c| c.line).collect();
        assert_eq!(lines, [Some(18), Some(20), None, Some(23)]);
        assert_eq!(build.commands[1].text, "echo two\necho three\n");
        assert_eq!(build.finally[0].line, Some(25));
        let artifacts = spec.artifacts.expect("there");
        assert_eq!(artifacts.files, ["**/*"]);
        assert_eq!(artifacts.base_directory.as_deref(), Some("site"));
        assert!(spec.secondary["Docs"].discard_paths);
        assert_eq!(spec.notices.len(), 1, "{:?}", spec.notices);
        assert_eq!(spec.reports[0].name, "mine");
    }

    #[test]
    fn bad_specs_are_refused_with_file_and_line() {
        let cases = [
            (
                "version: 0.2\nphases:\n  build:\n    commands:\n      - echo a: b\n",
                "line 5: phases.build.commands[0]: invalid type: map, expected a string; a command with `: ` in it must be quoted",
            ),
            (
                "version: 0.2\nphase:\n  build: {}\n",
                "line 2: unknown field `phase`",
            ),
            (
                "version: 0.1\nphases: {build: {}}\n",
                "line 1: version 0.1 is not supported; write version: 0.2",
            ),
            (
                "phases: {build: {}}\n",
                "ci/spec.yml line 1: missing field `version`",
            ),
            (
                "version: 0.2\nphases: {}\n",
                "line 2: at least one phase is needed",
            ),
            (
                "version: 0.2\nenv:\n  shell: powershell.exe\nphases: {build: {}}\n",
                "line 3: env.shell powershell.exe is not supported",
            ),
            (
                "version: 0.2\nenv:\n  exported-variables:\n    - AWS_X\nphases: {build: {}}\n",
                "line 4: env.exported-variables: AWS_X cannot be exported",
            ),
            (
                "version: 0.2\nphases:\n  build:\n    on-failure: RETRY\n",
                "line 4: on-failure RETRY is not supported",
            ),
            (
                "version: 0.2\nphases:\n  build:\n    run-as: joe\n",
                "line 4: run-as joe is not supported",
            ),
            (
                "version: 0.2\nphases: {build: {}}\nartifacts:\n  files: ['../x']\n",
                "line 4: ../x leaves the base directory",
            ),
            ("version: 0.2\nphases:\n\tbuild: {}\n", "line 3: "),
            ("", "line 1: missing field"),
        ];
        for (text, expected) in cases {
            let error = parse("ci/spec.yml", text).expect_err(text).to_string();
            assert!(
                error.starts_with("YAML_FILE_ERROR: ci/spec.yml") && error.contains(expected),
                "{error}\nshould contain: {expected}"
            );
        }
    }
}
