//! Settings: read once, from a source that is handed in, into typed values. Every variable is in [`registry`].

use std::{fmt::Display, str::FromStr};

use crate::approval::settings;

pub mod worker;

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

/// Every function, in [`Variable::functions`].
pub const ALL: &[&str] = &["*"];

/// What Lambda, or the engine in its place, says to every function. What an action does is in its parameters; its settings
/// beside these are those of [`worker`].
pub const COMMON: &[Variable] = &[
    common("AWS_REGION", "region of all calls; set by Lambda", None),
    common(
        "AWS_ACCESS_KEY_ID",
        "credentials of the function's role; set by Lambda, as are AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
        None,
    ),
    optionally(
        "AWS_ENDPOINT_URL",
        "address of all services in place of AWS's own; AWS_ENDPOINT_URL_<SERVICE> for one of them",
    ),
    optionally(
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "true: the endpoint variables are not looked at",
    ),
    optionally(
        "AWS_CA_BUNDLE",
        "PEM file of the roots to trust in place of the embedded Amazon roots",
    ),
    optionally("SSL_CERT_FILE", "the same, when AWS_CA_BUNDLE is unset"),
    common("AWS_LAMBDA_LOG_FORMAT", "JSON or Text", Some("JSON")),
    common(
        "AWS_LAMBDA_LOG_LEVEL",
        "TRACE, DEBUG, INFO, WARN, ERROR or FATAL",
        Some("INFO"),
    ),
];

/// Statuses of commits from a pipeline's events.
pub const COMMIT_STATUS: Variable = Variable {
    name: "STAGEWRIGHT_COMMIT_STATUS",
    meaning: "how commits are told what a pipeline's events say: JSON with provider, token and, where wanted, context, user, repository and baseUrl",
    default: None,
    required: false,
    functions: &["action-commit-status"],
};

/// Every variable that a function reads. `docs/configuration.md` lists the same.
pub fn registry() -> impl Iterator<Item = &'static Variable> {
    COMMON
        .iter()
        .chain(worker::VARIABLES)
        .chain(std::iter::once(&COMMIT_STATUS))
        .chain(settings::VARIABLES)
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

const fn common(
    name: &'static str,
    meaning: &'static str,
    default: Option<&'static str>,
) -> Variable {
    Variable {
        name,
        meaning,
        default,
        required: default.is_none(),
        functions: ALL,
    }
}

const fn optionally(name: &'static str, meaning: &'static str) -> Variable {
    Variable {
        name,
        meaning,
        default: None,
        required: false,
        functions: ALL,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    struct Map(BTreeMap<&'static str, &'static str>);
    impl Source for Map {
        fn get(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|text| (*text).to_owned())
        }
    }

    const COUNT: Variable = common("COUNT", "how many", Some("3"));
    const NAME: Variable = common("NAME", "what it is called", None);
    const SIZES: Variable = optionally("SIZES", "some numbers");

    #[test]
    fn settings_are_parsed_or_refused_in_one_sentence() {
        let empty = Map(BTreeMap::new());
        let full = Map(BTreeMap::from([
            ("COUNT", " 7 "),
            ("NAME", "x"),
            ("SIZES", "1, 2,,3 "),
        ]));
        let bad = Map(BTreeMap::from([
            ("COUNT", "planted"),
            ("NAME", "  "),
            ("SIZES", "1,x"),
        ]));

        assert_eq!(parsed_required(&empty, &COUNT), Ok(3));
        assert_eq!(parsed_required(&full, &COUNT), Ok(7));
        let sentence = |result: Result<u32, ConfigError>| result.map_err(|error| error.to_string());
        assert_eq!(
            sentence(parsed_required(&bad, &COUNT)),
            Err("COUNT is wrong: invalid digit found in string".to_owned())
        );

        assert_eq!(required(&full, &NAME), Ok("x".to_owned()));
        for source in [&empty, &bad] {
            let error = required(source, &NAME).map_err(|error| error.to_string());
            assert_eq!(error, Err("NAME must be set: what it is called".to_owned()));
        }

        assert_eq!(list::<u8>(&empty, &SIZES), Ok(vec![]));
        assert_eq!(list::<u8>(&full, &SIZES), Ok(vec![1, 2, 3]));
        assert!(list::<u8>(&bad, &SIZES).is_err());
        assert_eq!(parsed::<u8>(&empty, &SIZES), Ok(None));
    }

    #[test]
    fn the_registry_names_each_variable_once_with_its_meaning() {
        let mut seen = BTreeSet::new();
        for variable in registry() {
            assert!(
                seen.insert(variable.name),
                "{} is there twice",
                variable.name
            );
            assert!(!variable.meaning.is_empty() && !variable.functions.is_empty());
            assert!(
                !(variable.required && variable.default.is_some()),
                "{}",
                variable.name
            );
        }
        assert!(seen.len() > COMMON.len());
    }
}
