//! Settings of a function that works as a job worker of a custom action type.

use super::{ConfigError, Source, Variable, optional, parsed, parsed_required};
use crate::port::CustomType;

/// What a worker takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Whose jobs.
    pub kind: CustomType,
    /// Name and value of the type's queryable property: only jobs with this value.
    pub query: Option<(String, String)>,
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
    meaning: "NAME=VALUE of the action type's queryable property: only jobs with this value are taken",
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

/// All of them.
pub const VARIABLES: &[Variable] = &[ACTION_TYPE, ACTION_QUERY, WORKER_JOBS];

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
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                Some((name.to_owned(), value.to_owned()))
            }
            _ => return Err(wrong(&ACTION_QUERY, "expected NAME=VALUE")),
        },
    };
    let most = parsed_required(source, &WORKER_JOBS)?;
    if !(1..=50).contains(&most) {
        return Err(wrong(&WORKER_JOBS, "expected a number from 1 to 50"));
    }
    Ok(Some(WorkerSettings { kind, query, most }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Map(BTreeMap<&'static str, &'static str>);
    impl Source for Map {
        fn get(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|text| (*text).to_owned())
        }
    }

    fn read(pairs: &[(&'static str, &'static str)]) -> Result<Option<WorkerSettings>, String> {
        settings(&Map(pairs.iter().copied().collect())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_worker_is_told_by_its_type() {
        let kind = ("STAGEWRIGHT_ACTION_TYPE", "Test/HttpCheck/1");
        assert_eq!(read(&[]), Ok(None));
        let plain = read(&[kind]).unwrap().unwrap();
        assert_eq!((plain.query, plain.most), (None, 5));
        let asked = read(&[kind, ("STAGEWRIGHT_ACTION_QUERY", "ProjectName=site")]).unwrap();
        let query = ("ProjectName".to_owned(), "site".to_owned());
        assert_eq!(asked.unwrap().query, Some(query));
        for (bad, sentence) in [
            (
                ("STAGEWRIGHT_ACTION_TYPE", "HttpCheck"),
                "STAGEWRIGHT_ACTION_TYPE is wrong: expected Category/Provider/Version, as Test/HttpCheck/1",
            ),
            (
                ("STAGEWRIGHT_ACTION_QUERY", "site"),
                "STAGEWRIGHT_ACTION_QUERY is wrong: expected NAME=VALUE",
            ),
            (
                ("STAGEWRIGHT_WORKER_JOBS", "0"),
                "STAGEWRIGHT_WORKER_JOBS is wrong: expected a number from 1 to 50",
            ),
        ] {
            assert_eq!(read(&[kind, bad]), Err(sentence.to_owned()));
        }
    }
}
