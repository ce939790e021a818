//! The checks of CreatePipeline and UpdatePipeline, in AWS's order and with AWS's texts.
//!
//! Texts marked "unconfirmed" are ours or recalled: no source shows what AWS answers there.

use serde_json::Value;

use crate::{
    definition::{CustomActionType, ExecutionMode, PipelineDeclaration, PipelineType},
    model::{self, Shape, broken},
    refusal::Refusal,
    schema, url_template,
};

mod action;
mod advice;
mod gates;
mod reference;
mod structure;

/// One thing that is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// AWS's exception and text.
    pub refusal: Refusal,
    /// Where: `stages[1].actions[0].configuration.FunctionName`; empty for the whole.
    pub place: String,
    /// What to do about it, in our words.
    pub hint: Option<String>,
}

impl Finding {
    fn new(exception: &'static str, message: impl Into<String>, place: impl Into<String>) -> Self {
        Self {
            refusal: Refusal::new(exception, message),
            place: place.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<model::Broken> for Finding {
    fn from(broken: model::Broken) -> Self {
        Self {
            refusal: broken.refusal(),
            place: broken.place,
            hint: broken.hint,
        }
    }
}

pub use advice::{Facts, advise};

const STRUCTURE: &str = "InvalidStructureException";
const STAGE: &str = "InvalidStageDeclarationException";
const ACTION: &str = "InvalidActionDeclarationException";

/// What a definition is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Custom action types of the account.
    pub known: &'a [CustomActionType],
    /// The pipeline's own region.
    pub region: &'a str,
}

/// All findings; the first is what the API answers. Model constraints come first, and alone if there are any.
pub fn check(definition: &PipelineDeclaration, surroundings: Surroundings<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    match serde_json::to_value(definition) {
        Ok(value) => {
            let broken = broken(&schema::PIPELINE, &value, "pipeline", true);
            found.extend(broken.into_iter().map(Finding::from));
        }
        Err(error) => found.push(Finding::new(
            "SerializationException",
            error.to_string(),
            "",
        )),
    }
    if found.is_empty() {
        // in the order of table 1.3
        structure::stages(definition, &mut found);
        action::check(definition, surroundings, &mut found);
        reference::check(definition, &mut found);
        structure::rest(definition, surroundings, &mut found);
    }
    found
}

/// A definition from the JSON of `pipeline`; a null member is an absent one.
///
/// # Errors
/// The first member that is missing, unknown, of the wrong type or against the model, with its place.
pub fn parse(value: Value) -> Result<PipelineDeclaration, Box<Finding>> {
    parse_as(&schema::PIPELINE, "pipeline", value)
}

/// A custom action type from the JSON of CreateCustomActionType.
///
/// # Errors
/// As [`parse`].
pub fn parse_action_type(value: Value) -> Result<CustomActionType, Box<Finding>> {
    parse_as(&schema::ACTION_TYPE, "actionType", value)
}

fn parse_as<T: serde::de::DeserializeOwned>(
    shape: &Shape,
    root: &str,
    mut value: Value,
) -> Result<T, Box<Finding>> {
    drop_nulls(&mut value);
    let broken = broken(shape, &value, root, true);
    if let Some(refusal) = model::refusal(&broken) {
        let first = broken.into_iter().next();
        let (place, hint) = first.map_or_else(Default::default, |it| (it.place, it.hint));
        return Err(Box::new(Finding {
            refusal,
            place,
            hint,
        }));
    }
    serde_json::from_value(value).map_err(|error| {
        Box::new(Finding::new(
            "SerializationException",
            error.to_string(),
            "",
        ))
    })
}

/// A null member or map entry is an absent one.
pub fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, member| !member.is_null());
            object.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// V1 or V2 as the service sets it: as declared, else V2 if it has what only V2 has.
pub fn pipeline_type(definition: &PipelineDeclaration) -> PipelineType {
    definition.pipeline_type.unwrap_or_else(|| {
        let v2 = definition
            .variables
            .as_ref()
            .is_some_and(|it| !it.is_empty())
            || definition
                .triggers
                .as_ref()
                .is_some_and(|it| !it.is_empty())
            || definition.mode() != ExecutionMode::Superseded
            || definition.stages.iter().any(|stage| {
                gates::gates(stage).next().is_some()
                    || stage
                        .actions
                        .iter()
                        .filter_map(|it| crate::action_type::find(&it.action_type_id))
                        .any(|known| known.v2)
            });
        if v2 {
            PipelineType::V2
        } else {
            PipelineType::V1
        }
    })
}

/// The checks of CreateCustomActionType.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_action_type(action_type: &CustomActionType) -> Result<(), Refusal> {
    // the class of all of these is unconfirmed
    let invalid = |message: String| Err(Refusal::new("ValidationException", message));
    let counts = [
        action_type.input_artifact_details,
        action_type.output_artifact_details,
    ];
    for count in counts {
        if count.maximum_count < count.minimum_count {
            return invalid(format!(
                "Maximum Number of Artifacts ({}) has to be greater than or equal to minimum ({}).",
                count.maximum_count, count.minimum_count
            ));
        }
    }
    let properties = &action_type.configuration_properties;
    let queryable: Vec<_> = properties.iter().filter(|it| it.queryable).collect();
    if queryable.len() > 1 {
        let names: Vec<_> = queryable.iter().map(|it| it.name.as_str()).collect();
        return invalid(format!(
            "Multiple queryable configuration properties found with names '{}'. Up to one queryable property may be specified.",
            names.join(", ")
        ));
    }
    match queryable.first() {
        Some(it) if !it.required || it.secret => invalid(format!(
            "Invalid queryable property '{}'. Queryable configuration properties must be required and non-secret.",
            it.name
        )),
        _ => match url_template::problem(action_type) {
            Some(message) => invalid(message),
            None => Ok(()),
        },
    }
}
