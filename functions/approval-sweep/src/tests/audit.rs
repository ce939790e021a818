//! From a request's trail into the chain: nothing lost, nothing twice, whatever fails.

use jiff::Timestamp;
use shared::approval::{
    audit::verify::{Anchors, verify},
    history::{Deploy, Past, Run, RunStatus, Work},
    request::Verdict,
};
use shared_testkit::{Fate, Mode, Plan};

use super::scene::{Scene, simple};
use crate::event::Woken;

fn kinds(audit: &str) -> Vec<String> {
    let kind = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["kind"].as_str().unwrap().to_owned()
    };
    audit.lines().map(kind).collect()
}

async fn decided() -> Scene {
    let scene = Scene::of(simple(2, &["dana@example.com", "lee@example.com"]));
    scene.vote(0, Verdict::Approve).await;
    scene.vote(1, Verdict::Approve).await;
    scene
}

const STORY: [&str; 7] = [
    "asked",
    "mailed",
    "mailed",
    "voted",
    "voted",
    "decided",
    "delivered",
];

#[tokio::test]
async fn the_whole_story_of_a_request_is_chained_and_anchored() {
    let scene = decided().await;
    scene.sweep().await;
    let audit = scene.world.audit();
    assert_eq!(kinds(&audit), STORY);
    let mut anchors = Anchors::default();
    for text in scene.world.anchors().values() {
        anchors.add(text).unwrap();
    }
    assert_eq!(anchors.len(), STORY.len());
    let files = [("chain".to_owned(), audit.clone())];
    assert_eq!(verify(&files, &anchors).unwrap().len(), STORY.len());
    assert!(scene.record().trail.is_empty());
    assert!(audit.contains("\"awsRequest\":\"request-1\""), "{audit}");
    let seen = format!("\"snapshot\":\"{}\"", scene.record().snapshot_digest());
    assert_eq!(
        audit.matches(&seen).count(),
        3,
        "asked, and what both signed"
    );
    for secret in [
        scene.request.token.reveal().as_str(),
        &scene.invitations[0].1.code,
    ] {
        assert!(!audit.contains(secret));
    }
}

#[tokio::test]
async fn a_failure_at_any_call_neither_loses_nor_doubles_a_record() {
    let mut reached = 0;
    for fate in [Fate::FailBefore, Fate::Throttle, Fate::FailAfter] {
        for at in 0..30 {
            let scene = decided().await;
            let plan = Plan::new(Mode::At(at, fate));
            let broken = scene.sweep_of(&scene.world.under(&plan));
            let _ = broken.handle(Woken::Minute, Timestamp::MAX).await;
            reached = reached.max(plan.calls().len());
            scene.step(1);
            scene.sweep().await;
            let audit = scene.world.audit();
            assert_eq!(kinds(&audit), STORY, "{fate:?} at {at}");
            let mut anchors = Anchors::default();
            for text in scene.world.anchors().values() {
                anchors.add(text).unwrap();
            }
            assert_eq!(anchors.len(), STORY.len(), "{fate:?} at {at}");
            let files = [("chain".to_owned(), audit)];
            assert!(verify(&files, &anchors).is_ok(), "{fate:?} at {at}");
        }
    }
    assert!((10..30).contains(&reached), "{reached}");
}

#[tokio::test]
async fn two_sweeps_at_once_chain_everything_once() {
    for seed in 0..20 {
        let scene = decided().await;
        for _ in 0..seed {
            let _: [u8; 1] = shared::approval::port::Entropy::bytes(&scene.world);
        }
        scene.world.interleave();
        let (one, two) = (scene.sweep_of(&scene.world), scene.sweep_of(&scene.world));
        let both = tokio::join!(
            one.handle(Woken::Minute, Timestamp::MAX),
            two.handle(Woken::Minute, Timestamp::MAX)
        );
        assert!(both.0.is_ok() && both.1.is_ok(), "seed {seed}: {both:?}");
        assert_eq!(kinds(&scene.world.audit()), STORY, "seed {seed}");
    }
}

