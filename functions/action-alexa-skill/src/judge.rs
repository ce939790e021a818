//! What an import's status means.

use serde::Deserialize;

/// The vendor's answer. What is absent or null is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// See [`judge`].
    pub status: Option<String>,
    /// Of the whole import.
    pub errors: Option<Vec<Problem>>,
    /// Of the whole import.
    pub warnings: Option<Vec<Problem>>,
    /// What became of the skill.
    pub skill: Option<Skill>,
}

/// An error or a warning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// As `INVALID_REQUEST`.
    pub code: Option<String>,
    /// For people.
    pub message: Option<String>,
}

/// The skill after an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skill {
    /// Of its package.
    pub e_tag: Option<String>,
    /// One by one.
    pub resources: Option<Vec<Resource>>,
}

/// A part of the package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Resource {
    /// As `Manifest` or `InteractionModel.en_US`.
    pub name: Option<String>,
    /// As `FAILED`.
    pub status: Option<String>,
    /// Its own.
    pub errors: Option<Vec<Problem>>,
    /// Its own.
    pub warnings: Option<Vec<Problem>>,
}

/// What it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Going(String),
    /// The skill is built.
    Good {
        /// With the warnings.
        summary: String,
        /// Warnings in all.
        warnings: usize,
    },
    /// It failed; says with what.
    Bad(String),
    /// A status that is not known.
    Unknown(String),
}

/// Problems named in a message.
const MOST: usize = 10;
/// Of one problem's text.
const LONGEST: usize = 300;

/// Judges an import.
pub fn judge(import: &Status) -> Verdict {
    let (errors, warnings) = (problems(import, true), problems(import, false));
    let with = |what: &str| {
        let mut text = what.to_owned();
        for (title, list) in [("", &errors), ("warnings: ", &warnings)] {
            if !list.is_empty() {
                text = format!("{text}; {title}{}", some(list));
            }
        }
        text
    };
    match import.status.as_deref().unwrap_or_default() {
        "IN_PROGRESS" => Verdict::Going(parts(import)),
        "ROLLBACK_IN_PROGRESS" => Verdict::Going("failed, is rolled back".to_owned()),
        "SUCCEEDED" if errors.is_empty() => Verdict::Good {
            summary: with("imported"),
            warnings: warnings.len(),
        },
        "SUCCEEDED" => Verdict::Bad(with("succeeded and names errors")),
        "FAILED" => Verdict::Bad(with("failed")),
        "ROLLBACK_SUCCEEDED" => Verdict::Bad(with("failed and was rolled back")),
        "ROLLBACK_FAILED" => Verdict::Bad(with(
            "failed and could not be rolled back, so the skill may be half changed",
        )),
        "SKIPPED" => Verdict::Bad(with("was skipped by Alexa")),
        other => Verdict::Unknown(other.chars().take(50).collect()),
    }
}

fn parts(import: &Status) -> String {
    let skill = import.skill.as_ref();
    let resources = skill.and_then(|skill| skill.resources.as_deref());
    let resources = resources.unwrap_or_default();
    let done = |one: &&Resource| one.status.as_deref() == Some("SUCCEEDED");
    match resources.len() {
        0 => "in progress".to_owned(),
        all => format!("{} of {all} parts", resources.iter().filter(done).count()),
    }
}

/// Errors or warnings, each with its resource.
fn problems(import: &Status, errors: bool) -> Vec<String> {
    let of = |bad: &Option<Vec<Problem>>, mild: &Option<Vec<Problem>>| {
        let list = if errors { bad } else { mild };
        list.clone().unwrap_or_default()
    };
    let mut all: Vec<String> = of(&import.errors, &import.warnings)
        .iter()
        .map(text)
        .collect();
    let resources = import
        .skill
        .as_ref()
        .and_then(|skill| skill.resources.as_ref());
    for resource in resources.into_iter().flatten() {
        let name = resource.name.as_deref().unwrap_or("a part without a name");
        let own = of(&resource.errors, &resource.warnings);
        all.extend(
            own.iter()
                .map(|problem| format!("{name}: {}", text(problem))),
        );
        if errors && own.is_empty() && resource.status.as_deref() == Some("FAILED") {
            all.push(format!("{name}: failed without saying why"));
        }
    }
    all
}

fn text(problem: &Problem) -> String {
    let said = problem.message.as_deref().filter(|text| !text.is_empty());
    let said = said
        .or(problem.code.as_deref())
        .unwrap_or("no reason given");
    said.chars().take(LONGEST).collect()
}

fn some(list: &[String]) -> String {
    let mut text = list
        .iter()
        .take(MOST)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    if list.len() > MOST {
        text = format!("{text}; and {} more", list.len() - MOST);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judged(value: Value) -> Verdict {
        judge(&serde_json::from_value(value).expect("a status"))
    }

    #[test]
    fn every_status_has_its_meaning() {
        let failed = json!({"name": "InteractionModel.en_US", "status": "FAILED",
            "errors": [{"code": "X", "message": "no samples"}], "warnings": [{"message": "old"}]});
        let skill = json!({"eTag": "e", "resources": [{"name": "Manifest", "status": "SUCCEEDED"}, failed]});
        for (value, expected) in [
            (json!({"status": "IN_PROGRESS"}), Verdict::Going("in progress".into())),
            (
                json!({"status": "IN_PROGRESS", "skill": skill}),
                Verdict::Going("1 of 2 parts".into()),
            ),
            (
                json!({"status": "ROLLBACK_IN_PROGRESS"}),
                Verdict::Going("failed, is rolled back".into()),
            ),
            (
                json!({"status": "SUCCEEDED", "errors": null, "warnings": [{"message": "slow"}], "new": 1}),
                Verdict::Good { summary: "imported; warnings: slow".into(), warnings: 1 },
            ),
            (
                json!({"status": "SUCCEEDED", "skill": skill}),
                Verdict::Bad("succeeded and names errors; InteractionModel.en_US: no samples; warnings: InteractionModel.en_US: old".into()),
            ),
            (
                json!({"status": "FAILED", "errors": [{"code": "INVALID"}, {}], "skill": {"resources": [{"status": "FAILED"}]}}),
                Verdict::Bad("failed; INVALID; no reason given; a part without a name: failed without saying why".into()),
            ),
            (
                json!({"status": "ROLLBACK_SUCCEEDED"}),
                Verdict::Bad("failed and was rolled back".into()),
            ),
            (
                json!({"status": "ROLLBACK_FAILED"}),
                Verdict::Bad("failed and could not be rolled back, so the skill may be half changed".into()),
            ),
            (json!({"status": "SKIPPED"}), Verdict::Bad("was skipped by Alexa".into())),
            (json!({"status": "PAUSED"}), Verdict::Unknown("PAUSED".into())),
            (json!({}), Verdict::Unknown(String::new())),
        ] {
            assert_eq!(judged(value.clone()), expected, "{value}");
        }
        let many: Vec<Value> = (0..12)
            .map(|n| json!({"message": format!("e{n}")}))
            .collect();
        let Verdict::Bad(text) = judged(json!({"status": "FAILED", "errors": many})) else {
            unreachable!("it failed");
        };
        assert!(text.ends_with("; e9; and 2 more"), "{text}");
    }
}
