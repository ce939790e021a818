//! Findings as SARIF 2.1.0, which code hosts show beside the definition's lines.

use std::collections::BTreeMap;

use engine_plan::check::Finding;
use serde_json::{Value, json};

/// A finding and how bad it is.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// What.
    pub finding: &'a Finding,
    /// `error`: AWS refuses it. `warning`: a run may stumble over it.
    pub level: &'static str,
    /// Line in the file, from 1.
    pub line: usize,
}

/// The log of one check.
pub fn log(file: &str, all: &[Told<'_>]) -> Value {
    let mut rules: BTreeMap<&str, &Told<'_>> = BTreeMap::new();
    for told in all {
        rules.entry(told.finding.refusal.exception).or_insert(told);
    }
    let names: Vec<&str> = rules.keys().copied().collect();
    let rules: Vec<Value> = rules
        .iter()
        .map(|(name, told)| {
            json!({"id": name, "name": name, "shortDescription": {"text": name}, "defaultConfiguration": {"level": told.level}})
        })
        .collect();
    let results: Vec<Value> = all.iter().map(|told| result(file, &names, told)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "stagewright", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": results,
        }],
    })
}

fn result(file: &str, rules: &[&str], told: &Told<'_>) -> Value {
    let finding = told.finding;
    let text = match &finding.hint {
        Some(hint) => format!("{}. {hint}", finding.refusal.message.trim_end_matches('.')),
        None => finding.refusal.message.clone(),
    };
    let name = finding.refusal.exception;
    let mut location = json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(file)},
        "region": {"startLine": told.line},
    }});
    if !finding.place.is_empty() {
        location["logicalLocations"] = json!([{"fullyQualifiedName": finding.place}]);
    }
    json!({
        "ruleId": name,
        "ruleIndex": rules.iter().position(|it| *it == name),
        "level": told.level,
        "message": {"text": text},
        "locations": [location],
    })
}

/// A path as a reference of RFC 3986.
fn uri(path: &str) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const SPECIAL: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'#')
        .add(b'?')
        .add(b'%')
        .add(b'"')
        .add(b'<')
        .add(b'>')
        .add(b'[')
        .add(b']')
        .add(b'\\')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}');
    utf8_percent_encode(path, SPECIAL).to_string()
}

/// The line of a place in a definition's text, as far as the names on the way to it tell, and a key that stands before
/// the next name.
pub fn line(text: &str, names: &[&str], key: Option<&str>) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let holds = |line: &str, word: &str| {
        let mut words = line.split(|c: char| !(c.is_alphanumeric() || "-_.@".contains(c)));
        words.any(|it| it == word)
    };
    let mut at = 0;
    for name in names {
        let found = lines[at..].iter().position(|line| holds(line, name));
        at += found.unwrap_or_default();
    }
    let rest = lines.get(at + 1..).unwrap_or_default();
    let next = rest.iter().position(|line| holds(line, "name"));
    let own = &rest[..next.unwrap_or(rest.len())];
    let found = key.and_then(|key| own.iter().position(|line| holds(line, key)));
    at + found.map_or(0, |found| found + 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_names_and_keys() {
        let text = "stages:\n  - name: Source\n    actions:\n      - name: Take\n  - name: Deploy\n    actions:\n      - name: Take\n        configuration:\n          Bucket: x\n";
        assert_eq!(line(text, &["Source", "Take"], None), 4);
        assert_eq!(line(text, &["Deploy", "Take"], Some("Bucket")), 9);
        assert_eq!(line(text, &["Source", "Take"], Some("Bucket")), 4);
        assert_eq!(line(text, &[], None), 1);
    }
}
