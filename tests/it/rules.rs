//! A rules file under the engine: real functions ask and count by it, and a wrong one is told before anything runs.

use std::{fs, process::Command};

use harness::{
    example::Example,
    process::{finish, shown},
    workspace::stagewright,
};

const RULES: &str = r#"{
    "version": 1,
    "people": { "dana": { "mail": "dana@example.com" }, "lee": { "mail": "lee@example.com" } },
    "groups": { "makers": ["dana"], "others": ["lee"] },
    "rules": [
        { "name": "releases", "for": { "stage": "Approve" }, "needs": [{ "group": "makers", "approvals": 1 }],
          "fourEyes": { "unknown": "allow" } },
        { "name": "the rest", "needs": [{ "group": "others", "approvals": 1 }] }
    ]
}"#;

/// The example with this rules file instead of its approvers.
fn example(rules: &str) -> Example {
    let example = Example::new();
    let config = fs::read_to_string(example.config()).expect("a configuration");
    let ruled = config.replace(
        "approvers = [\"dana@example.com\"]",
        "rules = \"rules.json\"",
    );
    assert_ne!(config, ruled);
    fs::write(example.config(), ruled).expect("written");
    fs::write(example.folder().join("rules.json"), rules).expect("written");
    example
}

#[test]
fn the_rule_of_the_stage_asks_and_decides() {
    let example = example(RULES);
    let run = finish(Command::new(stagewright()).args(example.run_arguments(&[])));
    assert_eq!(run.status.code(), Some(0), "{}", shown(&run));
    let mails: Vec<String> = fs::read_dir(example.state().join("mail"))
        .expect("mails")
        .flatten()
        .map(|entry| fs::read_to_string(entry.path()).unwrap_or_default())
        .filter(|text| text.contains("/a/v4."))
        .collect();
    assert_eq!(mails.len(), 1, "one approver is asked: {}", shown(&run));
    for said in [
        "dana@example.com",
        "releases: 1 of makers; nobody who started or wrote it; one rejection decides",
    ] {
        assert!(mails[0].contains(said), "{said}: {}", mails[0]);
    }
}

#[test]
fn a_wrong_rules_file_is_told_with_place_and_remedy() {
    let example = example(&RULES.replace("\"group\": \"makers\"", "\"group\": \"maker\""));
    let pipeline = example.pipeline();
    let run = finish(Command::new(stagewright()).args(["check", &pipeline]));
    assert_eq!(run.status.code(), Some(2), "{}", shown(&run));
    let expected =
        "rules[0].needs[0].group: no group is called \"maker\": write one of makers, others";
    assert!(shown(&run).contains(expected), "{}", shown(&run));
}
