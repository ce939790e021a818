//! TagResource, UntagResource, ListTagsForResource on pipelines, webhooks and custom action types.

use std::collections::BTreeMap;

use engine_plan::{
    event::{Event, Resource},
    refusal::Refusal,
};
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

/// What an ARN names.
enum Tagged {
    Pipeline(String),
    Other(Resource),
}

pub(super) async fn tag(ground: &Ground<'_>, request: TagResource) -> Result<Value, Refusal> {
    let tags = request.tags.into_iter().map(Tag::pair).collect();
    let event = match tagged(ground, &request.resource_arn)? {
        Tagged::Pipeline(pipeline) => Event::Tag { pipeline, tags },
        Tagged::Other(resource) => Event::TagResource { resource, tags },
    };
    ground.submit(event).await?;
    Ok(json!({}))
}

pub(super) async fn untag(ground: &Ground<'_>, request: UntagResource) -> Result<Value, Refusal> {
    let keys = request.tag_keys;
    let event = match tagged(ground, &request.resource_arn)? {
        Tagged::Pipeline(pipeline) => Event::Untag { pipeline, keys },
        Tagged::Other(resource) => Event::UntagResource { resource, keys },
    };
    ground.submit(event).await?;
    Ok(json!({}))
}

pub(super) fn list(ground: &Ground<'_>, request: ListTags) -> Result<Value, Refusal> {
    let resource = tagged(ground, &request.resource_arn)?;
    ground.read(|state| {
        let tags = match &resource {
            Tagged::Pipeline(name) => state.pipelines.get(name).map(|it| &it.tags),
            Tagged::Other(resource) => state.tags(resource),
        };
        Ok(json!({"tags": tags.map_or_else(|| json!([]), shown)}))
    })
}

/// The pipeline, webhook or custom action type that an ARN names.
fn tagged(ground: &Ground<'_>, arn: &str) -> Result<Tagged, Refusal> {
    let name = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let other = match name.split_once(':') {
        Some(("webhook", name)) => Some(Resource::Webhook {
            name: name.to_owned(),
        }),
        Some(("actionType", name)) => Some(Resource::ActionType {
            name: name.to_owned(),
        }),
        _ => None,
    };
    ground.read(|state| {
        let found = match other {
            Some(resource) => (state.tags(&resource).is_some() && state.arn(&resource) == arn)
                .then_some(Tagged::Other(resource)),
            None => (state.pipelines.contains_key(name) && state.pipeline_arn(name) == arn)
                .then(|| Tagged::Pipeline(name.to_owned())),
        };
        found.ok_or_else(|| {
            Refusal::new(
                "ResourceNotFoundException",
                format!("The resource {arn} was not found"),
            )
        })
    })
}
