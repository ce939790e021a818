//! What a CloudFormation action asks for, parsed out of its configuration and artifacts.

use std::collections::BTreeMap;

use engine_plan::effect::{ActionTask, ArtifactLocation};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::{Trouble, required};

/// Overrides, as CloudFormation says.
const OVERRIDES_LIMIT: usize = 1_024;

/// `ActionMode`, with what only that mode has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Makes or updates the stack.
    CreateUpdate,
    /// The same, and deletes a failed stack first.
    ReplaceOnFailure,
    /// Deletes it.
    DeleteOnly,
    /// Makes a change set of this name.
    ChangeSetReplace(String),
    /// Executes it.
    ChangeSetExecute(String),
}

/// A file in an input artifact: `ARTIFACT::FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlace {
    pub artifact: String,
    pub file: String,
}

/// A checked action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub mode: Mode,
    pub stack: String,
    pub role: Option<String>,
    /// Absent in the modes that take none.
    pub template: Option<FilePlace>,
    pub configuration: Option<FilePlace>,
    pub capabilities: Vec<String>,
    pub overrides: BTreeMap<String, Override>,
    pub output_file: Option<String>,
}

/// The value of an overridden parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Override {
    Text(String),
    /// `Fn::GetArtifactAtt`: artifact and attribute.
    Attribute(String, String),
    /// `Fn::GetParam`: artifact, file, key.
    Parameter(FilePlace, String),
}

/// The template configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
pub struct Settings {
    pub parameters: BTreeMap<String, Value>,
    pub tags: BTreeMap<String, Value>,
    pub stack_policy: Option<Value>,
}

impl FilePlace {
    fn parse(key: &str, text: &str) -> Result<Self, Trouble> {
        match text.split_once("::") {
            Some((artifact, file)) if !artifact.is_empty() && is_inside(file) => Ok(Self {
                artifact: artifact.to_owned(),
                file: file.to_owned(),
            }),
            _ => Err(Trouble::configuration(format!(
                "{key} must be written ARTIFACT::FILE, with a path inside the artifact"
            ))),
        }
    }
}

fn is_inside(file: &str) -> bool {
    file.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

impl Plan {
    pub fn of(task: &ActionTask) -> Result<Self, Trouble> {
        let text = |key: &str| task.configuration.get(key).filter(|it| !it.is_empty());
        let change_set = || required(task, "ChangeSetName");
        let mode = match required(task, "ActionMode")?.as_str() {
            "CREATE_UPDATE" => Mode::CreateUpdate,
            "REPLACE_ON_FAILURE" => Mode::ReplaceOnFailure,
            "DELETE_ONLY" => Mode::DeleteOnly,
            "CHANGE_SET_REPLACE" => Mode::ChangeSetReplace(change_set()?),
            "CHANGE_SET_EXECUTE" => Mode::ChangeSetExecute(change_set()?),
            other => {
                return Err(Trouble::configuration(format!(
                    "ActionMode must be CREATE_UPDATE, DELETE_ONLY, REPLACE_ON_FAILURE, CHANGE_SET_REPLACE or CHANGE_SET_EXECUTE, not {other}"
                )));
            }
        };
        let templated = !matches!(mode, Mode::DeleteOnly | Mode::ChangeSetExecute(_));
        let template = match templated {
            true => Some(FilePlace::parse(
                "TemplatePath",
                &required(task, "TemplatePath")?,
            )?),
            false => None,
        };
        let configuration = text("TemplateConfiguration").filter(|_| templated);
        let configuration = configuration.map(|it| FilePlace::parse("TemplateConfiguration", it));
        let capabilities = text("Capabilities").map_or_else(Vec::new, |list| {
            list.split(',').map(|it| it.trim().to_owned()).collect()
        });
        let overrides = match text("ParameterOverrides").filter(|_| templated) {
            Some(text) => overrides(text)?,
            None => BTreeMap::new(),
        };
        let output_file = text("OutputFileName").cloned();
        if output_file.as_deref().is_some_and(|it| !is_inside(it)) {
            return Err(Trouble::configuration(
                "OutputFileName must be a path inside the artifact",
            ));
        }
        Ok(Self {
            mode,
            stack: required(task, "StackName")?,
            role: text("RoleArn").cloned(),
            template,
            configuration: configuration.transpose()?,
            capabilities,
            overrides,
            output_file,
        })
    }
}

fn overrides(text: &str) -> Result<BTreeMap<String, Override>, Trouble> {
    let wrong = |problem: String| Trouble::configuration(format!("ParameterOverrides {problem}"));
    if text.len() > OVERRIDES_LIMIT {
        return Err(wrong(format!(
            "has {} bytes; {OVERRIDES_LIMIT} are allowed: use a template configuration file",
            text.len()
        )));
    }
    let all: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| wrong(format!("is not the JSON object it must be: {error}")))?;
    all.into_iter()
        .map(|(name, value)| {
            let read = of_value(&value)
                .ok_or_else(|| wrong(format!("{name} must be a text, {{\"Fn::GetArtifactAtt\": [ARTIFACT, ATTRIBUTE]}} or {{\"Fn::GetParam\": [ARTIFACT, FILE, KEY]}}")))?;
            Ok((name, read))
        })
        .collect()
}

