//! Settings of every action: parameters for all its jobs, and what it takes as a job worker of a custom action type.

use serde_json::{Map, Value};

use super::{ConfigError, Source, Variable, optional, parsed, parsed_required};
use crate::port::CustomType;

/// What a worker takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Whose jobs.
    pub kind: CustomType,
    /// Name and values of the type's queryable property: only jobs with one of these, asked for one after the other.
    pub query: Option<(String, Vec<String>)>,
    /// Jobs in hand at the same time.
    pub most: usize,
}

/// The function's own custom action type.
pub const ACTION_TYPE: Variable = Variable {
    name: "STAGEWRIGHT_ACTION_TYPE",
    meaning: "custom action type whose jobs the function works on, as Test/HttpCheck/1; it needs STAGEWRIGHT_TABLE too",
    default: None,
    required: false,
    functions: ACTIONS,
};
/// Its queryable property.
pub const ACTION_QUERY: Variable = Variable {
    name: "STAGEWRIGHT_ACTION_QUERY",
    meaning: "NAME=VALUE or NAME=VALUE,VALUE of the action type's queryable property: only jobs with such a value are taken; a type with such a property needs it",
    default: None,
    required: false,
    functions: ACTIONS,
};
/// How many at once.
pub const WORKER_JOBS: Variable = Variable {
    name: "STAGEWRIGHT_WORKER_JOBS",
    meaning: "jobs that one call works on at the same time, 1 to 50",
    default: Some("5"),
    required: false,
    functions: ACTIONS,
};

/// Parameters that its jobs need not repeat.
pub const PARAMETERS: Variable = Variable {
    name: "STAGEWRIGHT_PARAMETERS",
    meaning: "JSON object of parameters for all runs of the action; what a run gives itself wins",
    default: None,
    required: false,
    functions: ACTIONS,
};

/// All of them.
pub const VARIABLES: &[Variable] = &[ACTION_TYPE, ACTION_QUERY, WORKER_JOBS, PARAMETERS];

const ACTIONS: &[&str] = &["action-*"];

/// The settings, when the function is a worker.
///
/// # Errors
/// When one of them is wrong.
pub fn settings(source: &impl Source) -> Result<Option<WorkerSettings>, ConfigError> {
    let Some(kind) = parsed(source, &ACTION_TYPE)? else {
        return Ok(None);
    };
    let wrong = |variable: &Variable, problem: &str| ConfigError::Wrong {
        name: variable.name,
        problem: problem.to_owned(),
    };
    let query = match optional(source, &ACTION_QUERY) {
        None => None,
        Some(text) => match text.split_once('=') {
            Some((name, values)) if !name.is_empty() && values.split(',').all(is_value) => Some((
                name.to_owned(),
                values.split(',').map(str::to_owned).collect(),
            )),
            _ => {
                let problem =
                    "expected NAME=VALUE or NAME=VALUE,VALUE with letters, digits, - and _";
                return Err(wrong(&ACTION_QUERY, problem));
            }
        },
    };
    let most = parsed_required(source, &WORKER_JOBS)?;
    if !(1..=50).contains(&most) {
        return Err(wrong(&WORKER_JOBS, "expected a number from 1 to 50"));
    }
    Ok(Some(WorkerSettings { kind, query, most }))
}

/// AWS takes nothing else in a queryable property.
fn is_value(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    !text.is_empty() && text.chars().all(allowed)
}

/// The parameters for all runs; empty when unset.
///
/// # Errors
/// When they are no JSON object.
pub fn parameters(source: &impl Source) -> Result<Map<String, Value>, ConfigError> {
    match optional(source, &PARAMETERS) {
        None => Ok(Map::new()),
        Some(text) => serde_json::from_str(&text).map_err(|_| ConfigError::Wrong {
            name: PARAMETERS.name,
            problem: "expected a JSON object of the action's parameters".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Settings(BTreeMap<&'static str, &'static str>);
    impl Source for Settings {
        fn get(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|text| (*text).to_owned())
        }
    }

    fn read(pairs: &[(&'static str, &'static str)]) -> Result<Option<WorkerSettings>, String> {
        settings(&Settings(pairs.iter().copied().collect())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_worker_is_told_by_its_type() {
        let kind = ("STAGEWRIGHT_ACTION_TYPE", "Test/HttpCheck/1");
        assert_eq!(read(&[]), Ok(None));
        let plain = read(&[kind]).unwrap().unwrap();
        assert_eq!((plain.query, plain.most), (None, 5));
        let asked = read(&[kind, ("STAGEWRIGHT_ACTION_QUERY", "ProjectName=site,shop")]).unwrap();
        let query = (
            "ProjectName".to_owned(),
            vec!["site".to_owned(), "shop".to_owned()],
        );
        assert_eq!(asked.unwrap().query, Some(query));
        for (bad, sentence) in [
            (
                ("STAGEWRIGHT_ACTION_TYPE", "HttpCheck"),
                "STAGEWRIGHT_ACTION_TYPE is wrong: expected Category/Provider/Version, as Test/HttpCheck/1",
            ),
            (
                ("STAGEWRIGHT_ACTION_QUERY", "site"),
                "STAGEWRIGHT_ACTION_QUERY is wrong: expected NAME=VALUE or NAME=VALUE,VALUE with letters, digits, - and _",
            ),
            (
                ("STAGEWRIGHT_WORKER_JOBS", "0"),
                "STAGEWRIGHT_WORKER_JOBS is wrong: expected a number from 1 to 50",
            ),
        ] {
            assert_eq!(read(&[kind, bad]), Err(sentence.to_owned()));
        }
    }

    #[test]
    fn parameters_for_all_runs_are_an_object() {
        let read = |text| {
            parameters(&Settings(BTreeMap::from([(
                "STAGEWRIGHT_PARAMETERS",
                text,
            )])))
        };
        assert!(read(" ").unwrap().is_empty());
        assert_eq!(read(r#"{"url": "u"}"#).unwrap()["url"], "u");
        let error = read("[planted]").unwrap_err().to_string();
        let want =
            "STAGEWRIGHT_PARAMETERS is wrong: expected a JSON object of the action's parameters";
        assert_eq!(error, want);
    }
}
