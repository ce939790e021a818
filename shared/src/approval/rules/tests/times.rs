//! Absences, hours, freezes, calendars, and the broken glass.

use super::*;

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