fn of_value(value: &Value) -> Option<Override> {
    if let Some(text) = plain(value) {
        return Some(Override::Text(text));
    }
    let map = value.as_object().filter(|map| map.len() == 1)?;
    let (name, arguments) = map.iter().next()?;
    let arguments: Vec<&str> = arguments
        .as_array()?
        .iter()
        .map(Value::as_str)
        .collect::<Option<_>>()?;
    match (name.as_str(), arguments.as_slice()) {
        ("Fn::GetArtifactAtt", [artifact, attribute]) => Some(Override::Attribute(
            (*artifact).to_owned(),
            (*attribute).to_owned(),
        )),
        ("Fn::GetParam", [artifact, file, key]) if is_inside(file) => {
            let place = FilePlace {
                artifact: (*artifact).to_owned(),
                file: (*file).to_owned(),
            };
            Some(Override::Parameter(place, (*key).to_owned()))
        }
        _ => None,
    }
}

/// A parameter's value as CloudFormation takes it: a list is joined by commas.
pub fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items
                .iter()
                .filter(|it| !it.is_array())
                .map(plain)
                .collect();
            Some(items?.join(","))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// What `Fn::GetArtifactAtt` gives.
pub fn attribute(place: &ArtifactLocation, name: &str, region: &str) -> Option<String> {
    let (bucket, key) = (&place.bucket, &place.key);
    match name {
        "BucketName" => Some(bucket.clone()),
        "ObjectKey" => Some(key.clone()),
        "URL" => Some(format!("https://{bucket}.s3.{region}.amazonaws.com/{key}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::workshop::tests::task;

    #[test]
    fn a_plan_has_what_its_mode_needs() {
        let base = [("StackName", "s"), ("ActionMode", "CREATE_UPDATE")];
        let mut keys = base.to_vec();
        keys.push(("TemplatePath", "App::infra/t.yaml"));
        keys.push(("Capabilities", "CAPABILITY_IAM,CAPABILITY_AUTO_EXPAND"));
        keys.push(("ParameterOverrides", r#"{"A": "x", "N": 3, "L": ["a", "b"], "B": {"Fn::GetArtifactAtt": ["App", "ObjectKey"]}, "C": {"Fn::GetParam": ["App", "p.json", "Key"]}}"#));
        let plan = Plan::of(&task("A", &keys, &["App"], &[])).unwrap();
        assert_eq!(plan.template.unwrap().file, "infra/t.yaml");
        assert_eq!(
            plan.capabilities,
            ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        );
        assert_eq!(plan.overrides["N"], Override::Text("3".to_owned()));
        assert_eq!(plan.overrides["L"], Override::Text("a,b".to_owned()));
        let attribute = Override::Attribute("App".to_owned(), "ObjectKey".to_owned());
        assert_eq!(plan.overrides["B"], attribute);
        assert!(matches!(&plan.overrides["C"], Override::Parameter(_, key) if key == "Key"));
        let delete = [("StackName", "s"), ("ActionMode", "DELETE_ONLY")];
        assert_eq!(
            Plan::of(&task("A", &delete, &[], &[])).unwrap().template,
            None
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let all = "{\"A\": \"".to_owned() + &"x".repeat(1_100) + "\"}";
        for (key, value, expected) in [
            ("ActionMode", "CREATE", "ActionMode must be CREATE_UPDATE"),
            (
                "ActionMode",
                "CHANGE_SET_EXECUTE",
                "the setting ChangeSetName is missing",
            ),
            (
                "TemplatePath",
                "t.yaml",
                "TemplatePath must be written ARTIFACT::FILE",
            ),
            (
                "TemplatePath",
                "App::../t.yaml",
                "a path inside the artifact",
            ),
            ("TemplatePath", "", "the setting TemplatePath is missing"),
            ("ParameterOverrides", "[1]", "is not the JSON object"),
            (
                "ParameterOverrides",
                r#"{"A": {"Ref": "x"}}"#,
                "ParameterOverrides A must be a text",
            ),
            ("ParameterOverrides", &all, "1024 are allowed"),
            ("OutputFileName", "/etc/x", "OutputFileName must be a path"),
        ] {
            let mut keys: BTreeMap<&str, &str> = [
                ("StackName", "s"),
                ("ActionMode", "CREATE_UPDATE"),
                ("TemplatePath", "App::t.yaml"),
            ]
            .into();
            keys.insert(key, value);
            let keys: Vec<_> = keys.into_iter().collect();
            let trouble = Plan::of(&task("A", &keys, &["App"], &[])).unwrap_err();
            assert!(trouble.message.contains(expected), "{}", trouble.message);
            assert_eq!(trouble.code, "ConfigurationError");
        }
    }
}
