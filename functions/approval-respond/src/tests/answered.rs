//! Where a form leads: off the link's address.

use shared::approval::http::{HttpAnswer, HttpRequest};

use super::scene::{BASE, Scene, get, scene};

async fn answered(scene: &Scene, cookie: &str) -> HttpAnswer {
    let request = HttpRequest {
        path: "/answered".to_owned(),
        cookies: vec![cookie.to_owned()],
        ..get("")
    };
    scene.send(&request).await
}

#[tokio::test]
async fn threat_21_after_the_form_no_address_holds_the_link() {
    let scene = scene();
    let token = &scene.invitations[0].token;
    let voted = scene.vote(0, "approve").await;
    let own = format!("{BASE}/answered");
    assert_eq!(
        (voted.status, voted.header("location")),
        (303, Some(own.as_str()))
    );
    let (cookie, scope) = voted.cookies[0].split_once(';').unwrap();
    assert_eq!(cookie, format!("__Host-stagewright_answered={token}"));
    assert_eq!(
        scope,
        " Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=900"
    );
    let page = answered(&scene, cookie).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Approved on "), "{}", page.body);
    assert!(!page.body.contains(token.as_str()), "{}", page.body);
    assert_eq!(scene.world.results().len(), 1);
}

#[tokio::test]
async fn threat_42_the_address_behind_the_form_is_useless_alone() {
    let scene = scene();
    scene.vote(0, "approve").await;
    let reads = scene.world.plan.calls();
    for cookie in [
        "",
        "__Host-stagewright_answered",
        "stagewright_answered=planted",
    ] {
        let page = answered(&scene, cookie).await;
        assert_eq!(page.status, 404, "{cookie}");
        assert!(
            page.body.contains("Open the link from the mail"),
            "{cookie}"
        );
    }
    let forged = answered(
        &scene,
        "__Host-stagewright_answered=v4.public.planted.planted",
    )
    .await;
    let foreign = scene.send(&get("v4.public.planted.planted")).await;
    assert_eq!((forged.status, &forged.body), (403, &foreign.body));
    assert_eq!(scene.world.plan.calls(), reads, "nothing was read for them");
}
