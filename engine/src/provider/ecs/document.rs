//! Image files, task definitions and AppSpecs: read, checked, rendered. No effects.

use std::str::FromStr;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::Trouble;
use crate::yaml;

/// A text that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said(String);

impl FromStr for Said {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Err("it is empty"),
            text => Ok(Self(text.to_owned())),
        }
    }
}

/// One container of `imagedefinitions.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub name: String,
    pub image_uri: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RawImage {
    #[serde(deserialize_with = "yaml::checked")]
    name: Said,
    #[serde(deserialize_with = "yaml::checked")]
    image_uri: Said,
}

/// What is needed of `imageDetail.json`.
#[derive(Deserialize)]
struct RawDetail {
    #[serde(rename = "ImageURI", deserialize_with = "yaml::checked")]
    image_uri: Said,
}

/// What a task definition cannot do without.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDefinition {
    #[serde(rename = "family", deserialize_with = "yaml::checked")]
    _family: Said,
    container_definitions: Vec<IgnoredAny>,
}

/// What a registration takes; the rest of a description is ECS's own.
const REGISTERED: [&str; 18] = [
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "tags",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "inferenceAccelerators",
    "ephemeralStorage",
    "runtimePlatform",
    "enableFaultInjection",
];

/// The images of a deployment; `file` is what errors call it.
pub fn images(file: &str, text: &str) -> Result<Vec<Image>, Trouble> {
    let wrong = |problem: String| {
        Trouble::job(format!(
            "Did not find the image definition file in the form [{{\"name\": CONTAINER, \"imageUri\": IMAGE}}]: {file}: {problem}"
        ))
    };
    let images: Vec<RawImage> =
        serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if images.is_empty() {
        return Err(wrong("the list at line 1 is empty".to_owned()));
    }
    let image = |raw: RawImage| Image {
        name: raw.name.0,
        image_uri: raw.image_uri.0,
    };
    Ok(images.into_iter().map(image).collect())
}

/// The running definition with other images, as it is registered again.
pub fn revised(described: &Value, images: &[Image]) -> Result<Value, Trouble> {
    let mut next = Map::new();
    for name in REGISTERED {
        match &described["taskDefinition"][name] {
            Value::Null => {}
            value => drop(next.insert(name.to_owned(), value.clone())),
        }
    }
    if let Some(tags) = described["tags"].as_array().filter(|tags| !tags.is_empty()) {
        next.insert("tags".to_owned(), tags.clone().into());
    }
    let containers = next.get_mut("containerDefinitions");
    let containers = containers.and_then(Value::as_array_mut);
    let Some(containers) = containers else {
        return Err(Trouble::job(
            "the running task definition has no containers",
        ));
    };
    for image in images {
        let container = containers
            .iter_mut()
            .find(|it| it["name"] == image.name.as_str());
        let container = container.ok_or_else(|| {
            Trouble::configuration(format!(
                "Invalid action configuration: The AWS ECS container {} does not exist",
                image.name
            ))
        })?;
        container["image"] = image.image_uri.clone().into();
    }
    Ok(Value::Object(next))
}

/// `ImageURI` of an `imageDetail.json`.
pub fn image_uri(file: &str, text: &str) -> Result<String, Trouble> {
    let detail: RawDetail = serde_json::from_str(text)
        .map_err(|error| Trouble::job(format!("{file} does not tell an ImageURI: {error}")))?;
    Ok(detail.image_uri.0)
}

/// A task definition with `<NAME>` replaced by images.
pub fn task_definition(
    file: &str,
    template: &str,
    images: &[(String, String)],
) -> Result<Value, Trouble> {
    let mut text = template.to_owned();
    for (name, image) in images {
        let place = format!("<{name}>");
        if !text.contains(&place) {
            return Err(Trouble::configuration(format!("{file} has no {place}")));
        }
        // inside a JSON text
        let quoted = Value::from(image.as_str()).to_string();
        text = text.replace(&place, &quoted[1..quoted.len() - 1]);
    }
    let wrong = |problem: String| Trouble::job(format!("{file}: {problem}"));
    let needed: RawDefinition =
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if needed.container_definitions.is_empty() {
        let line = yaml::line_of_key(&text, "\"containerDefinitions\"").unwrap_or(1);
        return Err(wrong(format!(
            "containerDefinitions is empty at line {line}"
        )));
    }
    let definition = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(definition)
}

/// An AppSpec of an ECS service with its task definition.
pub fn app_spec(file: &str, template: &str, arn: &str) -> Result<String, Trouble> {
    let wrong = |problem: String| Trouble::job(format!("{file}: {problem}"));
    yaml::check(template).map_err(|error| wrong(error.to_string()))?;
    let spec: Value = yaml_serde::from_str(template).map_err(|error| wrong(yaml::told(&error)))?;
    let services = spec["Resources"].as_array().into_iter().flatten();
    let ours = services
        .filter_map(Value::as_object)
        .flat_map(|service| service.values())
        .any(|service| service["Type"] == "AWS::ECS::Service");
    let line = |key: &str| yaml::line_of_key(template, key).unwrap_or(1);
    if !ours {
        let line = line("Resources");
        return Err(wrong(format!(
            "Resources must hold a TargetService of Type AWS::ECS::Service at line {line}"
        )));
    }
    const PLACE: &str = "<TASK_DEFINITION>";
    if !template.contains(PLACE) {
        let line = line("TaskDefinition");
        return Err(wrong(format!(
            "TaskDefinition must be {PLACE} at line {line}"
        )));
    }
    Ok(template.replace(PLACE, arn))
}