#[tokio::test]
async fn a_new_month_follows_the_old_one() {
    let scene = decided().await;
    scene.sweep().await;
    scene.step(40 * 24 * 60);
    scene.world.keep(&{
        let mut record = scene.record();
        let (kind, now) = (
            shared::approval::trail::Kind::Told,
            shared::port::Clock::now(&scene.clock),
        );
        record.note(kind, None, None, now);
        record
    });
    scene.sweep().await;
    let audit = scene.world.audit();
    let last = audit.lines().last().unwrap();
    assert!(
        last.contains("\"month\":\"2026-02\"") && last.contains("\"seq\":1"),
        "{last}"
    );
    let files = [("chain".to_owned(), audit)];
    assert_eq!(
        verify(&files, &Anchors::default()).unwrap().len(),
        STORY.len() + 1
    );
}

#[tokio::test]
async fn how_the_execution_ended_is_recorded_once() {
    let scene = decided().await;
    let at = |second| Timestamp::from_second(second).unwrap();
    let deploy = |execution: &str, status| Run {
        execution: execution.parse().unwrap(),
        stage: "Release".to_owned(),
        action: "Deploy".to_owned(),
        work: Work::Deploy(Deploy {
            provider: "S3".to_owned(),
            what: Some("bucket site".to_owned()),
            region: None,
            account: None,
        }),
        artifacts: Vec::new(),
        status,
        started: at(1),
        updated: at(2),
    };
    scene.world.remembers(Past {
        runs: vec![
            deploy("e0", RunStatus::Failed),
            deploy(scene.request.execution.as_str(), RunStatus::Succeeded),
        ],
        ..Past::default()
    });
    let sweep = scene.sweep_of(&scene.world);
    for _ in 0..2 {
        let woken = Woken::Change {
            id: "event-1".to_owned(),
            pipeline: scene.request.target.pipeline.clone(),
            execution: scene.request.execution.clone(),
            ended: Some("SUCCEEDED"),
            attempt: Some(2),
        };
        sweep.handle(woken, Timestamp::MAX).await.unwrap();
    }
    let told = kinds(&scene.world.audit());
    assert_eq!(
        told.iter()
            .filter(|kind| *kind == "execution-ended")
            .count(),
        1,
        "{told:?}"
    );
    let audit = scene.world.audit();
    for part in [
        "\"attempt\":2,\"deployed\":[{",
        "\"action\":\"Deploy\"",
        "\"result\":\"Succeeded\"",
    ] {
        assert!(audit.contains(part), "{part}: {audit}");
    }
    assert!(!audit.contains("\"result\":\"Failed\""), "{audit}");
}

#[tokio::test]
async fn where_the_chain_stands_is_mailed_once_a_week_and_that_is_chained() {
    let scene = decided().await;
    let mut sweep = scene.sweep_of(&scene.world);
    sweep.settings.mails_head = true;
    let minute = async || sweep.handle(Woken::Minute, Timestamp::MAX).await.unwrap();
    minute().await;
    minute().await;
    let heads = scene.world.heads_mailed();
    let [head] = &heads[..] else {
        panic!("{heads:?}");
    };
    // 2 January 2026 is a Friday.
    assert_eq!(
        (head.week.as_str(), head.month.as_str()),
        ("2026-W01", "2026-01")
    );
    let audit = scene.world.audit();
    let at = |seq: u64| -> serde_json::Value {
        let line = audit.lines().nth(usize::try_from(seq).unwrap() - 1);
        serde_json::from_str(line.unwrap()).unwrap()
    };
    assert_eq!(at(head.seq)["hash"], head.hash.as_str());
    let next = at(head.seq + 1);
    assert_eq!(
        (&next["kind"], &next["what"]["ofHash"]),
        (&"head-mailed".into(), &head.hash.as_str().into())
    );
    // Monday.
    scene.step(3 * 24 * 60);
    minute().await;
    let weeks: Vec<String> = scene
        .world
        .heads_mailed()
        .into_iter()
        .map(|h| h.week)
        .collect();
    assert_eq!(weeks, ["2026-W01", "2026-W02"]);
}

#[tokio::test]
async fn nobody_is_mailed_the_chain_who_is_not_named() {
    let scene = decided().await;
    scene.sweep().await;
    assert_eq!(scene.world.heads_mailed(), []);
}
