//! Level L1: two links, each for one answer, and what happens when both are used at once.

use std::time::Duration;

use shared::approval::{
    http::HttpAnswer,
    request::{State, Verdict},
};

use super::scene::{Scene, get, post, scene_by, shown};

const L1: &str = r#""needs":[{"group":"makers","approvals":1}],"fourEyes":{"trigger":false,"authors":false},"level":"L1""#;

fn rejecting(scene: &Scene, at: usize) -> String {
    scene.invitations[at]
        .reject
        .clone()
        .expect("L1 has a link that rejects")
}

async fn answer(scene: &Scene, token: &str, verdict: &str) -> HttpAnswer {
    let page = scene.send(&get(token)).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let fields = [
        ("intent", "decide"),
        ("verdict", verdict),
        ("comment", "not today"),
    ];
    scene.send(&post(&shown(token, &page, None), &fields)).await
}

/// Sends what is recorded, as anybody may once the hold is over.
async fn deliver(scene: &Scene, token: &str) -> u16 {
    let page = scene.send(&get(token)).await;
    let shown = shown(token, &page, None);
    scene
        .send(&post(&shown, &[("intent", "deliver")]))
        .await
        .status
}

#[tokio::test]
async fn at_the_lowest_level_a_link_and_a_choice_decide_after_the_hold() {
    let scene = scene_by(L1);
    let approving = scene.invitations[0].token.clone();
    let page = scene.send(&get(&approving)).await.body;
    assert!(page.contains("value=\"approve\" required") && !page.contains("value=\"reject\""));
    assert!(!page.contains("name=\"code\"") && !page.contains(" checked"));
    assert_eq!(
        answer(&scene, &approving, "").await.status,
        422,
        "the choice is not made by opening"
    );
    assert_eq!(answer(&scene, &approving, "approve").await.status, 303);
    assert_eq!(scene.world.results(), [], "held");
    assert_eq!(
        deliver(&scene, &approving).await,
        403,
        "nothing to deliver yet"
    );
    scene.clock.step(Duration::from_secs(10));
    assert_eq!(deliver(&scene, &approving).await, 303);
    assert_eq!(scene.world.results()[0].0, Verdict::Approve);
}

#[tokio::test]
async fn threat_04_both_links_at_once_decide_nothing_and_raise_the_alarm() {
    for second in [0, 9] {
        let scene = scene_by(L1);
        let (approving, rejecting) = (scene.invitations[0].token.clone(), rejecting(&scene, 0));
        assert_eq!(answer(&scene, &approving, "approve").await.status, 303);
        scene.clock.step(Duration::from_secs(second));
        // The page says that it is decided; a scanner kept the form from before.
        let page = scene.send(&get(&rejecting)).await;
        assert!(page.body.contains("Approved"), "{}", page.body);
        let early = scene_by(L1);
        let (a, r) = (
            early.invitations[0].token.clone(),
            early.invitations[0].reject.clone().unwrap(),
        );
        let (first, then) = (early.send(&get(&a)).await, early.send(&get(&r)).await);
        let send = async |token: &str, page: &HttpAnswer, verdict: &str| {
            let fields = [("intent", "decide"), ("verdict", verdict), ("comment", "x")];
            early.send(&post(&shown(token, page, None), &fields)).await
        };
        assert_eq!(send(&a, &first, "approve").await.status, 303);
        early.clock.step(Duration::from_secs(second));
        let both = send(&r, &then, "reject").await;
        assert_eq!(both.status, 409);
        assert!(
            both.body
                .contains("Both links of your mail were used at once"),
            "{}",
            both.body
        );
        let record = &early.world.records()[0];
        assert_eq!(record.state, State::Open);
        assert!(record.votes.is_empty() && record.recipients[0].quarantined_at.is_some());
        early.clock.step(Duration::from_secs(60));
        assert_eq!(deliver(&early, &a).await, 403);
        assert_eq!(send(&a, &first, "approve").await.status, 403, "locked");
        assert_eq!(early.world.results(), []);
        // Somebody else still decides.
        let other = early.invitations[1].token.clone();
        assert_eq!(answer(&early, &other, "approve").await.status, 303);
        early.clock.step(Duration::from_secs(10));
        assert_eq!(deliver(&early, &other).await, 303);
        assert_eq!(early.world.results()[0].0, Verdict::Approve);
    }
}

#[tokio::test]
async fn threat_04_after_the_hold_the_first_answer_stands() {
    let scene = scene_by(L1);
    let (approving, rejecting) = (scene.invitations[0].token.clone(), rejecting(&scene, 0));
    let late = scene.send(&get(&rejecting)).await;
    assert_eq!(answer(&scene, &approving, "approve").await.status, 303);
    scene.clock.step(Duration::from_secs(10));
    let fields = [
        ("intent", "decide"),
        ("verdict", "reject"),
        ("comment", "x"),
    ];
    let refused = scene
        .send(&post(&shown(&rejecting, &late, None), &fields))
        .await;
    assert_eq!(refused.status, 409);
    assert_eq!(deliver(&scene, &approving).await, 303);
    assert_eq!(scene.world.results()[0].0, Verdict::Approve);
}

#[tokio::test]
async fn threat_10_a_link_that_rejects_cannot_approve() {
    let scene = scene_by(L1);
    let (approving, rejecting) = (scene.invitations[0].token.clone(), rejecting(&scene, 0));
    assert_eq!(answer(&scene, &rejecting, "approve").await.status, 403);
    assert_eq!(answer(&scene, &approving, "reject").await.status, 403);
    assert_eq!((scene.world.writes(), scene.world.results().len()), (0, 0));
    assert_eq!(answer(&scene, &rejecting, "reject").await.status, 303);
    scene.clock.step(Duration::from_secs(10));
    assert_eq!(deliver(&scene, &rejecting).await, 303);
    assert_eq!(scene.world.results()[0].0, Verdict::Reject);
}
