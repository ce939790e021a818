//! The rules by named cases and by properties; the examples of `docs/approval-rules.md`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use shared_testkit::proptest::prelude::*;

use super::{evaluate::*, *};

const GUIDE: &str = include_str!("../../../../docs/approval-rules.md");
/// A Monday, 11:00 in Berlin.
const MONDAY: &str = "2026-11-23T10:00:00Z";

/// A file with these people (all with mail), groups and the rest of the only rule.
fn file(groups: &[(&str, &[&str])], rule: &str) -> String {
    let people: BTreeSet<&str> = groups.iter().flat_map(|(_, m)| m.iter().copied()).collect();
    let people: Vec<String> = people
        .iter()
        .map(|p| format!(r#""{p}":{{"mail":"{p}@example.com"}}"#))
        .collect();
    let groups: Vec<String> = groups
        .iter()
        .map(|(name, members)| format!("{name:?}:{members:?}"))
        .collect();
    format!(
        r#"{{"version":1,"people":{{{}}},"groups":{{{}}},"rules":[{{"name":"r",{rule}}}]}}"#,
        people.join(","),
        groups.join(",")
    )
}

const OPEN_EYES: &str = r#""fourEyes":{"trigger":false,"authors":false}"#;

fn only(text: &str) -> Rule {
    let set = RuleSet::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let rule = set.into_only().unwrap();
    let again = RuleSet::parse(rule.source()).unwrap().into_only().unwrap();
    assert_eq!(rule, again, "what is stored is read again");
    rule
}

fn rule(groups: &[(&str, &[&str])], needs: &[(&str, u32)], more: &str) -> Rule {
    let needs: Vec<String> = needs
        .iter()
        .map(|(g, n)| format!(r#"{{"group":"{g}","approvals":{n}}}"#))
        .collect();
    let eyes = if more.contains("fourEyes") {
        String::new()
    } else {
        format!(",{OPEN_EYES}")
    };
    only(&file(
        groups,
        &format!(r#""needs":[{}]{eyes}{more}"#, needs.join(",")),
    ))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// `dana+` approves, `dana-` rejects, `dana!` breaks the glass; a minute apart.
fn votes(spec: &str) -> Vec<Vote> {
    let mut when = at(MONDAY);
    spec.split_whitespace()
        .map(|word| {
            let (who, choice) = word.split_at(word.len() - 1);
            when += jiff::SignedDuration::from_mins(1);
            Vote {
                person: PersonId(who.to_owned()),
                choice: match choice {
                    "+" => Choice::Approve,
                    "-" => Choice::Reject,
                    _ => Choice::BreakGlass,
                },
                reason: "because".to_owned(),
                at: when,
            }
        })
        .collect()
}

fn judged(rule: &Rule, spec: &str) -> Evaluation {
    let now = at(MONDAY) + jiff::SignedDuration::from_mins(60);
    evaluate(rule, &Circumstances::default(), &votes(spec), now)
}

/// `open: …`, `approved: …`, `rejected: …`, `not yet: …`, with what was refused behind.
fn said(evaluation: &Evaluation) -> String {
    let names = |by: &BTreeSet<PersonId>| {
        let names: Vec<&str> = by.iter().map(PersonId::as_str).collect();
        names.join(" ")
    };
    let mut text = match &evaluation.verdict {
        Verdict::Open { missing } => format!("open: {}", missing.join("; ")),
        Verdict::NotYet { why, .. } => format!("not yet: {why}"),
        Verdict::Approved { by, review } => match review {
            None => format!("approved: {}", names(by)),
            Some(r) => format!(
                "approved: {}, reviewed by {} ({})",
                names(by),
                names(&r.by),
                r.group
            ),
        },
        Verdict::Rejected { by, why } => format!("rejected: {} | {why}", names(by)),
    };
    for (vote, why) in &evaluation.refused {
        text.push_str(&format!(" / {vote}: {why}"));
    }
    text
}

fn check(rule: &Rule, spec: &str, expected: &str) {
    assert_eq!(said(&judged(rule, spec)), expected, "{spec}");
}

const A: (&str, &[&str]) = ("alpha", &["dana", "lee", "sam"]);
const B: (&str, &[&str]) = ("beta", &["kim", "sam"]);

#[test]
fn rules_are_not_summed() {
    // gitlab-org/gitlab#444256: 1 of alpha and 1 of beta is not 2 of both.
    let rule = rule(&[A, B], &[("alpha", 1), ("beta", 1)], "");
    check(
        &rule,
        "dana+ lee+",
        "open: 1 more approval of beta (kim or sam)",
    );
    check(&rule, "dana+ lee+ kim+", "approved: dana kim lee");
}

#[test]
fn one_person_in_two_groups_counts_once() {
    let rule = rule(&[A, B], &[("alpha", 1), ("beta", 1)], "");
    check(&rule, "sam+", "open: 1 more approval of beta (kim)");
    // Sam moves to beta when that helps, whoever came first.
    check(&rule, "sam+ dana+", "approved: dana sam");
    check(&rule, "dana+ sam+", "approved: dana sam");
    // Three in a ring: each has to make room for the next.
    let ring = rule_of_three();
    check(&ring, "ann+ bea+ cat+", "approved: ann bea cat");
    check(&ring, "cat+ bea+ ann+", "approved: ann bea cat");
}

/// Ann fits everywhere, Bea in the first two groups, Cat in the first only.
fn rule_of_three() -> Rule {
    rule(
        &[
            ("one", &["ann", "bea", "cat"]),
            ("two", &["ann", "bea"]),
            ("three", &["ann"]),
        ],
        &[("one", 1), ("two", 1), ("three", 1)],
        "",
    )
}

#[test]
fn nobody_counts_twice_by_another_name() {
    let text = file(
        &[A],
        &format!(r#""needs":[{{"group":"alpha","approvals":2}}],{OPEN_EYES}"#),
    )
    .replace(
        r#""mail":"dana@example.com""#,
        r#""mail":"Dana+work@Example.com","aliases":["D.Kim@example.org"]"#,
    );
    let rule = only(&text);
    for name in [
        "dana",
        "DANA@example.com",
        "dana+x@example.com",
        " d.kim@EXAMPLE.org ",
    ] {
        assert_eq!(
            rule.person_named(name).map(PersonId::as_str),
            Some("dana"),
            "{name}"
        );
    }
    assert_eq!(rule.person_named("dan@example.com"), None);
    check(
        &rule,
        "dana+ dana+",
        "open: 1 more approval of alpha (lee or sam) / 1: You have approved this already; one person counts once.",
    );
    // Two entries for one mailbox are one person written twice.
    let twice = text.replace("lee@example.com", "dana@EXAMPLE.com");
    assert_eq!(
        RuleSet::parse(&twice).unwrap_err().to_string(),
        "people.lee: \"dana@example.com\" stands for dana already: one person is written once, with all aliases"
    );
}

#[test]
fn a_veto_holds_at_any_time() {
    let rule = rule(&[A, B], &[("alpha", 1), ("beta", 1)], "");
    let no = "rejected: lee | lee rejected it, and under the rule \"r\" that decides.";
    for spec in [
        "lee-",
        "lee- dana+ kim+",
        "dana+ kim+ lee-",
        "lee+ kim+ lee-",
    ] {
        let text = said(&judged(&rule, spec));
        assert!(text.starts_with(no), "{spec}: {text}");
    }
    check(
        &rule,
        "lee- lee+",
        &format!("{no} / 1: You have rejected this already."),
    );
}

#[test]
fn without_a_veto_a_rejection_decides_when_the_rule_cannot_be_met() {
    let rule = rule(&[A, B], &[("alpha", 2), ("beta", 1)], r#","veto":["beta"]"#);
    check(
        &rule,
        "dana- lee+ sam+",
        "open: 1 more approval of beta (kim)",
    );
    check(
        &rule,
        "dana- lee-",
        "rejected: dana lee | dana and lee rejected it, and without them the rule \"r\" cannot be met any more.",
    );
    check(
        &rule,
        "kim-",
        "rejected: kim | kim rejected it, and under the rule \"r\" that decides.",
    );
}

#[test]
fn groups_answer_one_after_the_other() {
    let rule = rule(&[A, B], &[("alpha", 2), ("beta", 1)], r#","inOrder":true"#);
    check(
        &rule,
        "kim+ dana+",
        "open: 1 more approval of alpha (lee or sam); 1 more approval of beta (kim or sam) / \
         0: alpha answers first and still lacks 2 approvals; answer once it is your turn.",
    );
    let text = said(&judged(&rule, "kim+ dana+ lee+ kim+"));
    assert!(text.starts_with("approved: dana kim lee / 0: "), "{text}");
    check(&rule, "dana+ lee+ sam+", "approved: dana lee sam");
    // A later group's veto does not wait for its turn.
    assert!(said(&judged(&rule, "kim-")).starts_with("rejected: kim"));
}

#[test]
fn nobody_approves_their_own_work() {
    let eyes = r#","fourEyes":{}"#;
    let rule = rule(&[A], &[("alpha", 1)], eyes);
    let known = |trigger: Actor, author: &str| Circumstances {
        trigger,
        authors: vec![Actor::Named(vec![author.to_owned(), "x".to_owned()])],
        ..Circumstances::default()
    };
    let judge = |facts: &Circumstances, spec: &str| {
        said(&evaluate(
            &rule,
            facts,
            &votes(spec),
            at("2026-11-24T10:00:00Z"),
        ))
    };
    let by_lee = Actor::Named(vec![
        "arn:aws:iam::123456789012:user/lee".to_owned(),
        "lee".to_owned(),
    ]);
    let facts = known(by_lee, "Dana+git@example.com");
    assert_eq!(
        judge(&facts, "dana+ lee+"),
        "open: 1 more approval of alpha (sam) / \
         0: dana wrote this change, and the rule \"r\" wants somebody else to approve. / \
         1: lee started this execution, and the rule \"r\" wants somebody else to approve."
    );
    assert_eq!(
        judge(&facts, "dana+ lee+ sam+").split(" /").next(),
        Some("approved: sam")
    );
    assert!(judge(&facts, "dana-").starts_with("rejected: dana"));
    // Closed when it is not known, or nobody the file knows.
    for (facts, why) in [
        (
            Circumstances::default(),
            "It is not known who started this execution",
        ),
        (
            known(Actor::Unknown, "dana"),
            "It is not known who started this execution",
        ),
        (
            Circumstances {
                trigger: Actor::Machine,
                ..Circumstances::default()
            },
            "It is not known who wrote this change",
        ),
        (
            known(Actor::Machine, "stranger@example.net"),
            "stranger@example.net wrote this change, and the rules do not say who that is",
        ),
    ] {
        let text = judge(&facts, "sam+");
        assert!(text.starts_with("open") && text.contains(why), "{text}");
    }
}

#[test]
fn unknown_authors_may_be_allowed_and_known_ones_still_may_not() {
    let rule = rule(&[A], &[("alpha", 1)], r#","fourEyes":{"unknown":"allow"}"#);
    assert!(said(&judged(&rule, "sam+")).starts_with("approved"));
    let facts = Circumstances {
        authors: vec![Actor::Named(vec!["sam".to_owned()])],
        ..Circumstances::default()
    };
    let text = said(&evaluate(&rule, &facts, &votes("sam+"), at(MONDAY)));
    assert!(text.starts_with("open"), "{text}");
}

/// The guide's large file, with Dana away from 21 December to 4 January.
fn guide(name: &str) -> Rule {
    let set = RuleSet::parse(examples()[1]).unwrap();
    set.rules().find(|r| r.name == name).unwrap().clone()
}

fn examples() -> Vec<&'static str> {
    GUIDE
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

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

fn vote(who: &str, when: &str) -> Vote {
    Vote {
        person: PersonId(who.to_owned()),
        choice: Choice::Approve,
        reason: String::new(),
        at: at(when),
    }
}

#[test]
fn a_delegate_counts_while_the_person_is_away_and_once() {
    let text = examples()[1]
        .replace(
            "\"release-managers\": [\"dana\", \"lee\", \"sam\"]",
            "\"release-managers\": [\"dana\"]",
        )
        .replace("\"approvals\": 2", "\"approvals\": 1");
    let set = RuleSet::parse(&text).unwrap();
    let rule = set.rules().find(|r| r.name == "everything else").unwrap();
    let judge = |votes: &[Vote]| {
        said(&evaluate(
            rule,
            &Circumstances::default(),
            votes,
            at("2027-02-01T00:00:00Z"),
        ))
    };
    for (when, counts) in [
        ("2026-12-20T22:59:59Z", false),
        ("2026-12-20T23:00:00Z", true),
        ("2027-01-03T22:59:59Z", true),
        ("2027-01-03T23:00:00Z", false),
    ] {
        let text = judge(&[vote("lee", when)]);
        assert_eq!(text.starts_with("approved"), counts, "{when}: {text}");
        assert_eq!(
            text.contains(
                "You are not among those whom the rule \"everything else\" asks at this time."
            ),
            !counts,
            "{text}"
        );
    }
    let both = judge(&[
        vote("lee", "2026-12-28T10:00:00Z"),
        vote("dana", "2026-12-28T11:00:00Z"),
    ]);
    assert!(
        both.starts_with("approved: dana / 0: Somebody has answered for"),
        "{both}"
    );
}

#[test]
fn two_who_stand_in_for_one_person_count_once() {
    let text = r#"{"version":1,"people":{
        "dana":{"mail":"dana@example.com","mayDelegateTo":["lee","sam"],"away":[
            {"from":"2026-11-01T00:00:00Z","until":"2026-11-02T00:00:00Z","delegate":"lee"},
            {"from":"2026-11-03T00:00:00Z","until":"2026-11-04T00:00:00Z","delegate":"sam"}]},
        "kim":{"mail":"kim@example.com"},"lee":{"mail":"lee@example.com"},"sam":{"mail":"sam@example.com"}},
        "groups":{"alpha":["dana","kim"]},"rules":[{"name":"r","needs":[{"group":"alpha","approvals":2}],
        "inOrder":ORDER,"fourEyes":{"unknown":"allow"}}]}"#;
    let votes = [
        vote("lee", "2026-11-01T10:00:00Z"),
        vote("sam", "2026-11-03T10:00:00Z"),
    ];
    for order in ["false", "true"] {
        let rule = only(&text.replace("ORDER", order));
        let text = said(&evaluate(
            &rule,
            &Circumstances::default(),
            &votes,
            at(MONDAY),
        ));
        let expected =
            "open: 1 more approval of alpha (dana or kim) / 1: Somebody has answered for";
        assert!(text.starts_with(expected), "{order}: {text}");
    }
}

#[test]
fn times_close_approvals_or_hold_them_back() {
    let rule = guide("production");
    let facts = Circumstances {
        trigger: Actor::Machine,
        authors: vec![Actor::Named(vec!["robin@example.com".to_owned()])],
        ..Circumstances::default()
    };
    let judge = |rule: &Rule, facts: &Circumstances, votes: &[Vote], now: &str| {
        said(&evaluate(rule, facts, votes, at(now)))
    };
    let text = judge(
        &rule,
        &facts,
        &[vote("sam", "2026-11-22T10:00:00Z")],
        MONDAY,
    );
    assert!(
        text.ends_with("0: It is Sun 11:00 in Europe/Berlin, outside of the hours \"office\"; approvals count again from Mon 23 Nov 2026, 08:00 UTC."),
        "{text}"
    );
    let text = judge(
        &rule,
        &facts,
        &[vote("sam", "2026-12-21T10:00:00Z")],
        MONDAY,
    );
    assert!(
        text.ends_with("0: Nothing is released during the freeze \"year-end\"; approvals count again from Fri 1 Jan 2027, 23:00 UTC."),
        "{text}"
    );

    let rule = guide("payments, ahead of the window");
    let calendar = rule.change_calendars[0].clone();
    let night = [vote("kim", "2026-11-23T02:00:00Z")];
    let mut facts = facts;
    let text = judge(&rule, &facts, &night, "2026-11-23T02:00:00Z");
    assert_eq!(
        text,
        "open: the check \"integration-tests\", whose result is not known"
    );
    facts.gates.insert(
        "integration-tests".to_owned(),
        GateState::Failed {
            why: "2 of 80 failed".to_owned(),
        },
    );
    let text = judge(&rule, &facts, &night, "2026-11-23T02:00:00Z");
    assert_eq!(
        text,
        "open: the check \"integration-tests\", which failed: 2 of 80 failed"
    );
    facts
        .gates
        .insert("integration-tests".to_owned(), GateState::Passed);
    let text = judge(&rule, &facts, &night, "2026-11-23T02:00:00Z");
    assert!(
        text.contains("could not be read, so it counts as closed"),
        "{text}"
    );
    facts
        .calendars
        .insert(calendar.clone(), CalendarState::Open);
    let until = |now: &str| match evaluate(&rule, &facts, &night, at(now)).verdict {
        Verdict::NotYet { until, .. } => until.map(|u| u.to_string()),
        other => Some(format!("{other:?}")),
    };
    assert_eq!(
        until("2026-11-23T02:00:00Z").as_deref(),
        Some("2026-11-23T08:00:00Z")
    );
    assert_eq!(
        judge(&rule, &facts, &night, "2026-11-23T08:00:00Z"),
        "approved: kim"
    );
    let closed = CalendarState::Closed {
        until: Some(at("2026-11-24T00:00:00Z")),
    };
    facts.calendars.insert(calendar, closed);
    let text = judge(&rule, &facts, &night, "2026-11-23T08:00:00Z");
    assert!(
        text.starts_with("not yet: All approvals are there. The change calendar"),
        "{text}"
    );
    assert!(
        text.ends_with("is closed; approvals count again from Tue 24 Nov 2026, 00:00 UTC."),
        "{text}"
    );
}

#[test]
fn a_broken_glass_decides_alone_and_leaves_a_review() {
    let rule = guide("production");
    let night = at("2026-12-25T02:00:00Z");
    let judge = |who: &str, reason: &str, more: &[Vote]| {
        let mut votes = vec![Vote {
            choice: Choice::BreakGlass,
            reason: reason.to_owned(),
            ..vote(who, "2026-12-25T02:00:00Z")
        }];
        votes.extend_from_slice(more);
        said(&evaluate(&rule, &Circumstances::default(), &votes, night))
    };
    assert_eq!(
        judge("sam", "the shop is down", &[]),
        "approved: sam, reviewed by kim (security)"
    );
    assert_eq!(
        judge("dana", "the shop is down", &[]),
        "approved: dana, reviewed by kim sam (security)"
    );
    assert!(judge("dana", " ", &[]).contains("needs a reason"));
    assert!(judge("kim", "the shop is down", &[]).contains("not among those who may decide alone"));
    let veto = Vote {
        choice: Choice::Reject,
        ..vote("kim", "2026-12-25T03:00:00Z")
    };
    assert!(judge("dana", "the shop is down", &[veto]).starts_with("rejected: kim"));
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

/// Five people, up to three groups with needs, delegations, four-eyes, order and vetoes as they come.
fn any_rule() -> impl Strategy<Value = Rule> {
    let needs = prop::collection::vec((1_u8..32, 1_u32..3), 1..4);
    let away = prop::collection::vec((0_u8..5, 0_u8..60, 1_u8..60), 0..3);
    (needs, away, any::<bool>(), prop::option::of(0_u8..8)).prop_filter_map(
        "a rule that can be met",
        |(needs, away, in_order, veto)| {
            let who = |i: u8| format!("p{i}");
            let minute = |m: u8| (at(MONDAY) + jiff::SignedDuration::from_mins(m.into())).to_string();
            let people: Vec<String> = (0..5)
                .map(|i| {
                    let away = away.iter().enumerate().find(|(n, a)| a.0 == i && *n < 2);
                    let away = away.map_or(String::new(), |(n, (_, from, long))| {
                        let to = (i + 1 + u8::try_from(n).unwrap()) % 5;
                        format!(
                            r#","mayDelegateTo":["p{to}"],"away":[{{"from":"{}","until":"{}","delegate":"p{to}"}}]"#,
                            minute(*from), minute(from.saturating_add(*long))
                        )
                    });
                    format!(r#""{}":{{"mail":"p{i}@example.com"{away}}}"#, who(i))
                })
                .collect();
            let members = |mask: u8| -> Vec<String> {
                (0..5).filter(|i| mask & (1 << i) != 0).map(who).collect()
            };
            let groups: Vec<String> = needs
                .iter()
                .enumerate()
                .map(|(n, (mask, _))| format!(r#""g{n}":{:?}"#, members(*mask)))
                .collect();
            let wanted: Vec<String> = needs
                .iter()
                .enumerate()
                .map(|(n, (_, count))| format!(r#"{{"group":"g{n}","approvals":{count}}}"#))
                .collect();
            let veto = veto.map_or(String::new(), |bits| {
                let names: Vec<String> = (0..needs.len())
                    .filter(|n| bits & (1 << n) != 0)
                    .map(|n| format!("\"g{n}\""))
                    .collect();
                format!(r#","veto":[{}]"#, names.join(","))
            });
            let text = format!(
                r#"{{"version":1,"people":{{{}}},"groups":{{{}}},"rules":[{{"name":"r","needs":[{}],"inOrder":{in_order}{veto},"fourEyes":{{"unknown":"allow"}}}}]}}"#,
                people.join(","), groups.join(","), wanted.join(",")
            );
            RuleSet::parse(&text).ok()?.into_only().ok()
        },
    )
}

fn any_votes() -> impl Strategy<Value = Vec<Vote>> {
    let one = (0_u8..6, 0_u8..8, 0_i64..60).prop_map(|(who, choice, minute)| Vote {
        person: PersonId(format!("p{who}")),
        choice: if choice == 0 {
            Choice::Reject
        } else {
            Choice::Approve
        },
        reason: String::new(),
        at: at(MONDAY) + jiff::SignedDuration::from_mins(minute),
    });
    prop::collection::vec(one, 0..8)
}

fn any_facts() -> impl Strategy<Value = Circumstances> {
    prop::option::of(0_u8..5).prop_map(|author| Circumstances {
        trigger: Actor::Machine,
        authors: author
            .map(|who| Actor::Named(vec![format!("p{who}@example.com")]))
            .into_iter()
            .collect(),
        ..Circumstances::default()
    })
}

fn verdict(rule: &Rule, facts: &Circumstances, votes: &[Vote]) -> Verdict {
    evaluate(
        rule,
        facts,
        votes,
        at(MONDAY) + jiff::SignedDuration::from_hours(2),
    )
    .verdict
}

fn approves(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Approved { .. })
}

proptest! {
    #[test]
    fn the_order_of_votes_does_not_matter(
        rule in any_rule(), facts in any_facts(), votes in any_votes(), turn in 0_usize..8,
    ) {
        let mut turned = votes.clone();
        turned.rotate_left(turn % votes.len().max(1));
        prop_assert_eq!(verdict(&rule, &facts, &votes), verdict(&rule, &facts, &turned));
        // Nor, without an order between groups and with nobody away, do their times.
        if !rule.in_order && rule.people.values().all(|p| p.away.is_empty()) {
            for vote in &mut turned {
                vote.at = at(MONDAY);
            }
            prop_assert_eq!(verdict(&rule, &facts, &votes), verdict(&rule, &facts, &turned));
        }
    }

    /// Where groups answer in order, one vote of each person is looked at: a second one may come in place of a first
    /// that was refused, and then another's vote before both decides which of them counts.
    #[test]
    fn removing_an_approval_never_approves_and_adding_one_never_unapproves(
        rule in any_rule(), facts in any_facts(), mut votes in any_votes(), at in 0_usize..8,
    ) {
        if rule.in_order {
            let mut seen = BTreeSet::new();
            votes.retain(|v| seen.insert(v.person.clone()));
        }
        let Some(at) = at.checked_rem(votes.len()).filter(|a| votes[*a].choice == Choice::Approve)
        else { return Ok(()); };
        let mut fewer = votes.clone();
        fewer.remove(at);
        if approves(&verdict(&rule, &facts, &fewer)) {
            let more = verdict(&rule, &facts, &votes);
            prop_assert!(approves(&more), "{:?}", more);
        }
    }

    #[test]
    fn adding_a_rejection_never_approves_and_a_veto_always_decides(
        rule in any_rule(), facts in any_facts(), votes in any_votes(), extra in any_votes(),
    ) {
        let before = verdict(&rule, &facts, &votes);
        for vote in extra {
            let no = Vote { choice: Choice::Reject, ..vote };
            let may_veto = rule.veto.as_ref().map_or_else(
                || rule.needs.iter().any(|n| n.members.contains(&no.person)),
                |veto| veto.contains(&no.person),
            );
            let mut more = votes.clone();
            more.push(no);
            let after = verdict(&rule, &facts, &more);
            prop_assert!(!approves(&after) || approves(&before));
            if may_veto {
                let rejected = matches!(after, Verdict::Rejected { .. });
                prop_assert!(rejected, "{:?}", after);
            }
        }
    }

    /// Whatever approves is approved by enough distinct persons, none of them an author, and every need on its own.
    #[test]
    fn what_is_approved_meets_every_need(
        rule in any_rule(), facts in any_facts(), votes in any_votes(),
    ) {
        let Verdict::Approved { by, .. } = verdict(&rule, &facts, &votes) else { return Ok(()); };
        prop_assert!(by.len() >= rule.needed() as usize);
        for who in &by {
            let voted = |v: &Vote| v.person == *who && v.choice == Choice::Approve;
            prop_assert!(votes.iter().any(voted));
            let author = Actor::Named(vec![format!("{who}@example.com")]);
            prop_assert!(!facts.authors.contains(&author));
        }
        for need in &rule.needs {
            let fits = |who: &&PersonId| need.members.iter().any(|m| {
                m == *who || votes.iter().any(|v| v.person == **who && rule.stands_in(who, m, v.at))
            });
            prop_assert!(by.iter().filter(fits).count() >= need.approvals as usize);
        }
    }
}
