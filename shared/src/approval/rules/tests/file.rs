//! The file: its examples, which rule holds, and its mistakes.

use super::*;

#[test]
fn the_examples_of_the_guide_are_files() {
    assert_eq!(examples().len(), 2);
    for example in examples() {
        let set = RuleSet::parse(example).unwrap_or_else(|e| panic!("{e}"));
        for rule in set.rules() {
            let again = RuleSet::parse(rule.source()).unwrap().into_only().unwrap();
            assert_eq!(*rule, again);
        }
    }
    let asked: Vec<String> = guide("production")
        .asked(|_| true)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(asked, ["dana", "kim", "lee", "sam"]);
}

#[test]
fn the_most_specific_rule_holds_and_none_is_refused() {
    let set = RuleSet::parse(examples()[1]).unwrap();
    let target = |p: &str, s: &str| Target {
        pipeline: p.parse().unwrap(),
        stage: s.parse().unwrap(),
        action: "Approve".parse().unwrap(),
    };
    for (pipeline, stage, name) in [
        ("site", "Production", "production"),
        (
            "payments-api",
            "Production",
            "payments, ahead of the window",
        ),
        ("payments-api", "Prod2", "production"),
        ("payments-api", "Test", "everything else"),
    ] {
        assert_eq!(set.select(&target(pipeline, stage)).unwrap().name, name);
    }
    let narrow = examples()[0].replace("\"name\"", "\"for\": {\"stage\": \"Prod*\"}, \"name\"");
    let error = RuleSet::parse(&narrow).unwrap();
    let error = error.select(&target("site", "Test")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no rule holds for site/Test/Approve: nobody may approve it. Add a rule whose \"for\" matches it"
    );
    let twins = file(
        &[A],
        r#""for":{"pipeline":"si*"},"needs":[{"group":"alpha","approvals":1}]},
           {"name":"s","for":{"pipeline":"*te"},"needs":[{"group":"alpha","approvals":2}]"#,
    );
    let twins = RuleSet::parse(&twins).unwrap();
    let error = twins.select(&target("site", "Test")).unwrap_err();
    assert!(matches!(error, NoRule::Two { .. }), "{error}");
}

#[test]
fn todays_settings_are_a_rule() {
    let set = RuleSet::simple(["dana@example.com", "lee@example.com"], 2).unwrap();
    let rule = set.into_only().unwrap();
    assert_eq!(rule.needed(), 2);
    check(
        &rule,
        "dana@example.com+ lee@example.com+",
        "approved: dana@example.com lee@example.com",
    );
    assert!(RuleSet::simple(["dana@example.com", "Dana+x@example.com"], 1).is_err());
    assert!(RuleSet::simple(["dana@example.com"], 2).is_err());
    assert!(RuleSet::simple(["dana@example.com"], 0).is_err());
}

/// What is wrong, where, and what to write.
#[test]
fn mistakes_are_told_with_place_and_remedy() {
    let good = examples()[1];
    for (from, to, expected) in [
        (
            "\"version\": 1",
            "\"version\": 2",
            "version: 2 is not known; write 1",
        ),
        (
            "\"inOrder\"",
            "\"inorder\"",
            "rules[0].inorder: unknown field `inorder`",
        ),
        (
            "\"group\": \"security\", \"approvals\": 1",
            "\"group\": \"securty\", \"approvals\": 1",
            "rules[0].needs[1].group: no group is called \"securty\": write one of release-managers, security",
        ),
        (
            "\"approvals\": 2",
            "\"approvals\": 4",
            "rules[0].needs[0].approvals: 4 of the 3 in \"release-managers\": write 1 to 3",
        ),
        (
            "\"approvals\": 2",
            "\"approvals\": 0",
            "rules[0].needs[0].approvals: 0 of",
        ),
        (
            "[\"kim\", \"sam\"]",
            "[\"kim\", \"sal\"]",
            "groups.security[1]: \"sal\" is not in people",
        ),
        (
            "[\"kim\", \"sam\"]",
            "[\"kim\", \"kim\"]",
            "groups.security[1]: kim is named twice",
        ),
        (
            "[\"kim\", \"sam\"]",
            "[]",
            "groups.security: a group has a name and at least one person",
        ),
        (
            "[\"kim\", \"sam\"]",
            "[\"kim\", \"robin\"]",
            "people.robin.mail: the rule \"production\" asks them",
        ),
        (
            "Europe/Berlin",
            "Europe/Berlim",
            "calendars.office.timeZone: \"Europe/Berlim\" is not a time zone",
        ),
        (
            "\"17:00\"",
            "\"09:00\"",
            "calendars.office.hours[0]: it never opens",
        ),
        (
            "\"09:00\"",
            "\"9 Uhr\"",
            "calendars.office.hours[0].from: \"9 Uhr\" is not a time of day",
        ),
        ("2026-12-25", "2026-12-32", "calendars.office.holidays[0]"),
        (
            "2027-01-02T",
            "2026-01-02T",
            "freezes.year-end: it ends before it begins",
        ),
        (
            "[\"year-end\"]",
            "[\"year-start\"]",
            "rules[0].freezes: no freeze is called \"year-start\": write one of year-end",
        ),
        (
            "\"Prod*\"",
            "\"Prod/*\"",
            "rules[0].for.stage: a pattern is",
        ),
        (
            "\"mayDelegateTo\": [\"lee\"]",
            "\"mayDelegateTo\": [\"kim\"]",
            "people.dana.away[0].delegate: dana may not delegate to lee",
        ),
        (
            "{ \"name\": \"Lee\",",
            "{ \"away\": [{\"from\": \"2027-01-01T00:00:00Z\", \"until\": \"2027-02-01T00:00:00Z\"}],",
            "people.dana.away[0].delegate: lee is away at the same time, and a delegation is not passed on",
        ),
        (
            "\"breakGlass\": { \"people\": [\"dana\", \"sam\"]",
            "\"breakGlass\": { \"people\": []",
            "rules[0].breakGlass.people: nobody is named",
        ),
        (
            "\"reviewedBy\": \"security\" }",
            "\"reviewedBy\": \"security\" }, \"level\": \"L1\"",
            "rules[0].level: at level L1 a machine could break the glass",
        ),
        (
            "\"reviewedBy\": \"security\" }",
            "\"reviewedBy\": \"security\", \"reviewWithinDays\": 0 }",
            "rules[0].breakGlass.reviewWithinDays: a review has 1 to 90 days",
        ),
        (
            "\"security\": [\"kim\", \"sam\"]",
            "\"security\": [\"sam\"]",
            "rules[0].breakGlass.reviewedBy: nobody but sam would review sam",
        ),
        (
            "\"everything else\"",
            "\"production\"",
            "rules[2].name: there are two rules called \"production\"",
        ),
        (
            "\"name\": \"everything else\"",
            "\"name\": \"x\", \"for\": {\"stage\": \"Prod*\"}",
            "rules[2].for: the rule \"production\" holds for exactly the same",
        ),
        (
            "\"fourEyes\": { \"trigger\": false, \"authors\": false }",
            "\"approveAhead\": true",
            "rules[2].approveAhead: there is nothing to approve ahead of",
        ),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let error = RuleSet::parse(&text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{expected}\n{error}");
    }
    let unmeetable = file(
        &[("alpha", &["dana", "lee"]), ("beta", &["dana", "lee"])],
        r#""needs":[{"group":"alpha","approvals":2},{"group":"beta","approvals":1}]"#,
    );
    let error = RuleSet::parse(&unmeetable).unwrap_err().to_string();
    assert!(
        error.starts_with("rules[0].needs: these groups share so many people"),
        "{error}"
    );
    for garbage in [
        "",
        "[]",
        "{",
        "{}",
        "null",
        &"[".repeat(100_000),
        &format!("{good} x"),
    ] {
        assert!(RuleSet::parse(garbage).is_err());
    }
}
