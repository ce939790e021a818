//! Who opened the page when: noted once in an hour, a machine never as the person, and nothing depends on it.

use std::time::Duration;

use serde_json::Value;
use shared::approval::{audit::tell, http::HttpRequest, trail::Kind};
use shared_testkit::{Fate, Mode, Plan};

use super::{
    scene::{BASE, Scene, get, page_at, scene},
    sign_in::{Jar, place},
};

/// What an auditor reads of views.
fn noted(scene: &Scene) -> Vec<(Kind, Value)> {
    let record = scene.world.records().remove(0);
    let views = [Kind::LinkOpened, Kind::Viewed];
    let entries = record.trail.iter().filter(|e| views.contains(&e.kind));
    entries
        .map(|e| (e.kind, tell::tell(&record, e).what.into()))
        .collect()
}

async fn open(scene: &Scene, method: &str, agent: &str) -> u16 {
    let request = HttpRequest {
        method: method.to_owned(),
        headers: vec![("user-agent".to_owned(), agent.to_owned())],
        source: "203.0.113.7".parse().ok(),
        ..get(&scene.invitations[0].token)
    };
    // Not through an event, whose address is another.
    scene.page.handle(&request).await.status
}

#[tokio::test]
async fn opened_links_are_noted_without_a_person_once_in_an_hour() {
    let scene = scene();
    assert_eq!(open(&scene, "HEAD", "probe").await, 200);
    assert_eq!(noted(&scene), [], "who asks for the head sees nothing");
    for agent in ["scanner", "browser", "scanner"] {
        assert_eq!(open(&scene, "GET", agent).await, 200);
    }
    let [(Kind::LinkOpened, what)] = &noted(&scene)[..] else {
        panic!("{:?}", noted(&scene));
    };
    for (name, value) in [
        ("linkOf", "dana@example.com"),
        ("ip", "203.0.113.0/24"),
        ("agent", "scanner"),
        ("channel", "page"),
    ] {
        assert_eq!(what[name], value);
    }
    assert_eq!(
        (&what["person"], &what["address"]),
        (&Value::Null, &Value::Null)
    );
    scene.clock.step(Duration::from_secs(3600));
    open(&scene, "GET", "browser").await;
    assert_eq!(noted(&scene).len(), 2);
    let told = format!("{:?}", noted(&scene));
    for secret in [&scene.invitations[0].token, &scene.invitations[0].code] {
        assert!(!told.contains(secret.as_str()));
    }
}

/// At level L3 it is known who looks.
#[tokio::test]
async fn a_view_counts_as_the_persons_once_they_have_signed_in() {
    let place = place();
    let mut jar = Jar::default();
    place.open(&mut jar, 0).await;
    place.sign_in(&mut jar, 0, "dana@example.com").await;
    for _ in 0..2 {
        assert_eq!(place.open(&mut jar, 0).await.status, 200);
    }
    let noted = noted(&place.scene);
    let kinds: Vec<Kind> = noted.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [Kind::LinkOpened, Kind::Viewed]);
    assert_eq!(noted[1].1["person"], "dana");
}

#[tokio::test]
async fn the_page_is_shown_although_its_view_cannot_be_noted() {
    for fate in [Fate::FailBefore, Fate::FailAfter] {
        let scene = scene();
        let broken = scene.world.under(&Plan::new(Mode::At(1, fate)));
        let page = page_at(&broken, &scene.clock, BASE);
        let answer = page.handle(&get(&scene.invitations[0].token)).await;
        assert_eq!(answer.status, 200, "{fate:?}");
        assert!(answer.body.contains("<form"), "{fate:?}");
    }
}

#[tokio::test]
async fn what_is_over_is_looked_at_without_a_note() {
    let scene = scene();
    scene.vote(0, "approve").await;
    let before = noted(&scene).len();
    scene.clock.step(Duration::from_secs(7200));
    assert_eq!(open(&scene, "GET", "browser").await, 200);
    assert_eq!(noted(&scene).len(), before);
}
