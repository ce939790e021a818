//! `stagewright check` of an approval rules file.

use engine_plan::{check::Finding, refusal::Refusal};
use serde_json::Value;
use shared::approval::rules::{RuleSet, RulesError, line_of};

/// Whether this is a rules file and no pipeline definition.
pub fn is_rules(text: &str) -> bool {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => value.get("rules").is_some() && value.get("people").is_some(),
        // A rules file with a slip of the pen; a definition's own error is told elsewhere.
        Err(_) => text.contains("\"people\"") && text.contains("\"needs\""),
    }
}

/// How many rules the file has, or all that is wrong with it, each with its line.
pub fn findings(text: &str) -> Result<usize, Vec<(Finding, usize)>> {
    let found = |error: RulesError| {
        let line = line_of(text, &error.place);
        let finding = Finding {
            refusal: Refusal::new("RulesNotValid", error.problem),
            place: error.place,
            hint: None,
        };
        (finding, line)
    };
    match RuleSet::parse_whole(text) {
        Ok(set) => Ok(set.rules().count()),
        Err(faults) => Err(faults.into_iter().map(found).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = include_str!("../../../docs/approval-rules.md");

    #[test]
    fn all_faults_are_told_at_once_with_their_lines() {
        let examples: Vec<&str> = GUIDE.split("```json\n").skip(1).collect();
        let good = examples[1].split("```").next().expect("it ends");
        assert!(is_rules(good) && !is_rules("{\"pipeline\": {}}"));
        assert_eq!(findings(good), Ok(3));
        let entries = good
            .replace("\"lee@example.com\"", "\"lee\"")
            .replace("\"Europe/Berlin\"", "\"Berlin\"")
            .replace("[\"kim\", \"sam\"]", "[\"kim\", \"zoe\"]");
        let told = findings(&entries).expect_err("three are wrong");
        let told: Vec<(usize, &str, &str)> = told
            .iter()
            .map(|(it, line)| (*line, it.place.as_str(), it.refusal.message.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (
                    11,
                    "people.lee.mail",
                    "a mail address is written name@example.com"
                ),
                (
                    18,
                    "groups.security[1]",
                    "\"zoe\" is not in people: add them, or correct the name"
                ),
                (
                    22,
                    "calendars.office.timeZone",
                    "\"Berlin\" is not a time zone: write an IANA name such as Europe/Berlin"
                ),
            ]
        );
        let rules = good
            .replace("\"approvals\": 2", "\"approvals\": 9")
            .replace("\"veto\": [\"security\"]", "\"veto\": [\"nobody\"]")
            .replace("[\"integration-tests\"]", "[\"tests\"]");
        let told = findings(&rules).expect_err("three are wrong");
        let places: Vec<&str> = told.iter().map(|(it, _)| it.place.as_str()).collect();
        assert_eq!(
            places,
            [
                "rules[0].needs[0].approvals",
                "rules[0].veto",
                "rules[1].gates"
            ]
        );
        let broken = &good[..400];
        assert_eq!(findings(broken).expect_err("it breaks off").len(), 1);
    }
}
