//! Round by round: leases, reminders, escalation, expiry, and what was decided elsewhere.

use shared::approval::{
    chat::{ChatPlace, room},
    port::ApprovalStore,
    post::{Due, due},
    request::{State, Verdict},
};
use shared_testkit::{Fate, Mode, Plan};

use super::scene::{Scene, another, ruled, simple};

#[tokio::test]
async fn a_decision_left_by_a_crash_is_sent_with_the_same_id() {
    let scene = Scene::of(simple(1, &["dana@example.com"]));
    let ballot = scene.ballot(0, Verdict::Approve);
    // Its first write holds, and then CodePipeline is not reached.
    let broken = scene.world.under(&Plan::new(Mode::At(1, Fate::FailBefore)));
    let booth = shared::approval::booth::Booth {
        store: &broken,
        sender: &broken,
        clock: &scene.clock,
    };
    booth.cast(scene.record(), &ballot).await.unwrap();
    assert!(matches!(scene.record().state, State::Deciding { .. }));
    scene.sweep().await;
    assert_eq!(scene.world.results().len(), 0, "its lease still holds");
    scene.step(1);
    scene.sweep().await;
    let results = scene.world.results();
    assert_eq!(results.len(), 1);
    assert!(
        results[0].1.contains(ballot.attempt.as_str()),
        "{}",
        results[0].1
    );
    assert!(
        matches!(scene.record().state, State::Decided { decision, .. } if decision.id == ballot.attempt)
    );
}

#[tokio::test]
async fn reminders_are_due_at_half_and_at_four_fifths_of_the_time() {
    let scene = Scene::of(simple(1, &["dana@example.com", "lee@example.com"]));
    let due_to = |scene: &Scene| {
        let (record, now) = (scene.record(), shared::port::Clock::now(&scene.clock));
        record
            .recipients
            .iter()
            .filter_map(|who| due(&record, who, now))
            .collect::<Vec<_>>()
    };
    // The sample waits for 48 hours.
    for (minutes, asked, expected) in [
        (24 * 60 - 1, 0, vec![]),
        (1, 1, vec![Due::Reminder { number: 1 }; 2]),
        // Nobody sends them here: they are asked for again, and after the second only that one.
        (864, 2, vec![Due::Reminder { number: 2 }; 2]),
    ] {
        scene.step(minutes);
        scene.sweep().await;
        assert_eq!(scene.world.mails_asked().len(), asked);
        assert_eq!(due_to(&scene), expected);
    }
    scene.vote(0, Verdict::Approve).await;
    assert!(matches!(scene.record().state, State::Decided { .. }));
    assert_eq!(due_to(&scene), [Due::Outcome, Due::Outcome]);
    scene.step(25 * 60);
    assert_eq!(
        due_to(&scene),
        [],
        "what could not be told in a day is not told"
    );
}

#[tokio::test]
async fn a_channel_is_told_until_it_knows() {
    let tops = r#""channels":{"makers":{"slack":"C0MAKERS01"}},"#;
    let scene = Scene::of(ruled(tops, ""));
    scene.sweep().await;
    assert_eq!(scene.world.mails_asked().len(), 1, "everybody is mailed");
    // Whoever tells it has it to itself.
    let (record, now) = (scene.record(), shared::port::Clock::now(&scene.clock));
    let (room, due) = room::due(&record, now).unwrap();
    let taken = room::taken(&record, (&room, due), now);
    scene.world.replace(&taken).await.unwrap();
    scene.sweep().await;
    assert_eq!(scene.world.mails_asked().len(), 1);
    let place = ChatPlace {
        channel: "C0MAKERS01".to_owned(),
        at: "1.1".to_owned(),
    };
    let told = room::told(&taken, (&room, due), &taken, Some(place), now);
    scene.world.replace(&told).await.unwrap();
    scene.step(2);
    scene.sweep().await;
    assert_eq!(scene.world.mails_asked().len(), 1);
    // An answer is news for it.
    scene.vote(0, Verdict::Reject).await;
    scene.sweep().await;
    assert_eq!(scene.world.mails_asked().len(), 2);
}

