//! Four-eyes.

use super::*;

#[test]
fn threat_35_nobody_approves_their_own_work() {
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
