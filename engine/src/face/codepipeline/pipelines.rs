//! CreatePipeline, UpdatePipeline, GetPipeline, DeletePipeline, ListPipelines.

use std::collections::BTreeMap;

use engine_plan::{check, event::Event, refusal::Refusal, step::Answer};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ground,
    page::{page, position},
    shape::{self, Object},
    tags::Tag,
    unexpected,
};

#[derive(Deserialize)]
pub(super) struct Create {
    pipeline: Value,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
pub(super) struct Update {
    pipeline: Value,
}

#[derive(Deserialize)]
pub(super) struct Get {
    name: String,
    version: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct ByName {
    pub(super) name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
    next_token: Option<String>,
    max_results: Option<usize>,
}

pub(super) async fn create(ground: &Ground<'_>, request: Create) -> Result<Value, Refusal> {
    let definition = check::parse(request.pipeline).map_err(|finding| finding.refusal)?;
    let name = definition.name.clone();
    let tags: BTreeMap<_, _> = request.tags.iter().cloned().map(Tag::pair).collect();
    let event = Event::CreatePipeline {
        definition,
        tags,
        start: true,
    };
    match ground.submit(event).await? {
        Answer::Version(_) | Answer::Execution(_) | Answer::Done => {}
        answer => return Err(unexpected(&answer)),
    }
    ground.read(|state| {
        let pipeline = shape::pipeline(state, &name)?;
        let tags = (!request.tags.is_empty()).then(|| super::tags::shown(&pipeline.tags));
        Ok(Object::new()
            .with("pipeline", shape::definition(state, &pipeline.definition))
            .maybe("tags", tags)
            .into())
    })
}

pub(super) async fn update(ground: &Ground<'_>, request: Update) -> Result<Value, Refusal> {
    let definition = check::parse(request.pipeline).map_err(|finding| finding.refusal)?;
    let name = definition.name.clone();
    ground.submit(Event::UpdatePipeline { definition }).await?;
    ground.read(|state| {
        let pipeline = shape::pipeline(state, &name)?;
        Ok(json!({"pipeline": shape::definition(state, &pipeline.definition)}))
    })
}

pub(super) fn get(ground: &Ground<'_>, request: Get) -> Result<Value, Refusal> {
    ground.read(|state| {
        let pipeline = shape::pipeline(state, &request.name)?;
        let definition = match request.version {
            None => &pipeline.definition,
            Some(version) => pipeline.versions.get(&version).ok_or_else(|| {
                Refusal::new(
                    "PipelineVersionNotFoundException",
                    format!(
                        "The pipeline {} does not have a version {version}",
                        request.name
                    ),
                )
            })?,
        };
        let polling_disabled = pipeline.polling_disabled_at(ground.clock.now());
        let metadata = Object::new()
            .with("pipelineArn", state.pipeline_arn(&request.name))
            .with("created", shape::time(pipeline.created))
            .with("updated", shape::time(pipeline.updated))
            .maybe("pollingDisabledAt", polling_disabled.map(shape::time));
        Ok(json!({"pipeline": shape::definition(state, definition), "metadata": Value::from(metadata)}))
    })
}

pub(super) async fn delete(ground: &Ground<'_>, request: ByName) -> Result<Value, Refusal> {
    ground
        .submit(Event::DeletePipeline { name: request.name })
        .await?;
    Ok(json!({}))
}

pub(super) fn list(ground: &Ground<'_>, request: List) -> Result<Value, Refusal> {
    let from: Option<String> = position(request.next_token.as_deref())?;
    ground.read(|state| {
        let items = state
            .pipelines
            .range(from.unwrap_or_default()..)
            .map(|(name, pipeline)| {
                let definition = &pipeline.definition;
                let item = Object::new()
                    .with("name", name.as_str())
                    .maybe("version", definition.version)
                    .with(
                        "pipelineType",
                        json!(definition.pipeline_type.unwrap_or_default()),
                    )
                    .with("executionMode", json!(definition.mode()))
                    .with("created", shape::time(pipeline.created))
                    .with("updated", shape::time(pipeline.updated));
                (name, item.into())
            });
        Ok(page("pipelines", items, request.max_results, 1000))
    })
}
