//! The rules by properties.

use shared_testkit::proptest::prelude::*;

use super::*;

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
