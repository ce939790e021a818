//! Who may decide, as the page tells it.

use shared::approval::request::{State, Verdict};
use shared_testkit::{
    approval::{sample_history, sample_request},
    time::BEGINNING,
};

use super::scene::{BASE, post, scene, scene_by, scene_of};

#[tokio::test]
async fn one_rejection_decides() {
    let three = ["dana@example.com", "lee@example.com", "kim@example.com"];
    let scene = scene_of(4, BASE, sample_request(BEGINNING), 2, &three);
    assert_eq!(scene.vote(0, "approve").await.status, 303);
    assert_eq!(scene.vote(1, "reject").await.status, 303);
    let results = scene.world.results();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].0, Verdict::Reject);
    assert!(
        results[0].1.ends_with("By lee@example.com. not today"),
        "{}",
        results[0].1
    );
    assert!(scene.text(2).await.contains("Rejected on"));
}

#[tokio::test]
async fn threat_35_nobody_approves_their_own_change() {
    let scene = scene_by(r#""needs":[{"group":"makers","approvals":1}]"#);
    let answer = scene.vote(0, "approve").await;
    assert_eq!(answer.status, 403);
    let why =
        "Dana wrote this change, and the rule &#34;strict&#34; wants somebody else to approve.";
    assert!(answer.body.contains(why), "{}", answer.body);
    let record = &scene.world.records()[0];
    assert!(record.votes.is_empty() && record.state == State::Open);
    // Rejecting is not approving, and Lee wrote nothing.
    assert_eq!(scene.vote(1, "approve").await.status, 303);
    assert_eq!(scene.world.results()[0].0, Verdict::Approve);
    let summary = &scene.world.results()[0].1;
    assert!(
        summary.contains("rule \"strict\". By lee@example.com."),
        "{summary}"
    );
    let scene = scene_by(r#""needs":[{"group":"makers","approvals":1}]"#);
    assert_eq!(scene.vote(0, "reject").await.status, 303);
    assert_eq!(scene.world.results()[0].0, Verdict::Reject);
}

#[tokio::test]
async fn a_newer_run_may_be_let_through() {
    let mut request = sample_request(BEGINNING);
    request.facts.history = sample_history(BEGINNING);
    let scene = scene_of(1, BASE, request, 1, &["dana@example.com"]);
    let page = scene.text(0).await;
    for told in [
        "A newer run waits behind this one",
        "77aa01be \u{201c}Fix the price of the country loaf\u{201d}",
        "Make the header readable on phones",
        "9b1d20aa",
        "CloudFormation stack corner-bakery-live",
        "3f2a9c10, since Wed 31 Dec 2025, 01:04 UTC. A rollback leads here.",
        "Failed on Thu 1 Jan 2026, 01:04 UTC",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    let shown = scene.open(0).await;
    let code = scene.invitations[0].code.clone();
    let fields = [
        ("intent", "decide"),
        ("verdict", "make-way"),
        ("code", code.as_str()),
    ];
    assert_eq!(scene.send(&post(&shown, &fields)).await.status, 303);
    let (verdict, summary) = scene.world.results()[0].clone();
    assert_eq!(verdict, Verdict::Reject);
    assert!(summary.ends_with("Makes way for a newer run."), "{summary}");
}

#[tokio::test]
async fn threat_36_every_group_of_a_rule_is_met_on_its_own() {
    let scene = scene_by(
        r#""needs":[{"group":"makers","approvals":1},{"group":"security","approvals":1}],
        "fourEyes":{"authors":false,"trigger":false},"inOrder":true"#,
    );
    let early = scene.vote(1, "approve").await;
    assert_eq!(early.status, 403);
    assert!(
        early
            .body
            .contains("makers answers first and still lacks 1 approval"),
        "{}",
        early.body
    );
    assert_eq!(scene.vote(0, "approve").await.status, 303);
    assert_eq!(scene.vote(2, "approve").await.status, 303);
    assert_eq!(scene.world.results(), []);
    let text = scene.text(0).await;
    for said in [
        "strict: 1 of makers, then 1 of security; one rejection decides",
        "Still needed: 1 more approval of security (kim).",
        "2 approvals; 1 more approval of security (kim)",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_eq!(scene.vote(1, "approve").await.status, 303);
    assert_eq!(scene.world.results()[0].0, Verdict::Approve);
}

#[tokio::test]
async fn threat_15_what_happened_elsewhere_is_told() {
    let told = scene();
    told.world.answer_outside(Verdict::Reject);
    let answer = told.vote(0, "approve").await;
    assert_eq!(answer.status, 409);
    assert!(
        answer
            .body
            .contains("rejected or stopped outside of this page"),
        "{}",
        answer.body
    );
    let retried = scene();
    retried.world.retry_stage();
    let answer = retried.vote(0, "approve").await;
    assert_eq!(answer.status, 409);
    assert!(answer.body.contains("No longer waiting") && !answer.body.contains("<form"));
}
