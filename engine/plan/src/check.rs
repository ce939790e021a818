//! The checks of CreatePipeline and UpdatePipeline, in AWS's order and with AWS's texts.

use crate::{definition::PipelineDeclaration, refusal::Refusal};

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

/// All findings; the first is what the API answers.
pub fn check(_definition: &PipelineDeclaration) -> Vec<Finding> {
    Vec::new()
}
