//! The rules by named cases and by properties; the examples of `docs/approval-rules.md`.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{evaluate::*, *};

mod counting;
mod file;
mod own_work;
mod properties;
mod times;

const GUIDE: &str = include_str!("../../../../docs/approval-rules.md");
/// A Monday, 11:00 in Berlin.
const MONDAY: &str = "2026-11-23T10:00:00Z";

const A: (&str, &[&str]) = ("alpha", &["dana", "lee", "sam"]);

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

const B: (&str, &[&str]) = ("beta", &["kim", "sam"]);

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

fn vote(who: &str, when: &str) -> Vote {
    Vote {
        person: PersonId(who.to_owned()),
        choice: Choice::Approve,
        reason: String::new(),
        at: at(when),
    }
}

#[test]
fn groups_have_channels_and_only_those_that_are_asked_are_told() {
    let file = |channels: &str| {
        format!(
            r#"{{"version":1,"people":{{"dana":{{"mail":"dana@example.com"}},"kim":{{"mail":"kim@example.com"}}}},
            "groups":{{"makers":["dana"],"bosses":["kim"],"others":["kim"]}},"channels":{channels},
            "rules":[{{"name":"all","needs":[{{"group":"makers","approvals":1}}],"escalateTo":["bosses"]}}]}}"#
        )
    };
    let good = file(
        r#"{"makers":{"slack":"C0MAKERS01"},"bosses":{"slack":"C00BOSSES1"},"others":{"slack":"C00OTHERS1"}}"#,
    );
    let rule = RuleSet::parse(&good).unwrap().into_only().unwrap();
    let told = |groups: u8| -> Vec<String> {
        let channels = rule.channels(groups).into_iter();
        channels.map(ToString::to_string).collect()
    };
    assert_eq!(told(0), ["C0MAKERS01"]);
    assert_eq!(told(1), ["C0MAKERS01", "C00BOSSES1"]);
    let again = RuleSet::parse(rule.source()).unwrap().into_only().unwrap();
    assert_eq!(again.channels(1), rule.channels(1));
    assert!(!rule.source().contains("C00OTHERS1"));
    for (channels, place) in [
        (r#"{"nobody":{"slack":"C0MAKERS01"}}"#, "channels"),
        (
            r##"{"makers":{"slack":"#releases"}}"##,
            "channels.makers.slack",
        ),
        (r#"{"makers":{}}"#, "channels.makers"),
    ] {
        let fault = RuleSet::parse(&file(channels)).unwrap_err();
        assert_eq!(fault.place, place, "{fault}");
    }
}
