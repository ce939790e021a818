//! The whole environment of a build: nothing of the engine's own is inherited but what a shell needs.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    buildspec::is_variable_name,
    stored::{Declared, Reference},
};

/// Taken from the engine's environment: where programs, caches and temporary files are, and how text is encoded.
pub const INHERITED: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR"];

/// What CodeBuild tells a build about itself.
#[derive(Debug, Clone)]
pub struct BuildFacts {
    /// `PROJECT:UUID`
    pub id: String,
    /// Which build of a batch.
    pub batch: Option<String>,
    /// Counted per project.
    pub number: u64,
    /// Pipeline that started it.
    pub pipeline: String,
    /// Region of the action.
    pub region: String,
    /// Account of the engine.
    pub account: String,
    /// `host`, or the image.
    pub image: String,
    /// Folder of the primary source.
    pub source: String,
    /// Folders of the other inputs by artifact name.
    pub other_sources: BTreeMap<String, String>,
    /// Revision of the primary source.
    pub resolved_version: Option<String>,
    /// ARN of the primary source artifact.
    pub version: String,
    /// Milliseconds since 1970.
    pub started: i64,
    /// KMS key of the artifact store.
    pub kms_key: Option<String>,
}

/// Why the action's `EnvironmentVariables` are not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// Not a JSON array of `{name, value, type}`.
    #[error("EnvironmentVariables is not a JSON array of {{name, value, type}}: {problem}")]
    NotJson {
        /// The parser's words.
        problem: String,
    },
    /// Not a variable's name.
    #[error("EnvironmentVariables: {name:?} is not a variable name")]
    Name {
        /// The text.
        name: String,
    },
    /// No type of CodeBuild.
    #[error(
        "EnvironmentVariables: {name} has type {kind}; use PLAINTEXT, PARAMETER_STORE or SECRETS_MANAGER"
    )]
    Kind {
        /// Which variable.
        name: String,
        /// Its type.
        kind: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    name: String,
    value: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl BuildFacts {
    /// ARN of the build.
    pub fn arn(&self) -> String {
        format!(
            "arn:aws:codebuild:{}:{}:build/{}",
            self.region, self.account, self.id
        )
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> = [
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("CI", "true".to_owned()),
            ("CODEBUILD_CI", "true".to_owned()),
            ("CODEBUILD_BUILD_ID", self.id.clone()),
            ("CODEBUILD_BUILD_ARN", self.arn()),
            ("CODEBUILD_BUILD_NUMBER", self.number.to_string()),
            ("CODEBUILD_BUILD_IMAGE", self.image.clone()),
            ("CODEBUILD_BUILD_SUCCEEDING", "1".to_owned()),
            (
                "CODEBUILD_INITIATOR",
                format!("codepipeline/{}", self.pipeline),
            ),
            ("CODEBUILD_SOURCE_VERSION", self.version.clone()),
            ("CODEBUILD_SRC_DIR", self.source.clone()),
            ("CODEBUILD_START_TIME", self.started.to_string()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        if let Some(version) = &self.resolved_version {
            all.insert(
                "CODEBUILD_RESOLVED_SOURCE_VERSION".to_owned(),
                version.clone(),
            );
        }
        if let Some(identifier) = &self.batch {
            let name = "CODEBUILD_BATCH_BUILD_IDENTIFIER".to_owned();
            all.insert(name, identifier.clone());
        }
        if let Some(key) = &self.kms_key {
            all.insert("CODEBUILD_KMS_KEY_ID".to_owned(), key.clone());
        }
        for (artifact, folder) in &self.other_sources {
            all.insert(format!("CODEBUILD_SRC_DIR_{artifact}"), folder.clone());
        }
        all
    }
}

/// Reads the action's `EnvironmentVariables`.
///
/// # Errors
/// See [`EnvironmentError`]; values are never part of it.
pub fn action_variables(json: Option<&str>) -> Result<Declared, EnvironmentError> {
    let Some(json) = json.filter(|json| !json.is_empty()) else {
        return Ok(Declared::default());
    };
    let list: Vec<Variable> =
        serde_json::from_str(json).map_err(|error| EnvironmentError::NotJson {
            problem: format!("line {} column {}", error.line(), error.column()),
        })?;
    let mut all = Declared::default();
    for Variable { name, value, kind } in list {
        if !is_variable_name(&name) {
            return Err(EnvironmentError::Name { name });
        }
        match kind.as_deref() {
            None | Some("PLAINTEXT") => {
                all.plain.insert(name, value);
            }
            Some("PARAMETER_STORE") => {
                all.stored.insert(name, Reference::Parameter(value));
            }
            Some("SECRETS_MANAGER") => {
                all.stored.insert(name, Reference::Secret(value));
            }
            Some(kind) => {
                let kind = kind.to_owned();
                return Err(EnvironmentError::Kind { name, kind });
            }
        }
    }
    Ok(all)
}

/// All of it. Of one name the later wins: host, buildspec, project, action, CodeBuild's own.
pub fn environment(
    host: impl IntoIterator<Item = (String, String)>,
    declared: [BTreeMap<String, String>; 3],
    facts: &BuildFacts,
) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = host
        .into_iter()
        .filter(|(name, _)| INHERITED.contains(&name.as_str()))
        .collect();
    all.extend(declared.into_iter().flatten());
    all.extend(facts.variables());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn later_wins_and_the_engines_own_stays_out() {
        let facts = BuildFacts {
            id: "site:1-2".to_owned(),
            batch: None,
            number: 7,
            pipeline: "P".to_owned(),
            region: "eu-west-1".to_owned(),
            account: "123456789012".to_owned(),
            image: "host".to_owned(),
            source: "/s".to_owned(),
            other_sources: map(&[("Docs", "/d")]),
            resolved_version: Some("abc".to_owned()),
            version: "arn:aws:s3:::b/k".to_owned(),
            started: 5,
            kms_key: None,
        };
        let host = map(&[
            ("PATH", "/bin"),
            ("AWS_SECRET_ACCESS_KEY", "planted"),
            ("SECRET", "planted"),
        ]);
        let action = action_variables(Some(
            r#"[{"name":"A","value":"action","type":"PLAINTEXT"},{"name":"D","value":"action"}]"#,
        ))
        .expect("good");
        let all = environment(
            host,
            [
                map(&[
                    ("A", "spec"),
                    ("B", "spec"),
                    ("C", "spec"),
                    ("CODEBUILD_BUILD_ID", "mine"),
                ]),
                map(&[("A", "project"), ("B", "project")]),
                action.plain,
            ],
            &facts,
        );
        for (name, value) in [
            ("PATH", "/bin"),
            ("A", "action"),
            ("B", "project"),
            ("C", "spec"),
            ("D", "action"),
            ("CODEBUILD_BUILD_ID", "site:1-2"),
            (
                "CODEBUILD_BUILD_ARN",
                "arn:aws:codebuild:eu-west-1:123456789012:build/site:1-2",
            ),
            ("CODEBUILD_SRC_DIR_Docs", "/d"),
            ("CODEBUILD_INITIATOR", "codepipeline/P"),
        ] {
            assert_eq!(all.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!all.values().any(|value| value == "planted"));
    }

    #[test]
    fn other_types_are_refused_by_name() {
        let refused = |json: &str| action_variables(Some(json)).expect_err(json).to_string();
        assert_eq!(
            refused(r#"[{"name":"TOKEN","value":"/p","type":"VAULT"}]"#),
            "EnvironmentVariables: TOKEN has type VAULT; use PLAINTEXT, PARAMETER_STORE or SECRETS_MANAGER"
        );
        assert!(
            refused(r#"{"TOKEN":"planted"}"#)
                .starts_with("EnvironmentVariables is not a JSON array")
        );
        assert!(!refused(r#"[{"name":"TOKEN","value":planted}]"#).contains("planted"));
        assert_eq!(
            refused(r#"[{"name":"A B","value":""}]"#),
            r#"EnvironmentVariables: "A B" is not a variable name"#
        );
    }
}
