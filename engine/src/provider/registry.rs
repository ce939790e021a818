//! Which provider performs which action type.

use std::sync::Arc;

use super::{codebuild::CodeBuild, lambda::Lambda};
use crate::perform::Providers;

/// Everything this engine can perform; other action types fail loudly by name.
pub fn all() -> Providers {
    let codebuild = Arc::new(CodeBuild::default());
    Providers::default()
        .with("Build", "AWS", "CodeBuild", codebuild.clone())
        .with("Test", "AWS", "CodeBuild", codebuild)
        .with("Invoke", "AWS", "Lambda", Arc::new(Lambda))
}
