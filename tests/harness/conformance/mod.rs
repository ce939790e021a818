//! The conformance suite: cases of `tests/conformance` as data, played against an engine. The format is in its README.

use std::{fs, panic::AssertUnwindSafe};

use serde_json::{Map, Value};

use crate::{
    http,
    workspace::{files, root},
};

mod expect;
pub mod matrix;
pub mod model;
pub mod recorder;
mod request;
mod service;
mod step;
pub mod way;

pub use request::Templates;
pub use step::Play;
use way::Way;

/// One case: what the specification says somewhere, as steps.
#[derive(Debug, Clone)]
pub struct Case {
    /// File it stands in.
    pub file: String,
    /// Section of the specification.
    pub section: String,
    /// What it says.
    pub title: String,
    /// Whether time must jump.
    pub fast: bool,
    /// What its steps find as captured.
    pub given: Map<String, Value>,
    /// Its steps, those of its setups first.
    pub steps: Vec<Value>,
}

/// All cases in the order of their files.
///
/// # Panics
/// When a file is no list of cases: the text says which.
pub fn cases(templates: &Templates) -> Vec<Case> {
    let mut cases = Vec::new();
    for path in files("tests/conformance", "yaml") {
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned());
        let file = file.unwrap_or_default();
        if file == "templates.yaml" {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a readable file");
        let entries: Vec<Value> =
            yaml_serde::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        for entry in &entries {
            read(&file, entry, templates, &mut cases);
        }
    }
    cases
}

fn read(file: &str, entry: &Value, templates: &Templates, cases: &mut Vec<Case>) {
    let text = |name: &str| {
        let text = entry[name].as_str();
        text.unwrap_or_else(|| panic!("{file}: a case without `{name}`: {entry}"))
            .to_owned()
    };
    let mut steps = Vec::new();
    for name in entry["with"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        steps.extend(templates.setup(name).iter().cloned());
    }
    let case = Case {
        file: file.to_owned(),
        section: text("at"),
        title: text("case"),
        fast: entry["clock"] == "fast",
        given: Map::new(),
        steps,
    };
    let list = |name: &str| entry[name].as_array().cloned().unwrap_or_default();
    let (own, rows) = (list("do"), list("rows"));
    assert!(
        own.is_empty() != rows.is_empty() || entry.get("do").is_some(),
        "{file}: {}: `do` or `rows`",
        case.title
    );
    if rows.is_empty() {
        let mut case = case;
        case.steps.extend(own);
        let vary = list("vary");
        for row in &vary {
            let given = row[1].as_object().cloned().unwrap_or_default();
            let title = row[0].as_str().unwrap_or_default();
            let title = format!("{}: {title}", case.title);
            let case = case.clone();
            cases.push(Case {
                title,
                given,
                ..case
            });
        }
        if vary.is_empty() {
            cases.push(case);
        }
        return;
    }
    let operation = text("ask");
    let base = templates.expand(&entry["of"]);
    let base = base.unwrap_or_else(|error| panic!("{file}: {}: {error}", case.title));
    for row in rows {
        let mut case = case.clone();
        let title = row[0].as_str().unwrap_or_default();
        case.title = format!("{}: {title}", case.title);
        let mut request = base.clone();
        request::patch(&mut request, &row[1]);
        let mut step = serde_json::Map::new();
        step.insert(operation.clone(), request);
        match &row[2] {
            Value::Null => {}
            Value::String(refusal) => {
                step.insert("refused".to_owned(), refusal.as_str().into());
            }
            reply => {
                step.insert("gives".to_owned(), reply.clone());
            }
        }
        case.steps.push(Value::Object(step));
        cases.push(case);
    }
}

/// Plays cases one after the other, each in an empty account; answers what failed, readable.
pub fn play(cases: &[Case], templates: &Templates, way: &dyn Way) -> Vec<String> {
    let mut failed = Vec::new();
    for case in cases {
        let mut play = Play::new(way, templates, case.fast, &case.given);
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| play.all(&case.steps)));
        let problem = match done {
            Ok(Ok(())) => None,
            Ok(Err(problem)) => Some(problem),
            Err(_) => Some("  the runner panicked, see above".to_owned()),
        };
        if let Some(problem) = problem {
            failed.push(format!(
                "{} {} [{}]\n{problem}",
                case.section, case.title, case.file
            ));
        }
        empty(way);
    }
    failed
}

/// Takes away what a case left.
fn empty(way: &dyn Way) {
    let ask = |operation: &str, request: Value| {
        way.call(operation, request.to_string().as_bytes())
            .unwrap_or_default()
            .1
    };
    let pipelines = ask("ListPipelines", serde_json::json!({}));
    for pipeline in pipelines["pipelines"].as_array().into_iter().flatten() {
        ask(
            "DeletePipeline",
            serde_json::json!({"name": pipeline["name"]}),
        );
    }
    let types = ask(
        "ListActionTypes",
        serde_json::json!({"actionOwnerFilter": "Custom"}),
    );
    for kind in types["actionTypes"].as_array().into_iter().flatten() {
        let mut id = kind["id"].clone();
        if let Some(id) = id.as_object_mut() {
            id.remove("owner");
        }
        ask("DeleteCustomActionType", id);
    }
    let hooks = ask("ListWebhooks", serde_json::json!({}));
    for hook in hooks["webhooks"].as_array().into_iter().flatten() {
        ask(
            "DeleteWebhook",
            serde_json::json!({"name": hook["definition"]["name"]}),
        );
    }
    let tell = |operation: &str, request: Value| {
        let target = format!("AWSEvents.{operation}");
        let answer = http::json(&way.url(), "events", &target, &request);
        answer.map_or(Value::Null, |answer| answer.json())
    };
    let rules = tell("ListRules", serde_json::json!({}));
    for rule in rules["Rules"].as_array().into_iter().flatten() {
        let of = serde_json::json!({"Rule": rule["Name"]});
        let targets = tell("ListTargetsByRule", of)["Targets"].clone();
        let ids: Vec<&Value> = targets
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| &it["Id"])
            .collect();
        tell(
            "RemoveTargets",
            serde_json::json!({"Rule": rule["Name"], "Ids": ids}),
        );
        tell("DeleteRule", serde_json::json!({"Name": rule["Name"]}));
    }
}

/// The folder of the data.
pub fn folder() -> std::path::PathBuf {
    root().join("tests/conformance")
}
