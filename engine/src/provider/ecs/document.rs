//! Image files, task definitions and AppSpecs: read, checked, rendered. No effects.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Trouble;

/// One container of `imagedefinitions.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Image {
    pub name: String,
    pub image_uri: String,
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
    let images: Vec<Image> = serde_json::from_str(text).map_err(|error| {
        Trouble::job(format!(
            "Did not find the image definition file in the form [{{\"name\": CONTAINER, \"imageUri\": IMAGE}}]: {file}: {error}"
        ))
    })?;
    let empty = |it: &Image| it.name.is_empty() || it.image_uri.is_empty();
    if images.is_empty() || images.iter().any(empty) {
        return Err(Trouble::job(format!(
            "{file} must name a container and an image in each entry, and at least one"
        )));
    }
    Ok(images)
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
    let detail: Value = serde_json::from_str(text)
        .map_err(|error| Trouble::job(format!("{file} is not JSON: {error}")))?;
    let uri = detail["ImageURI"].as_str().filter(|it| !it.is_empty());
    uri.map(str::to_owned)
        .ok_or_else(|| Trouble::job(format!("{file} has no ImageURI")))
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
    let definition: Value = serde_json::from_str(&text)
        .map_err(|error| Trouble::job(format!("{file} is not JSON: {error}")))?;
    let containers = definition["containerDefinitions"].as_array();
    if definition["family"].as_str().is_none() || containers.is_none_or(Vec::is_empty) {
        return Err(Trouble::job(format!(
            "{file} must have a family and containerDefinitions"
        )));
    }
    Ok(definition)
}

/// An AppSpec of an ECS service with its task definition.
pub fn app_spec(file: &str, template: &str, arn: &str) -> Result<String, Trouble> {
    let wrong = |problem: String| Trouble::job(format!("{file}: {problem}"));
    crate::yaml::check(template).map_err(|error| wrong(error.to_string()))?;
    let yaml: Value = yaml_serde::from_str(template).map_err(|error| wrong(error.to_string()))?;
    let services = yaml["Resources"].as_array().into_iter().flatten();
    let ours = services
        .filter_map(Value::as_object)
        .flat_map(|service| service.values())
        .any(|service| service["Type"] == "AWS::ECS::Service");
    if !ours {
        return Err(wrong(
            "Resources must hold a TargetService of Type AWS::ECS::Service".to_owned(),
        ));
    }
    const PLACE: &str = "<TASK_DEFINITION>";
    if !template.contains(PLACE) {
        return Err(wrong(format!("TaskDefinition must be {PLACE}")));
    }
    Ok(template.replace(PLACE, arn))
}
