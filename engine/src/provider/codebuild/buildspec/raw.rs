//! A buildspec as it is written, before any check.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};

use super::{
    super::reports::{Format, ReportSpec},
    ArtifactSpec,
    batch::RawBatch,
};

pub(super) type Refused = (&'static str, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawBuildspec {
    pub(super) version: String,
    pub(super) run_as: Option<String>,
    pub(super) env: Option<RawEnv>,
    pub(super) proxy: Option<de::IgnoredAny>,
    pub(super) batch: Option<RawBatch>,
    pub(super) phases: RawPhases,
    pub(super) reports: Option<BTreeMap<String, RawReport>>,
    pub(super) artifacts: Option<RawArtifacts>,
    pub(super) cache: Option<RawCache>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawReport {
    files: OneOrMany,
    base_directory: Option<String>,
    /// Files are not moved here: nothing to discard.
    #[serde(rename = "discard-paths")]
    _discard_paths: Option<String>,
    file_format: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawEnv {
    pub(super) shell: Option<String>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) parameter_store: BTreeMap<String, String>,
    pub(super) secrets_manager: BTreeMap<String, String>,
    pub(super) exported_variables: Vec<String>,
    pub(super) git_credential_helper: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawCache {
    #[serde(default)]
    pub(super) paths: Vec<String>,
    /// The cache is the project's: it has one key.
    #[serde(rename = "key")]
    _key: Option<String>,
    #[serde(rename = "fallback-keys")]
    _fallback_keys: Option<Vec<String>>,
    #[serde(rename = "action")]
    _action: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPhases {
    pub(super) install: Option<RawPhase>,
    pub(super) pre_build: Option<RawPhase>,
    pub(super) build: Option<RawPhase>,
    pub(super) post_build: Option<RawPhase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawPhase {
    pub(super) run_as: Option<String>,
    pub(super) on_failure: Option<String>,
    pub(super) runtime_versions: Option<BTreeMap<String, String>>,
    pub(super) commands: Option<Vec<String>>,
    pub(super) finally: Option<Vec<String>>,
}

/// `serde(flatten)` would lose scalars as written (`012`), so the fields stand twice.
pub(super) struct RawArtifacts {
    pub(super) body: RawArtifact,
    pub(super) secondary_artifacts: Option<BTreeMap<String, RawArtifact>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawPrimary {
    pub(super) files: Option<OneOrMany>,
    pub(super) exclude_paths: Option<OneOrMany>,
    pub(super) base_directory: Option<String>,
    pub(super) discard_paths: Option<String>,
    pub(super) enable_symlinks: Option<String>,
    pub(super) name: Option<String>,
    pub(super) s3_prefix: Option<String>,
    pub(super) secondary_artifacts: Option<BTreeMap<String, RawArtifact>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawArtifact {
    pub(super) files: Option<OneOrMany>,
    pub(super) exclude_paths: Option<OneOrMany>,
    pub(super) base_directory: Option<String>,
    pub(super) discard_paths: Option<String>,
    pub(super) enable_symlinks: Option<String>,
    pub(super) name: Option<String>,
    pub(super) s3_prefix: Option<String>,
}

impl<'de> Deserialize<'de> for RawArtifacts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawPrimary::deserialize(deserializer)?;
        Ok(Self {
            secondary_artifacts: raw.secondary_artifacts,
            body: RawArtifact {
                files: raw.files,
                exclude_paths: raw.exclude_paths,
                base_directory: raw.base_directory,
                discard_paths: raw.discard_paths,
                enable_symlinks: raw.enable_symlinks,
                name: raw.name,
                s3_prefix: raw.s3_prefix,
            },
        })
    }
}

#[derive(Default)]
pub(super) struct OneOrMany(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Paths;
        impl<'de> Visitor<'de> for Paths {
            type Value = OneOrMany;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a path or a list of paths")
            }
            fn visit_str<E: de::Error>(self, one: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![one.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(OneOrMany(all))
            }
        }
        deserializer.deserialize_any(Paths)
    }
}

impl RawBuildspec {
    /// The reports that are read; a format that is not read is noted.
    pub(super) fn reports(&mut self, notices: &mut Vec<String>) -> Vec<ReportSpec> {
        let all = self.reports.take().unwrap_or_default().into_iter();
        all.filter_map(|(name, raw)| {
            let Some(format) = Format::parse(raw.file_format.as_deref()) else {
                let format = raw.file_format.unwrap_or_default();
                notices.push(format!(
                    "reports.{name}: file-format {format} is not read here; JUNITXML, CUCUMBERJSON and VISUALSTUDIOTRX are"
                ));
                return None;
            };
            Some(ReportSpec {
                name,
                files: raw.files.0,
                base_directory: raw.base_directory,
                format,
            })
        })
        .collect()
    }

    /// Refuses what would change a build and is not built; notes what only would have made it faster or prettier.
    pub(super) fn refuse_unbuilt(&self, notices: &mut Vec<String>) -> Result<(), Refused> {
        if let Some(user) = &self.run_as {
            return Err((
                "run-as",
                format!("run-as {user} is not supported: builds run as the user of the engine"),
            ));
        }
        let env = self.env.as_ref();
        let ignored = [
            (
                env.is_some_and(|e| e.git_credential_helper.is_some()),
                "env.git-credential-helper",
            ),
            (self.proxy.is_some(), "proxy"),
        ];
        for (_, key) in ignored.into_iter().filter(|(present, _)| *present) {
            notices.push(format!("{key} of the buildspec has no effect here"));
        }
        Ok(())
    }
}

impl RawArtifact {
    /// As the build uses it.
    pub(super) fn checked(self, notices: &mut Vec<String>) -> Result<ArtifactSpec, Refused> {
        if self.name.is_some() || self.s3_prefix.is_some() {
            notices.push("artifacts.name and s3-prefix have no effect in a pipeline".to_owned());
        }
        let spec = ArtifactSpec {
            files: self.files.unwrap_or_default().0,
            exclude: self.exclude_paths.unwrap_or_default().0,
            base_directory: self.base_directory,
            discard_paths: yes(self.discard_paths, "discard-paths")?,
        };
        if self.enable_symlinks.is_some() && !yes(self.enable_symlinks, "enable-symlinks")? {
            notices.push("artifacts.enable-symlinks has no effect here: links are kept".to_owned());
        }
        let outside = |glob: &&String| glob.starts_with('/') || glob.split('/').any(|p| p == "..");
        if let Some(glob) = spec.files.iter().chain(&spec.exclude).find(outside) {
            return Err((
                "files",
                format!("{glob} leaves the base directory; set base-directory instead"),
            ));
        }
        Ok(spec)
    }
}

pub(super) fn yes(value: Option<String>, key: &'static str) -> Result<bool, Refused> {
    match value.as_deref() {
        None | Some("no" | "false") => Ok(false),
        Some("yes" | "true") => Ok(true),
        Some(other) => Err((key, format!("{key} is {other}; write yes or no"))),
    }
}
