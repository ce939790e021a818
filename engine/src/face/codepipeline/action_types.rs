//! CreateCustomActionType, DeleteCustomActionType, ListActionTypes, GetActionType and UpdateActionType.

use std::collections::BTreeMap;

use engine_plan::{
    action_type::{self, Known},
    definition::{ActionTypeId, CUSTOM, CustomActionType},
    event::Event,
    refusal::Refusal,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ground, page,
    shape::{self, Object},
    tags::{self, Tag},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
    action_owner_filter: Option<String>,
    region_filter: Option<String>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Create {
    #[serde(flatten)]
    action_type: CustomActionType,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
pub(super) struct Delete {
    category: String,
    provider: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Update {
    pub(super) action_type: Declared,
}

#[derive(Deserialize)]
pub(super) struct Declared {
    pub(super) id: ActionTypeId,
}

/// GetActionType and UpdateActionType: they know the types made with the integration model, and nobody can make one
/// here (nor through the API of AWS).
pub(super) fn get(id: &ActionTypeId) -> Result<Value, Refusal> {
    Err(Refusal::new(
        "ActionTypeNotFoundException",
        format!(
            "No action type of the integration model with category {}, owner {}, provider {}, version {} exists",
            id.category, id.owner, id.provider, id.version
        ),
    ))
}

pub(super) async fn create(ground: &Ground<'_>, request: Create) -> Result<Value, Refusal> {
    let mut action_type = request.action_type;
    CUSTOM.clone_into(&mut action_type.owner);
    let shown = custom(&action_type);
    let tags: BTreeMap<_, _> = request.tags.into_iter().map(Tag::pair).collect();
    let tagged = (!tags.is_empty()).then(|| tags::shown(&tags));
    ground
        .submit(Event::CreateCustomActionType { action_type, tags })
        .await?;
    Ok(Object::new()
        .with("actionType", shown)
        .maybe("tags", tagged)
        .into())
}

pub(super) async fn delete(ground: &Ground<'_>, request: Delete) -> Result<Value, Refusal> {
    let event = Event::DeleteCustomActionType {
        category: request.category,
        provider: request.provider,
        version: request.version,
    };
    ground.submit(event).await?;
    Ok(json!({}))
}

pub(super) fn list(ground: &Ground<'_>, request: List) -> Result<Value, Refusal> {
    // all types are on one page
    page::position::<usize>(request.next_token.as_deref())?;
    ground.read(|state| {
        let here = request
            .region_filter
            .as_deref()
            .is_none_or(|region| region == shape::region(state));
        let wanted = |owner: &str| {
            request
                .action_owner_filter
                .as_deref()
                .is_none_or(|filter| filter == owner)
        };
        let known = action_type::KNOWN
            .iter()
            .filter(|kind| wanted(kind.owner))
            .map(built_in);
        let made = state
            .action_types
            .iter()
            .filter(|kind| wanted(&kind.owner))
            .map(custom);
        let types: Vec<Value> = if here {
            known.chain(made).collect()
        } else {
            Vec::new()
        };
        Ok(json!({"actionTypes": types}))
    })
}

/// `ActionType` of one that CodePipeline brings.
fn built_in(kind: &Known) -> Value {
    let property = |required: bool| {
        move |name: &str| {
            let secret = action_type::is_secret(None, name);
            json!({"name": name, "required": required, "key": required, "secret": secret, "queryable": false})
        }
    };
    let required = kind.required().map(property(true));
    let properties: Vec<Value> = required
        .chain(kind.optional().map(property(false)))
        .collect();
    let counts =
        |(least, most): (usize, usize)| json!({"minimumCount": least, "maximumCount": most});
    json!({
        "id": {"category": kind.category, "owner": kind.owner, "provider": kind.provider, "version": "1"},
        "actionConfigurationProperties": properties,
        "inputArtifactDetails": counts(kind.inputs),
        "outputArtifactDetails": counts(kind.outputs),
    })
}

/// `ActionType` of one that CreateCustomActionType or the configuration made.
fn custom(kind: &CustomActionType) -> Value {
    let counts = |count: engine_plan::definition::ArtifactCount| json!({"minimumCount": count.minimum_count, "maximumCount": count.maximum_count});
    Object::new()
        .with(
            "id",
            json!({
                "category": kind.category,
                "owner": kind.owner,
                "provider": kind.provider,
                "version": kind.version,
            }),
        )
        .maybe("settings", kind.settings.clone())
        .with(
            "actionConfigurationProperties",
            json!(kind.configuration_properties),
        )
        .with("inputArtifactDetails", counts(kind.input_artifact_details))
        .with(
            "outputArtifactDetails",
            counts(kind.output_artifact_details),
        )
        .into()
}
