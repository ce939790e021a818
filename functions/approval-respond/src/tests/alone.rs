//! Deciding alone in an emergency, and the review that it leaves behind.

use shared::approval::{
    http::HttpAnswer,
    request::{State, Verdict},
    trail::Kind,
};

use super::scene::{Scene, get, post, scene_by, shown};

/// Dana wrote the change and may break the glass; Lee reviews.
const GLASS: &str = r#""needs":[{"group":"makers","approvals":2}],
    "breakGlass":{"people":["dana"],"reviewedBy":"makers","reviewWithinDays":3}"#;

/// Four-eyes is on and two are needed: neither holds in an emergency.
fn scene() -> Scene {
    scene_by(GLASS)
}

async fn send(scene: &Scene, at: usize, intent: &str, fields: &[(&str, &str)]) -> HttpAnswer {
    let token = scene.invitations[at].token.clone();
    let page = scene.send(&get(&token)).await;
    let mut all = vec![("intent", intent)];
    all.extend(fields);
    scene.send(&post(&shown(&token, &page, None), &all)).await
}

fn code(scene: &Scene, at: usize) -> String {
    scene.invitations[at].code.clone()
}

#[tokio::test]
async fn one_person_decides_alone_with_a_reason_and_somebody_else_reviews_it() {
    let scene = scene();
    let (dana, lee) = (code(&scene, 0), code(&scene, 1));
    assert!(
        scene
            .text(0)
            .await
            .contains("Approve alone, in an emergency")
    );
    assert!(!scene.text(1).await.contains("break-glass"));
    let glass = ("verdict", "break-glass");
    let silent = send(&scene, 0, "decide", &[glass, ("code", &dana)]).await;
    assert_eq!(silent.status, 422);
    assert!(silent.body.contains("Say what the emergency is"));
    let reason = ("comment", "shop is down");
    let bare = send(&scene, 0, "decide", &[glass, reason]).await;
    assert_eq!(bare.status, 422, "the second factor of the level");
    let wrong = send(&scene, 0, "decide", &[glass, reason, ("code", "QQQQ-QQQQ")]).await;
    assert_eq!(wrong.status, 422);
    let lees = send(&scene, 1, "decide", &[glass, reason, ("code", &lee)]).await;
    assert_eq!(lees.status, 403);
    assert!(
        lees.body.contains("not among those who may decide alone"),
        "{}",
        lees.body
    );
    assert_eq!(scene.world.results(), []);
    let done = send(&scene, 0, "decide", &[glass, reason, ("code", &dana)]).await;
    assert_eq!(done.status, 303);
    let (verdict, summary) = scene.world.results()[0].clone();
    assert_eq!(verdict, Verdict::Approve);
    assert!(
        summary.contains(
            "alone in an emergency, to be reviewed by makers. By dana@example.com. shop is down"
        ),
        "{summary}"
    );
    let record = scene.world.records().remove(0);
    assert!(matches!(record.state, State::Decided { .. }));
    let review = record.open_review().expect("a review is left behind");
    assert_eq!(
        review.due_at.duration_since(review.opened_at).as_hours(),
        72
    );
    assert!(record.trail.iter().any(|e| e.kind == Kind::BrokenGlass) && Kind::BrokenGlass.alarms());

    // Whoever decided does not review it.
    assert!(!scene.text(0).await.contains("Close the review"));
    let own = send(&scene, 0, "review", &[("comment", "fine"), ("code", &dana)]).await;
    assert_eq!(own.status, 403);
    let page = scene.text(1).await;
    assert!(
        page.contains("Dana decided alone, in an emergency") && page.contains("Close the review")
    );
    let finding = ("comment", "restored, tests added");
    for (fields, status) in [
        (&[("code", lee.as_str())][..], 422),
        (&[finding], 422),
        (&[finding, ("code", "QQQQ-QQQQ")], 422),
        (&[finding, ("code", lee.as_str())], 303),
    ] {
        assert_eq!(
            send(&scene, 1, "review", fields).await.status,
            status,
            "{fields:?}"
        );
    }
    let record = scene.world.records().remove(0);
    assert!(record.open_review().is_none());
    let closed = record.review.unwrap().closed.unwrap();
    assert_eq!(
        (closed.by.as_str(), closed.finding.as_str()),
        ("lee", finding.1)
    );
    let text = scene.text(0).await;
    assert!(
        text.contains("lee looked at it on") && text.contains(finding.1),
        "{text}"
    );
    assert!(!scene.text(1).await.contains("Close the review"));
    assert_eq!(scene.world.results().len(), 1);
}

#[tokio::test]
async fn a_veto_holds_against_an_emergency() {
    let scene = scene_by(
        r#""needs":[{"group":"makers","approvals":2}],"veto":["security"],
        "breakGlass":{"people":["dana"],"reviewedBy":"makers"}"#,
    );
    // Kim is between Dana and Lee.
    let kim = code(&scene, 1);
    let reject = [
        ("verdict", "reject"),
        ("comment", "no"),
        ("code", kim.as_str()),
    ];
    assert_eq!(send(&scene, 1, "decide", &reject).await.status, 303);
    assert_eq!(scene.world.results()[0].0, Verdict::Reject);
    let dana = code(&scene, 0);
    let glass = [
        ("verdict", "break-glass"),
        ("comment", "x"),
        ("code", dana.as_str()),
    ];
    assert_eq!(send(&scene, 0, "decide", &glass).await.status, 403);
    assert!(scene.world.records().remove(0).review.is_none());
}
