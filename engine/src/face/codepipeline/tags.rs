//! TagResource, UntagResource, ListTagsForResource on pipelines.

use std::collections::BTreeMap;

use engine_plan::{event::Event, refusal::Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ground;

#[derive(Clone, Deserialize)]
pub(super) struct Tag {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagResource {
    resource_arn: String,
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagResource {
    resource_arn: String,
    tag_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTags {
    resource_arn: String,
}

impl Tag {
    pub(super) fn pair(self) -> (String, String) {
        (self.key, self.value)
    }
}

/// `[{key, value}]`.
pub(super) fn shown(tags: &BTreeMap<String, String>) -> Value {
    tags.iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect()
}

pub(super) async fn tag(ground: &Ground<'_>, request: TagResource) -> Result<Value, Refusal> {
    let event = Event::Tag {
        pipeline: pipeline_of(ground, &request.resource_arn)?,
        tags: request.tags.into_iter().map(Tag::pair).collect(),
    };
    ground.submit(event).await?;
    Ok(json!({}))
}

pub(super) async fn untag(ground: &Ground<'_>, request: UntagResource) -> Result<Value, Refusal> {
    let event = Event::Untag {
        pipeline: pipeline_of(ground, &request.resource_arn)?,
        keys: request.tag_keys,
    };
    ground.submit(event).await?;
    Ok(json!({}))
}

pub(super) fn list(ground: &Ground<'_>, request: ListTags) -> Result<Value, Refusal> {
    let name = pipeline_of(ground, &request.resource_arn)?;
    ground.read(|state| {
        let tags = state
            .pipelines
            .get(&name)
            .map(|pipeline| shown(&pipeline.tags));
        Ok(json!({"tags": tags.unwrap_or_else(|| json!([]))}))
    })
}

/// The pipeline that an ARN names; only pipelines carry tags here.
fn pipeline_of(ground: &Ground<'_>, arn: &str) -> Result<String, Refusal> {
    let name = arn.splitn(6, ':').nth(5).unwrap_or_default();
    if name.starts_with("actionType:") || name.starts_with("webhook:") {
        return Err(Refusal::new(
            "NotImplementedException",
            format!("stagewright keeps no tags of {arn}: only pipelines have them yet"),
        ));
    }
    ground.read(|state| {
        if state.pipelines.contains_key(name) && state.pipeline_arn(name) == arn {
            Ok(name.to_owned())
        } else {
            Err(Refusal::new(
                "ResourceNotFoundException",
                format!("The resource {arn} was not found"),
            ))
        }
    })
}
