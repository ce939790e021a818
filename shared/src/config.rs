//! Settings: read once, from a source that is handed in, into typed values. Every variable is in a registry.

use std::fmt::Display;
use std::str::FromStr;

/// Where settings come from: the environment in a function, a map in a test.
pub trait Source {
    /// The variable's value, when it is set.
    fn get(&self, name: &str) -> Option<String>;
}

/// One line of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub meaning: &'static str,
    /// The value when unset; `None`: it must be set where `required` is, else the feature is off.
    pub default: Option<&'static str>,
    /// Whether a function that reads it refuses to start without it.
    pub required: bool,
    /// Which functions read it, by folder name.
    pub functions: &'static [&'static str],
}

/// Why settings were refused: one clear sentence. The value is not in it, for it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Required and not set, or empty.
    #[error("{name} must be set: {meaning}")]
    Missing {
        /// Which variable.
        name: &'static str,
        /// From the registry.
        meaning: &'static str,
    },
    /// Set to something else than expected.
    #[error("{name} is wrong: {problem}")]
    Wrong {
        /// Which variable.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// The text of a variable; its default when unset or empty.
pub fn optional(source: &impl Source, variable: &Variable) -> Option<String> {
    source
        .get(variable.name)
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .or_else(|| variable.default.map(str::to_owned))
}

/// The text of a variable that has a default or must be set.
pub fn required(source: &impl Source, variable: &Variable) -> Result<String, ConfigError> {
    optional(source, variable).ok_or(ConfigError::Missing {
        name: variable.name,
        meaning: variable.meaning,
    })
}

/// A value that is parsed, when it is set or has a default.
pub fn parsed<V>(source: &impl Source, variable: &Variable) -> Result<Option<V>, ConfigError>
where
    V: FromStr<Err: Display>,
{
    optional(source, variable)
        .map(|text| parse(variable, &text))
        .transpose()
}

/// A parsed value that has a default or must be set.
pub fn parsed_required<V>(source: &impl Source, variable: &Variable) -> Result<V, ConfigError>
where
    V: FromStr<Err: Display>,
{
    parse(variable, &required(source, variable)?)
}

/// Comma-separated values, spaces around them dropped; none when unset.
pub fn list<V>(source: &impl Source, variable: &Variable) -> Result<Vec<V>, ConfigError>
where
    V: FromStr<Err: Display>,
{
    optional(source, variable)
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| parse(variable, part))
        .collect()
}

fn parse<V>(variable: &Variable, text: &str) -> Result<V, ConfigError>
where
    V: FromStr<Err: Display>,
{
    text.parse().map_err(|error: V::Err| ConfigError::Wrong {
        name: variable.name,
        problem: error.to_string(),
    })
}
