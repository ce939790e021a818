//! After a revocation: whoever may have a new link is mailed one, and the old one stays dead.

use shared::{
    approval::{
        decide,
        post::{Due, due},
        request::{State, Verdict},
        settings::Revocation,
    },
    port::Clock,
};

use super::scene::{Scene, simple};
use crate::event::Woken;

/// Dana and Lee were asked at 03:04:05; half an hour later this is revoked, and the sweep looks twice.
async fn after(entry: &str) -> Scene {
    let scene = Scene::of(simple(2, &["dana@example.com", "lee@example.com"]));
    scene.step(30);
    for _ in 0..2 {
        revoke(&scene, entry).await;
    }
    scene
}

async fn revoke(scene: &Scene, entry: &str) {
    let mut sweep = scene.sweep_of(&scene.world);
    sweep.settings.revoked = std::iter::once(entry.parse::<Revocation>().unwrap()).collect();
    let max = jiff::Timestamp::MAX;
    sweep.handle(Woken::Minute, max).await.unwrap();
}

#[tokio::test]
async fn threat_39_whose_link_is_revoked_gets_a_new_one_and_the_old_one_is_dead() {
    let id = Scene::of(simple(1, &["dana@example.com"])).request.id;
    let approval = format!("approval:{id}@2026-01-02T03:20:00Z");
    let for_good = format!("approval:{id}");
    for (entry, anew) in [
        ("before:2026-01-02T03:20:00Z", [true, true]),
        ("key:k1", [true, true]),
        (approval.as_str(), [true, true]),
        (
            "person:Dana@example.com@2026-01-02T03:20:00Z",
            [true, false],
        ),
        // Made after that, not revoked, or revoked for good.
        ("before:2026-01-02T03:04:05Z", [false, false]),
        ("key:k2", [false, false]),
        (for_good.as_str(), [false, false]),
        ("person:dana@example.com", [false, false]),
        // What is to come holds no new link either.
        ("before:2026-01-02T03:50:00Z", [false, false]),
    ] {
        let old = Scene::of(simple(2, &["dana@example.com", "lee@example.com"])).record();
        let scene = after(entry).await;
        let record = scene.record();
        for (at, anew) in anew.into_iter().enumerate() {
            let who = &record.recipients[at];
            assert_eq!(who.renewals, u8::from(anew), "{entry} {at}");
            let mail = due(&record, who, scene.clock.now());
            assert_eq!(mail, anew.then_some(Due::Invitation), "{entry} {at}");
            let (link, digest) = (&old.recipients[at].links[0].id, old.request.link_digest());
            let opens = decide::admit(&record, &who.id, link, &digest).is_ok();
            assert_eq!(opens, !anew, "{entry} {at}");
        }
        let asked = scene.world.mails_asked().len();
        assert_eq!(asked > 0, anew[0], "{entry}");
        let told = scene.world.audit().matches("links-renewed").count();
        let all = anew.iter().filter(|anew| **anew).count();
        assert_eq!(told, all, "{entry}: once each");
    }
}

#[tokio::test]
async fn who_has_answered_or_is_locked_out_is_not_asked_anew() {
    let scene = Scene::of(simple(2, &["dana@example.com", "lee@example.com"]));
    scene.vote(0, Verdict::Approve).await;
    let mut record = scene.record();
    record.recipients[1].wrong_codes = 5;
    record.recipients[1].lock_told = true;
    scene.world.keep(&record);
    scene.step(30);
    revoke(&scene, "before:2026-01-02T03:20:00Z").await;
    assert_eq!(scene.world.mails_asked(), []);
    assert!(scene.record().recipients.iter().all(|r| r.renewals == 0));
}

#[tokio::test]
async fn whoever_had_a_mail_hears_how_it_ended_although_the_link_was_revoked_since() {
    let scene = after("key:k1").await;
    let mut record = scene.record();
    let now = scene.clock.now();
    record.state = State::Superseded { at: now };
    for who in &record.recipients {
        assert_eq!(due(&record, who, now), Some(Due::Outcome));
    }
}
