//! What CloudTrail saw.

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::approval::request::{State, Verdict};

use super::scene::{Scene, simple};
use crate::event::Woken;

fn seen(name: &str, id: &str, parameters: Value) -> Woken {
    let event = json!({
        "version": "0", "id": "bus-1", "detail-type": "AWS API Call via CloudTrail", "source": "aws.codepipeline",
        "account": "123456789012", "time": "2026-11-23T10:00:00Z", "region": "eu-west-1", "resources": [],
        "detail": {
            "eventVersion": "1.09", "eventSource": "codepipeline.amazonaws.com", "eventName": name, "eventID": id,
            "eventTime": "2026-11-23T09:59:58Z", "awsRegion": "eu-west-1", "readOnly": false,
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/kim"},
            "requestParameters": parameters,
        },
    });
    Woken::try_from(event).unwrap()
}

fn result(id: &str, summary: &str, status: &str) -> Woken {
    let parameters = json!({
        "pipelineName": "site-release", "stageName": "Release", "actionName": "Approve",
        "result": {"summary": summary, "status": status}, "token": "HIDDEN_DUE_TO_SECURITY_REASONS",
    });
    seen("PutApprovalResult", id, parameters)
}

#[tokio::test]
async fn threat_48_a_result_past_the_functions_is_told_and_recorded_at_once() {
    let scene = Scene::of(simple(1, &["dana@example.com"]));
    scene.world.no_longer_waits();
    scene.world.answer_outside(Verdict::Approve);
    let sweep = scene.sweep_of(&scene.world);
    // EventBridge delivers at least once.
    for _ in 0..3 {
        let event = result("ct-1", "fine by me", "Approved");
        sweep.handle(event, Timestamp::MAX).await.unwrap();
    }
    let alerts = scene.world.alerts();
    assert_eq!(
        alerts[0].0,
        "[Release] site-release: approval answered past its rule"
    );
    assert!(
        alerts[0]
            .1
            .contains("By: arn:aws:iam::123456789012:user/kim"),
        "{}",
        alerts[0].1
    );
    let audit = scene.world.audit();
    assert_eq!(
        audit.matches("\"kind\":\"out-of-band\"").count(),
        1,
        "{audit}"
    );
    assert!(audit.contains("\"cloudTrailEvent\":\"ct-1\""), "{audit}");
    assert!(
        matches!(scene.record().state, State::Elsewhere { .. }),
        "no minute has to pass"
    );
}

#[tokio::test]
async fn our_own_result_is_witnessed_and_alarms_nobody() {
    let scene = Scene::of(simple(1, &["dana@example.com"]));
    scene.vote(0, Verdict::Approve).await;
    let summary = scene.world.results()[0].1.clone();
    let sweep = scene.sweep_of(&scene.world);
    let event = result("ct-2", &summary, "Approved");
    sweep.handle(event, Timestamp::MAX).await.unwrap();
    assert_eq!(scene.world.alerts().len(), 0);
    assert!(scene.world.audit().contains("\"kind\":\"witnessed\""));
    // The same words with another result are not ours.
    let event = result("ct-3", &summary, "Rejected");
    sweep.handle(event, Timestamp::MAX).await.unwrap();
    assert_eq!(scene.world.alerts().len(), 1);
}

#[tokio::test]
async fn threat_48_an_overridden_condition_is_told_and_recorded() {
    let scene = Scene::of(simple(1, &["dana@example.com"]));
    let parameters = json!({"pipelineName": "site-release", "stageName": "Release", "conditionType": "BEFORE_ENTRY"});
    let event = seen("OverrideStageCondition", "ct-4", parameters);
    let sweep = scene.sweep_of(&scene.world);
    sweep.handle(event, Timestamp::MAX).await.unwrap();
    assert_eq!(
        scene.world.alerts()[0].0,
        "[Release] site-release: stage condition overridden"
    );
    assert!(
        scene
            .world
            .audit()
            .contains("\"kind\":\"condition-overridden\"")
    );
    assert_eq!(scene.record().state, State::Open);
}
