//! Reviews of what somebody decided alone: asked for, reminded of, late, and not forgotten.

use shared::{
    approval::{
        decide::Act,
        post::{Due, due},
        request::{State, Verdict},
    },
    port::Clock,
};

use super::scene::{Scene, ruled};

const GLASS: &str =
    r#","breakGlass":{"people":["dana"],"reviewedBy":"bosses","reviewWithinDays":2}"#;

async fn broken() -> Scene {
    let scene = Scene::of(ruled("", GLASS));
    let mut ballot = scene.ballot(0, Verdict::Approve);
    ballot.act = Act::BreakGlass;
    scene.cast(&ballot).await;
    assert!(matches!(scene.record().state, State::Decided { .. }));
    scene
}

#[tokio::test]
async fn reviewers_are_asked_and_reminded_and_the_install_hears_when_they_are_late() {
    let scene = broken().await;
    let record = scene.record();
    assert_eq!(record.recipients.len(), 2, "Kim is not asked before");
    scene.sweep().await;
    let record = scene.record();
    let kim = &record.recipients[2];
    assert_eq!(kim.person.as_str(), "kim");
    let mails = |hours: u64| {
        let now = scene.clock.now() + std::time::Duration::from_secs(3600 * hours);
        due(&record, kim, now)
    };
    assert_eq!(mails(0), Some(Due::Review { number: 1 }));
    assert_eq!(mails(25), Some(Due::Review { number: 2 }));
    assert_eq!(mails(39), Some(Due::Review { number: 3 }));
    assert_eq!(mails(48), Some(Due::Review { number: 4 }));
    assert!(!scene.world.mails_asked().is_empty());
    let told = |text: &str| {
        scene
            .world
            .alerts()
            .iter()
            .filter(|(s, t)| s.contains(text) || t.contains(text))
            .count()
    };
    assert_eq!((told("broken-glass"), told("review-overdue")), (1, 0));
    scene.step(49 * 60);
    for _ in 0..3 {
        scene.sweep().await;
    }
    assert_eq!(
        told("review-overdue"),
        1,
        "once: {:?}",
        scene.world.alerts()
    );
    assert_eq!(scene.world.done(), 0, "an open review is not forgotten");
    let audit = scene.world.audit();
    for said in [
        "\"kind\":\"broken-glass\"",
        "\"kind\":\"review-overdue\"",
        "\"reviewers\":[\"kim\"]",
        "\"breakGlass\":true",
    ] {
        assert!(audit.contains(said), "{said}: {audit}");
    }
}

#[tokio::test]
async fn a_closed_review_is_chained_and_the_request_put_away() {
    let scene = broken().await;
    scene.sweep().await;
    let mut record = scene.record();
    let now = scene.clock.now();
    // As Kim's form leaves it.
    record.version += 1;
    let review = record.review.as_mut().unwrap();
    let by = review.by.first().unwrap().clone();
    review.closed = Some(shared::approval::review::Closed {
        by,
        finding: "fine".to_owned(),
        at: now,
    });
    let kim = record.recipients[2].id.clone();
    record.note(
        shared::approval::trail::Kind::Reviewed,
        Some(&kim),
        Some("fine".to_owned()),
        now,
    );
    scene.world.keep(&record);
    scene.step(30 * 60);
    for _ in 0..3 {
        scene.sweep().await;
    }
    let audit = scene.world.audit();
    assert!(
        audit.contains("\"kind\":\"reviewed\"") && audit.contains("\"finding\":\"fine\""),
        "{audit}"
    );
    assert_eq!(scene.world.done(), 1);
}
