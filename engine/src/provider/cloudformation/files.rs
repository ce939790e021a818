//! The template and its parameters, out of the input artifacts.

use std::{collections::BTreeMap, path::PathBuf};

use engine_plan::effect::{ActionTask, ArtifactLocation};
use serde_json::Value;
use shared::archive;

use super::{
    Trouble, Workshop, artifact, chain,
    plan::{FilePlace, Override, Plan, Settings, attribute, plain},
};

/// A template, as CloudFormation says.
const TEMPLATE_LIMIT: u64 = 1 << 20;
/// A template that a call carries itself.
const BODY_LIMIT: usize = 51_200;

/// What the stack shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The template's text.
    pub template: String,
    pub parameters: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub policy: Option<String>,
}

/// `None` in the modes without a template.
pub async fn desired(
    plan: &Plan,
    task: &ActionTask,
    workshop: &Workshop,
) -> Result<Option<Desired>, Trouble> {
    let Some(place) = &plan.template else {
        return Ok(None);
    };
    let files = Files { task, workshop };
    let template = files.text("TemplatePath", place).await?;
    if template.len() > BODY_LIMIT && workshop.config.endpoint.contains_key("cloudformation") {
        return Err(files.wrong(
            "TemplatePath",
            place,
            &format!(
                "has {} bytes; a call carries {BODY_LIMIT}, and no bucket of the endpoint is known for more",
                template.len()
            ),
        ));
    }
    let settings = match &plan.configuration {
        None => Settings::default(),
        Some(place) => {
            let text = files.text("TemplateConfiguration", place).await?;
            serde_json::from_str(&text)
                .map_err(|e| files.wrong("TemplateConfiguration", place, &e.to_string()))?
        }
    };
    let texts = |values: BTreeMap<String, Value>| -> Result<BTreeMap<String, String>, Trouble> {
        let place = plan.configuration.as_ref();
        let values = values.into_iter().map(|(name, value)| match plain(&value) {
            Some(text) => Ok((name, text)),
            None => Err(files.wrong(
                "TemplateConfiguration",
                place.unwrap_or(&FilePlace {
                    artifact: String::new(),
                    file: String::new(),
                }),
                &format!("{name} must be a text"),
            )),
        });
        values.collect()
    };
    let mut parameters = texts(settings.parameters)?;
    for (name, value) in &plan.overrides {
        parameters.insert(name.clone(), files.value(name, value).await?);
    }
    Ok(Some(Desired {
        template,
        parameters,
        tags: texts(settings.tags)?,
        policy: settings.stack_policy.map(|policy| policy.to_string()),
    }))
}

struct Files<'a> {
    task: &'a ActionTask,
    workshop: &'a Workshop,
}

impl Files<'_> {
    fn wrong(&self, key: &str, place: &FilePlace, problem: &str) -> Trouble {
        Trouble::configuration(format!(
            "action {}: {key} {}::{}: {problem}",
            self.task.action, place.artifact, place.file
        ))
    }

    fn artifact(&self, name: &str) -> Option<&ArtifactLocation> {
        self.task.inputs.iter().find(|it| it.name == name)
    }

    async fn text(&self, key: &str, place: &FilePlace) -> Result<String, Trouble> {
        let wrong = |problem: &str| self.wrong(key, place, problem);
        let artifact = self
            .artifact(&place.artifact)
            .ok_or_else(|| wrong("the action has no such input artifact"))?;
        let path: PathBuf = artifact::file(&self.workshop.objects, artifact).await?;
        let file = place.file.clone();
        let read = tokio::task::spawn_blocking(move || {
            let open = std::fs::File::open(path).map_err(|e| e.to_string())?;
            archive::read_one(std::io::BufReader::new(open), &file, TEMPLATE_LIMIT)
                .map_err(|e| chain(&e))
        });
        let bytes = read
            .await
            .unwrap_or_else(|error| Err(error.to_string()))
            .map_err(|problem| wrong(&problem))?;
        String::from_utf8(bytes).map_err(|_| wrong("the file is not UTF-8"))
    }

    async fn value(&self, name: &str, value: &Override) -> Result<String, Trouble> {
        let wrong = |problem: String| {
            Trouble::configuration(format!(
                "action {}: ParameterOverrides {name}: {problem}",
                self.task.action
            ))
        };
        match value {
            Override::Text(text) => Ok(text.clone()),
            Override::Attribute(artifact, of) => {
                let place = self.artifact(artifact).ok_or_else(|| {
                    wrong(format!("{artifact} is not an input artifact of the action"))
                })?;
                attribute(place, of, &self.task.region)
                    .ok_or_else(|| wrong(format!("{of} is not BucketName, ObjectKey or URL")))
            }
            Override::Parameter(place, key) => {
                let text = self.text("ParameterOverrides", place).await?;
                let json: Value = serde_json::from_str(&text)
                    .map_err(|e| wrong(format!("{} is not JSON: {e}", place.file)))?;
                json.get(key)
                    .and_then(plain)
                    .ok_or_else(|| wrong(format!("{} has no text {key}", place.file)))
            }
        }
    }
}
