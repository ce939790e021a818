//! Who counts, for what, and in which order.

use super::*;

#[test]
fn threat_36_rules_are_not_summed() {
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
fn threat_36_one_person_in_two_groups_counts_once() {
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
fn threat_36_nobody_counts_twice_by_another_name() {
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
fn threat_37_a_veto_holds_at_any_time() {
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
