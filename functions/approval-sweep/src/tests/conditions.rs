//! Approved ahead, calendars and checks: sent when everything is open, by the clock of the rule.

use jiff::Timestamp;
use shared::approval::{
    request::{State, Verdict},
    rules::evaluate::{CalendarState, GateState},
};
use shared_testkit::FixedClock;

use super::scene::{Scene, another, ruled};

const OFFICE: &str = r#""calendars":{"office":{"timeZone":"Europe/Berlin",
    "hours":[{"days":["mon","tue","wed","thu","fri"],"from":"09:00","until":"17:00"}],"holidays":["2026-04-03"]}},"#;

fn scene_at(now: &str, tops: &str, parts: &str) -> Scene {
    let now: Timestamp = now.parse().unwrap();
    let mut request = another(7, now);
    request.expires_at = now + jiff::SignedDuration::from_hours(10 * 24);
    Scene::with(request, ruled(tops, parts), FixedClock::at(now))
}

/// Minute by minute around the moment; when the result was sent.
async fn sent_at(scene: &Scene, minutes: u64) -> Option<u64> {
    for minute in 0..=minutes {
        if !scene.world.results().is_empty() {
            return Some(minute);
        }
        scene.sweep().await;
        if scene.world.results().is_empty() {
            scene.step(1);
        }
    }
    None
}

#[tokio::test]
async fn approved_ahead_is_sent_when_the_hours_begin_also_across_a_change_of_the_clock() {
    let parts = r#","hours":"office","approveAhead":true"#;
    for (asked, minutes) in [
        // Friday evening before summer time begins on Sunday: Monday 09:00 is 07:00 UTC, an hour less to wait.
        ("2026-03-27T16:30:00Z", 62 * 60 + 30),
        // Friday evening before winter time begins: Monday 09:00 is 08:00 UTC.
        ("2026-10-23T15:30:00Z", 64 * 60 + 30),
        // Good Friday is a holiday: Thursday 18:00 to Monday 09:00.
        ("2026-04-02T16:00:00Z", 87 * 60),
    ] {
        let scene = scene_at(asked, OFFICE, parts);
        scene.vote(0, Verdict::Approve).await;
        assert_eq!(scene.record().state, State::Open, "{asked}");
        // Not a minute before.
        scene.step(minutes - 1);
        assert_eq!(sent_at(&scene, 0).await, None, "{asked}");
        assert_eq!(sent_at(&scene, 3).await, Some(1), "{asked}");
        assert!(
            matches!(scene.record().state, State::Decided { .. }),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn without_approve_ahead_a_vote_outside_of_the_hours_is_refused() {
    let scene = scene_at("2026-03-27T16:30:00Z", OFFICE, r#","hours":"office""#);
    let voted = scene.vote(0, Verdict::Approve).await;
    assert!(
        matches!(voted, shared::approval::booth::Voted::Refused(_)),
        "{voted:?}"
    );
    scene.vote(0, Verdict::Reject).await;
    assert_eq!(scene.world.results().len(), 1, "a rejection needs no hours");
}

#[tokio::test]
async fn freezes_and_change_calendars_hold_back_until_they_are_open() {
    let calendar = "arn:aws:ssm:eu-west-1:123456789012:document/releases";
    let freeze =
        r#""freezes":{"fair":{"from":"2026-11-23T00:00:00Z","until":"2026-11-23T12:00:00Z"}},"#;
    let parts =
        format!(r#","freezes":["fair"],"approveAhead":true,"changeCalendars":["{calendar}"]"#);
    let scene = scene_at("2026-11-23T11:58:00Z", freeze, &parts);
    scene.vote(0, Verdict::Approve).await;
    // Cannot be read: counts as closed.
    scene.step(3);
    assert_eq!(sent_at(&scene, 2).await, None);
    scene
        .machines
        .calendar_is(calendar, CalendarState::Closed { until: None });
    assert_eq!(sent_at(&scene, 2).await, None);
    scene.machines.calendar_is(calendar, CalendarState::Open);
    assert_eq!(sent_at(&scene, 1).await, Some(1));
    assert_eq!(scene.world.results()[0].0, Verdict::Approve);
}

#[tokio::test]
async fn checks_are_looked_at_when_the_people_agree_and_again_at_the_decision() {
    let gates = r#""gates":{"tests":{"function":"tests"}},"#;
    let scene = scene_at("2026-11-23T10:00:00Z", gates, r#","gates":["tests"]"#);
    scene.sweep().await;
    assert_eq!(scene.machines.asked(), 0, "nobody has agreed yet");
    scene.vote(0, Verdict::Approve).await;
    assert_eq!(scene.record().state, State::Open);
    scene.machines.gate_is(
        "tests",
        GateState::Failed {
            why: "2 of 80 failed".to_owned(),
        },
    );
    assert_eq!(sent_at(&scene, 2).await, None);
    assert!(scene.machines.asked() >= 2);
    scene.machines.gate_is("tests", GateState::Passed);
    assert_eq!(sent_at(&scene, 1).await, Some(1));
}

#[tokio::test]
async fn a_rejection_decides_although_a_check_has_not_passed() {
    let gates = r#""gates":{"tests":{"url":"https://tests.example.com/latest"}},"#;
    let scene = scene_at("2026-11-23T10:00:00Z", gates, r#","gates":["tests"]"#);
    scene.vote(0, Verdict::Approve).await;
    scene.vote(1, Verdict::Reject).await;
    assert_eq!(scene.world.results()[0].0, Verdict::Reject);
    assert_eq!(scene.machines.asked(), 0);
}
