//! Reads a pipeline definition from a file: API JSON, the same as YAML, or a CloudFormation template.

use std::{fs, path::Path};

use engine_plan::{
    check::{self, Finding},
    definition::PipelineDeclaration,
};
use serde_json::Value;

pub use crate::template::Choice;
use crate::{
    template::{self, found::Found},
    yaml,
};

/// Definitions larger than this are refused before they are parsed.
const MAX_BYTES: u64 = 4 << 20;

/// Why there is no definition.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is too large to be a definition.
    #[error("{path} has {bytes} bytes; a pipeline definition has at most {MAX_BYTES}")]
    TooLarge {
        /// Which file.
        path: String,
        /// Its size.
        bytes: u64,
    },
    /// It is not JSON.
    #[error("{path} is not valid JSON: {message}")]
    Json {
        /// Which file.
        path: String,
        /// The parser's words with line and column.
        message: String,
    },
    /// It is neither JSON nor YAML.
    #[error("{path} is not valid YAML: {message}")]
    Yaml {
        /// Which file.
        path: String,
        /// The parser's words with line and column.
        message: String,
    },
    /// It is a template whose pipeline cannot be found or resolved.
    #[error("{path}: {message}")]
    Template {
        /// Which file.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// It holds no pipeline.
    #[error(
        "{path} holds no pipeline: expected `pipeline`, `stages`, `Resources` with an AWS::CodePipeline::Pipeline, or Terraform's `resource` with an aws_codepipeline"
    )]
    NoPipeline {
        /// Which file.
        path: String,
    },
    /// A member is missing or of the wrong type.
    #[error("{}: {}", .0.place, .0.refusal.message)]
    Shape(Box<Finding>),
}

/// Reads and types the definition; it is not checked yet.
///
/// # Errors
/// See [`LoadError`]; each names the file and the place.
pub fn load(path: &Path, choice: &Choice) -> Result<PipelineDeclaration, LoadError> {
    let (name, text) = read(path)?;
    from_text(&name, &text, choice)
}

/// What the template defines beside its pipeline; nothing for a file that is no template of CloudFormation.
///
/// # Errors
/// As [`load`].
pub fn found(path: &Path, choice: &Choice) -> Result<Found, LoadError> {
    let (name, text) = read(path)?;
    let document = parse(&name, &text)?;
    if document.get("Resources").is_none() {
        return Ok(Found::default());
    }
    template::found::found(&document, choice).map_err(|problem| LoadError::Template {
        path: name,
        message: problem.to_string(),
    })
}

fn read(path: &Path) -> Result<(String, String), LoadError> {
    let name = path.display().to_string();
    let read = |source| LoadError::Read {
        path: name.clone(),
        source,
    };
    let bytes = fs::metadata(path).map_err(read)?.len();
    if bytes > MAX_BYTES {
        return Err(LoadError::TooLarge { path: name, bytes });
    }
    let text = fs::read_to_string(path).map_err(read)?;
    Ok((name, text))
}

/// As [`load`], of a text that is at hand; `name` is what errors call it.
///
/// # Errors
/// As [`load`].
pub fn from_text(
    name: &str,
    text: &str,
    choice: &Choice,
) -> Result<PipelineDeclaration, LoadError> {
    let path = || name.to_owned();
    let document = parse(name, text)?;
    let pipeline = if document.get("Resources").is_some() {
        template::pipeline(&document, choice).map_err(|problem| LoadError::Template {
            path: path(),
            message: problem.to_string(),
        })?
    } else if template::is_terraform(&document) {
        template::of_terraform(&document, choice).map_err(|problem| LoadError::Template {
            path: path(),
            message: problem.to_string(),
        })?
    } else if let Some(pipeline) = document.get("pipeline") {
        pipeline.clone()
    } else if document.get("stages").is_some() {
        document
    } else {
        return Err(LoadError::NoPipeline { path: path() });
    };
    check::parse(pipeline).map_err(LoadError::Shape)
}

pub(super) fn parse(path: &str, text: &str) -> Result<Value, LoadError> {
    if text.trim_start().starts_with(['{', '[']) {
        return serde_json::from_str(text).map_err(|e| LoadError::Json {
            path: path.to_owned(),
            message: e.to_string(),
        });
    }
    yaml::check(text).map_err(|problem| LoadError::Yaml {
        path: path.to_owned(),
        message: problem.to_string(),
    })?;
    let yaml: yaml_serde::Value = yaml_serde::from_str(text).map_err(|e| LoadError::Yaml {
        path: path.to_owned(),
        message: e.to_string(),
    })?;
    template::from_yaml(yaml).map_err(|problem| LoadError::Yaml {
        path: path.to_owned(),
        message: problem.to_string(),
    })
}
