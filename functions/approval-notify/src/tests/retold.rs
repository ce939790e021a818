//! A channel's message that may not have come, or is no longer true.

use std::time::Duration;

use shared::approval::{
    id::DecisionId,
    request::{Decision, State, Verdict},
};
use stagewright_standins::{Reply, Trick};

use super::{
    chats::DANA,
    rooms::{MAKERS, Place, place},
    *,
};

/// Nobody knows whether the message came: it is not sent a second time, until time runs out and it is due anyway.
#[tokio::test(start_paused = true)]
async fn a_channel_whose_answer_is_lost_is_not_asked_twice() {
    for trick in [
        Trick::LostAnswer,
        Trick::status(500),
        Trick::Hang,
        Trick::html(),
        Trick::Reply(Reply::json(
            200,
            &serde_json::json!({"ok": false, "error": "internal_error"}),
        )),
    ] {
        let place = place("L1");
        place.stage.always("POST", "/api/", trick);
        place.asked().await;
        let tries = || place.stage.count("POST", "/api/chat.postMessage");
        assert_eq!(tries(), 2, "Dana and the channel");
        for _ in 0..3 {
            place.clock.step(Duration::from_secs(60));
            place.due().await;
        }
        assert_eq!(tries(), 2, "not said again");
        place.stage.behave();
        place.clock.step(Duration::from_secs(12 * 3600));
        place.due().await;
        place.due().await;
        assert_eq!(tries(), 4, "with the reminder, once");
        let record = place.world.records().remove(0);
        assert!(record.rooms[0].place.is_some() && record.recipients[0].chat.is_some());
    }
}

/// The channel's message is what people act on: it shows who may answer by now, who did, and what waits behind.
#[tokio::test(start_paused = true)]
async fn a_channels_question_is_rewritten_when_it_is_no_longer_true() {
    let place = place("L1");
    place.asked().await;
    let updates = || place.stage.count("POST", "/api/chat.update");
    place.clock.step(Duration::from_secs(120));
    place.due().await;
    assert_eq!(updates(), 0, "time alone changes nothing in it");
    let button = |place: &Place| {
        let message = place.message(MAKERS);
        message.split("\"value\":\"").nth(1).unwrap().to_owned()
    };
    let before = button(&place);
    place
        .change(|record| {
            record.request.facts.history =
                shared_testkit::approval::sample_history(record.request.asked_at);
        })
        .await;
    place.due().await;
    place.due().await;
    let message = place.message(MAKERS);
    assert!(
        message.contains("A newer run waits behind this one"),
        "{message}"
    );
    assert!(
        button(&place) != before,
        "the button is of what is shown now"
    );
    place
        .change(|record| {
            let mut kim = record.recipients[1].clone();
            kim.id = RecipientId::from_random([9; 8]);
            kim.person = record.rule.person_named("kim").unwrap().clone();
            record.recipients.push(kim);
        })
        .await;
    place.due().await;
    assert!(place.message(MAKERS).contains("Kim"));
    assert_eq!(updates(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_channel_says_that_a_newer_run_was_the_reason_or_who_answered_elsewhere() {
    let decided = State::Decided {
        decision: Decision {
            id: DecisionId::from_random([7; 12]),
            verdict: Verdict::Reject,
            at: BEGINNING,
            newer: Some("2d6f3c1a-52ee-4c1a-9a55-0f3f2b1c7d10".parse().unwrap()),
        },
        delivered_at: BEGINNING,
    };
    let elsewhere = State::Elsewhere {
        at: BEGINNING,
        verdict: Some(Verdict::Approve),
        by: Some("arn:aws:iam::123456789012:user/kim".to_owned()),
    };
    for (state, title, told) in [
        (
            decided,
            "Rejected: site-release",
            "the newer execution 2d6f3c1a-52ee-4c1a-9a55-0f3f2b1c7d10 waits",
        ),
        (
            elsewhere,
            "Approved elsewhere: site-release",
            "through the API by arn:aws:iam::123456789012:user/kim.",
        ),
    ] {
        let place = place("L1");
        place.asked().await;
        place.change(|record| record.state = state).await;
        place.due().await;
        for channel in [MAKERS, DANA] {
            let message = place.message(channel);
            assert!(
                message.contains(title) && message.contains(told),
                "{message}"
            );
        }
    }
}
