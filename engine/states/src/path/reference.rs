//! Reference paths: where `ResultPath` puts a result.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::{BadPath, JsonPath, Root, Segment};

/// A path that names exactly one place below `$`.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferencePath {
    source: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
}

impl FromStr for ReferencePath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let refuse = |reason| BadPath { reason, at: 0 };
        let path: JsonPath = text.parse()?;
        if *path.root() != Root::Input {
            return Err(refuse("a reference path starts at $"));
        }
        let steps = path
            .segments
            .into_iter()
            .map(|segment| match segment {
                Segment::Name(name) => Ok(Step::Name(name)),
                Segment::Index(index) => usize::try_from(index)
                    .map(Step::Index)
                    .map_err(|_| refuse("a reference path counts from 0")),
                _ => Err(refuse("a reference path names one place")),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            source: text.to_owned(),
            steps,
        })
    }
}

impl ReferencePath {
    /// The text the path was parsed from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the path is `$`.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// Puts `value` at this place, making the objects on the way. `false` when something else is in the way.
    #[must_use]
    pub fn put(&self, target: &mut Value, value: Value) -> bool {
        let mut place = target;
        for step in &self.steps {
            place = match (step, place) {
                (Step::Name(name), Value::Object(fields)) => fields
                    .entry(name.as_str())
                    .or_insert(Value::Object(Map::new())),
                (Step::Index(index), Value::Array(items)) if *index < items.len() => {
                    &mut items[*index]
                }
                _ => return false,
            };
        }
        *place = value;
        true
    }
}
