//! The input of a pipeline target: source revisions and variables of the execution it starts.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What an input transformer may give a pipeline; AWS's key casing is not documented, so both are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `sourceRevisions`.
    pub source_revisions: Vec<Revision>,
    /// `variables`.
    pub variables: BTreeMap<String, String>,
}

/// One entry of `sourceRevisions`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revision {
    /// The source action.
    #[serde(alias = "ActionName")]
    pub action_name: String,
    /// `COMMIT_ID`, `IMAGE_DIGEST`, `S3_OBJECT_VERSION_ID`, `S3_OBJECT_KEY`.
    #[serde(alias = "RevisionType")]
    pub revision_type: String,
    /// The revision.
    #[serde(alias = "RevisionValue")]
    pub revision_value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    #[serde(default, alias = "SourceRevisions")]
    source_revisions: Vec<Revision>,
    #[serde(default, alias = "Variables")]
    variables: Vec<Variable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Variable {
    #[serde(alias = "Name")]
    name: String,
    #[serde(alias = "Value")]
    value: String,
}

/// An input that says something else.
#[derive(Debug, thiserror::Error)]
#[error("the input of a pipeline holds sourceRevisions and variables")]
pub struct OverridesError(#[from] serde_json::Error);

impl Overrides {
    /// Reads an input.
    ///
    /// # Errors
    /// [`OverridesError`].
    pub fn read(input: &str) -> Result<Self, OverridesError> {
        // A struct would also be read from an array.
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(input)?;
        let raw: Raw = serde_json::from_value(object.into())?;
        Ok(Self {
            source_revisions: raw.source_revisions,
            variables: raw
                .variables
                .into_iter()
                .map(|variable| (variable.name, variable.value))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_casings_are_read_and_nothing_else() {
        let expected = Overrides {
            source_revisions: vec![Revision {
                action_name: "Code".to_owned(),
                revision_type: "COMMIT_ID".to_owned(),
                revision_value: "abc".to_owned(),
            }],
            variables: BTreeMap::from([("v".to_owned(), "1".to_owned())]),
        };
        for input in [
            r#"{"sourceRevisions":[{"actionName":"Code","revisionType":"COMMIT_ID","revisionValue":"abc"}],"variables":[{"name":"v","value":"1"}]}"#,
            r#"{"SourceRevisions":[{"ActionName":"Code","RevisionType":"COMMIT_ID","RevisionValue":"abc"}],"Variables":[{"Name":"v","Value":"1"}]}"#,
        ] {
            assert_eq!(Overrides::read(input).unwrap(), expected, "{input}");
        }
        assert_eq!(Overrides::read("{}").unwrap(), Overrides::default());
        for input in [
            "[]",
            "null",
            r#"{"revisions":[]}"#,
            r#"{"variables":{"v":"1"}}"#,
        ] {
            assert!(Overrides::read(input).is_err(), "{input}");
        }
    }
}