#[tokio::test]
async fn time_runs_out_and_the_next_group_is_asked_and_counts() {
    let scene = Scene::of(ruled("", r#","escalateTo":["bosses"]"#));
    scene.step(24 * 60);
    scene.sweep().await;
    assert_eq!(scene.record().recipients.len(), 2);
    // 90 percent of 48 hours.
    scene.step(19 * 60 + 12);
    scene.sweep().await;
    let record = scene.record();
    let people: Vec<&str> = record
        .recipients
        .iter()
        .map(|r| r.person.as_str())
        .collect();
    assert_eq!((people, record.escalated), (vec!["dana", "lee", "kim"], 1));
    let now = shared::port::Clock::now(&scene.clock);
    assert_eq!(
        due(&record, &record.recipients[2], now),
        Some(Due::Invitation)
    );
    scene.sweep().await;
    assert_eq!(scene.record().recipients.len(), 3, "once");
    let told = scene.world.audit();
    assert!(
        told.contains("\"kind\":\"escalated\"") && told.contains("\"group\":\"bosses\""),
        "{told}"
    );

    // Kim alone is enough now.
    let mut record = record;
    record.votes.push(shared::approval::request::Vote {
        recipient: record.recipients[2].id.clone(),
        verdict: Verdict::Approve,
        alone: false,
        comment: String::new(),
        at: now,
        attempt: shared::approval::id::DecisionId::from_random([1; 12]),
        means: shared::approval::means::Means::default(),
    });
    let evaluation = record.evaluate(now);
    assert!(evaluation.refused.is_empty(), "{evaluation:?}");
    assert!(matches!(
        evaluation.verdict,
        shared::approval::rules::evaluate::Verdict::Approved { .. }
    ));
    record.escalated = 0;
    assert!(
        !record.evaluate(now).refused.is_empty(),
        "before, Kim was not asked"
    );
}

#[tokio::test]
async fn a_request_nobody_answered_expires_and_leaves_the_list() {
    let scene = Scene::of(simple(1, &["dana@example.com"]));
    scene.step(48 * 60);
    scene.sweep().await;
    assert!(matches!(scene.record().state, State::Expired { .. }));
    scene.step(25 * 60);
    scene.sweep().await;
    scene.sweep().await;
    assert_eq!(scene.world.done(), 1);
    assert!(scene.world.audit().contains("\"kind\":\"expired\""));
}

#[tokio::test]
async fn threat_15_what_was_decided_elsewhere_is_found_recorded_and_told() {
    let scene = Scene::of(simple(2, &["dana@example.com", "lee@example.com"]));
    scene.vote(0, Verdict::Approve).await;
    scene.world.no_longer_waits();
    scene.world.answer_outside(Verdict::Approve);
    scene.sweep().await;
    let by = "arn:aws:iam::123456789012:user/kim";
    assert!(matches!(
        scene.record().state,
        State::Elsewhere { verdict: Some(Verdict::Approve), by: Some(who), .. } if who == by
    ));
    assert_eq!(scene.world.results().len(), 0);
    let alerts = scene.world.alerts();
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].0, "[Release] site-release: answered elsewhere");
    assert!(alerts[0].1.contains(by), "{}", alerts[0].1);
    let audit = scene.world.audit();
    assert!(
        audit.contains("\"kind\":\"elsewhere\"") && audit.contains(by),
        "{audit}"
    );
    assert_eq!(
        scene.world.mails_asked().len(),
        1,
        "everybody asked is told"
    );
    let voted = scene.vote(1, Verdict::Approve).await;
    assert!(
        matches!(voted, shared::approval::booth::Voted::Refused(_)),
        "{voted:?}"
    );
}

#[tokio::test]
async fn threat_16_a_retried_or_stopped_run_closes_its_request_only() {
    let scene = Scene::of(simple(1, &["dana@example.com"]));
    scene.world.no_longer_waits();
    scene.world.retry_stage();
    scene.sweep().await;
    assert!(matches!(scene.record().state, State::Superseded { .. }));
    assert_eq!(scene.world.alerts().len(), 0);
    // The retry asks anew: another token, another request, other mails.
    let base = super::scene::BASE.parse().unwrap();
    let retry = another(8, shared::port::Clock::now(&scene.clock));
    scene.world.wait_in_state(super::scene::waiting(&retry));
    let rule = simple(1, &["dana@example.com"]);
    scene
        .world
        .ask_by(retry, rule, &base, shared::port::Clock::now(&scene.clock));
    scene.sweep().await;
    let records = scene.world.records();
    let open = records.iter().filter(|r| r.state == State::Open).count();
    assert_eq!((records.len(), open), (2, 1));
}

#[tokio::test]
async fn what_fails_for_one_request_leaves_no_other_waiting() {
    let scene = Scene::of(simple(1, &["dana@example.com"]));
    let base = super::scene::BASE.parse().unwrap();
    let now = shared::port::Clock::now(&scene.clock);
    for number in 10..14 {
        let rule = simple(1, &["dana@example.com"]);
        scene.world.ask_by(another(number, now), rule, &base, now);
    }
    scene.step(48 * 60);
    // The first reads are the list's two; then a request's own.
    let plan = Plan::new(Mode::At(2, Fate::FailBefore));
    let sweep = scene.sweep_of(&scene.world.under(&plan));
    let error = sweep
        .handle(crate::event::Woken::Minute, jiff::Timestamp::MAX)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "1 of 5 approvals could not be looked after"
    );
    let records = scene.world.records();
    let expired = records
        .iter()
        .filter(|r| matches!(r.state, State::Expired { .. }))
        .count();
    assert!(expired >= 4, "{expired}");
}
