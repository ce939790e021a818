//! Requests that newer executions have overtaken: who gives way, in which mode, told and recorded.

use jiff::Timestamp;
use shared::{
    approval::{
        booth::Voted,
        decide::Refusal,
        facts::{Mode, SourceOutput},
        history::{Deploy, Past, Run, RunStatus, Work},
        post::{Due, due},
        request::{State, Verdict},
        rules::Rule,
    },
    id::ExecutionId,
    port::Clock,
};
use shared_testkit::{Fate, FixedClock, Plan, failing};

use super::scene::{Scene, another, ruled};
use crate::event::Woken;

const NEWER: &str = "9f0c3a52-6a0e-4b8c-9a55-000000000099";
const REJECT: &str = r#","whenNewerWaits":"reject""#;

fn newer() -> ExecutionId {
    NEWER.parse().unwrap()
}

fn scene(rule: Rule, mode: Option<Mode>) -> Scene {
    let clock = FixedClock::default();
    let mut request = another(7, clock.now());
    request.facts.mode = mode;
    Scene::with(request, rule, clock)
}

fn run(execution: &ExecutionId, stage: &str, action: &str, work: Work, at: Timestamp) -> Run {
    Run {
        execution: execution.clone(),
        stage: stage.to_owned(),
        action: action.to_owned(),
        status: match action {
            "Approve" => RunStatus::InProgress,
            _ => RunStatus::Succeeded,
        },
        work,
        artifacts: Vec::new(),
        started: at,
        updated: at,
    }
}

fn fetched(execution: &ExecutionId, branch: &str, at: Timestamp) -> Run {
    let output = SourceOutput {
        action: "Fetch".to_owned(),
        artifacts: vec!["Site".to_owned()],
        variables: [("CommitId", execution.as_str()), ("BranchName", branch)]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
    };
    run(execution, "Source", "Fetch", Work::Source(output), at)
}

/// The scene's own execution, and one that fetched this branch a minute later.
fn past(scene: &Scene, branch: &str) -> Past {
    let own = &scene.request.execution;
    let at = scene.request.asked_at;
    let later = at + jiff::SignedDuration::from_mins(1);
    Past {
        runs: vec![
            fetched(own, "main", at),
            run(own, "Release", "Approve", Work::Other, at),
            fetched(&newer(), branch, later),
        ],
        ..Past::default()
    }
}

fn behind(scene: &Scene) -> Past {
    Past {
        inbound: vec![newer()],
        ..past(scene, "main")
    }
}

fn beside(scene: &Scene, branch: &str) -> Past {
    let mut past = past(scene, branch);
    let at = scene.request.asked_at + jiff::SignedDuration::from_mins(2);
    past.runs
        .push(run(&newer(), "Release", "Approve", Work::Other, at));
    past
}

#[tokio::test]
async fn g9_a_request_that_a_newer_execution_made_obsolete_is_rejected_once_told_and_recorded() {
    let scene = scene(ruled("", REJECT), Some(Mode::Superseded));
    scene.sweep().await;
    assert_eq!(scene.record().state, State::Open, "nothing newer waits");
    scene.world.remembers(behind(&scene));
    scene.step(1);
    scene.sweep().await;
    let results = scene.world.results();
    let [(Verdict::Reject, summary)] = &results[..] else {
        panic!("{results:?}");
    };
    assert!(
        summary.contains(NEWER) && summary.contains("\"strict\""),
        "{summary}"
    );
    let record = scene.record();
    let State::Decided { decision, .. } = &record.state else {
        panic!("{:?}", record.state);
    };
    assert_eq!(decision.newer, Some(newer()));
    assert!(
        decision.without_votes().unwrap().contains(NEWER),
        "{decision:?}"
    );
    for who in &record.recipients {
        assert_eq!(due(&record, who, scene.clock.now()), Some(Due::Outcome));
    }
    scene.step(1);
    scene.sweep().await;
    assert_eq!(scene.world.results().len(), 1, "once");
    let audit = scene.world.audit();
    for part in [
        "\"kind\":\"overtaken\"",
        &format!("\"newerExecution\":\"{NEWER}\""),
    ] {
        assert!(audit.contains(part), "{part}: {audit}");
    }
}

#[tokio::test]
async fn g9_each_mode_gives_way_only_where_a_newer_execution_may_overtake() {
    type Look = fn(&Scene) -> Past;
    let cases: [(&str, &str, Option<Mode>, Look, bool); 9] = [
        ("waits behind", REJECT, Some(Mode::Superseded), behind, true),
        ("no option", "", Some(Mode::Superseded), behind, false),
        (
            "in words",
            r#","whenNewerWaits":"ask""#,
            Some(Mode::Superseded),
            behind,
            false,
        ),
        ("each its turn", REJECT, Some(Mode::Queued), behind, false),
        ("mode unknown", REJECT, None, behind, false),
        (
            "the stage is shut",
            REJECT,
            Some(Mode::Superseded),
            |s| Past {
                shut: true,
                ..behind(s)
            },
            false,
        ),
        (
            "same branch",
            REJECT,
            Some(Mode::Parallel),
            |s| beside(s, "main"),
            true,
        ),
        (
            "other branch",
            REJECT,
            Some(Mode::Parallel),
            |s| beside(s, "feature"),
            false,
        ),
        (
            "not there yet",
            REJECT,
            Some(Mode::Parallel),
            |s| past(s, "main"),
            false,
        ),
    ];
    for (what, option, mode, look, rejected) in cases {
        let scene = scene(ruled("", option), mode);
        scene.world.remembers(look(&scene));
        scene.sweep().await;
        let gone = matches!(scene.record().state, State::Decided { .. });
        assert_eq!(gone, rejected, "{what}: {:?}", scene.record().state);
    }
}

/// Enough have agreed, and it waits for the hours.
#[tokio::test]
async fn g9_what_was_approved_ahead_gives_way_to_nothing() {
    let office = r#""calendars":{"office":{"timeZone":"Europe/Berlin",
        "hours":[{"days":["mon"],"from":"03:00","until":"03:01"}]}},"#;
    let parts = format!(r#","hours":"office","approveAhead":true{REJECT}"#);
    let scene = scene(ruled(office, &parts), Some(Mode::Superseded));
    scene.vote(0, Verdict::Approve).await;
    scene.world.remembers(behind(&scene));
    scene.sweep().await;
    assert_eq!(scene.record().state, State::Open);
    assert_eq!(scene.world.results(), []);
}

#[tokio::test]
async fn g9_a_crash_at_any_call_rejects_it_once() {
    let mut reached = 0;
    for fate in Fate::BAD {
        for at in 0..10 {
            let scene = scene(ruled("", REJECT), Some(Mode::Superseded));
            scene.world.remembers(behind(&scene));
            let plan = Plan::new(failing::Mode::At(at, fate));
            let broken = scene.sweep_of(&scene.world.under(&plan));
            let work = broken.handle(Woken::Minute, Timestamp::MAX);
            let cut = std::time::Duration::from_millis(20);
            drop(tokio::time::timeout(cut, work).await);
            reached = reached.max(plan.calls().len());
            scene.step(1);
            scene.sweep().await;
            scene.step(1);
            scene.sweep().await;
            let results = scene.world.results();
            assert_eq!(results.len(), 1, "{fate:?} at {at}: {results:?}");
            let state = scene.record().state;
            assert!(
                matches!(&state, State::Decided { decision, .. } if decision.newer.is_some()),
                "{fate:?} at {at}: {state:?}"
            );
        }
    }
    assert!(
        reached >= 7,
        "list twice, load, look, past, replace, put: {reached}"
    );
}

#[tokio::test]
async fn g7_what_is_deployed_how_it_ended_last_and_where_a_rollback_leads_are_what_you_sign() {
    let earlier: ExecutionId = "7f0c3a52-6a0e-4b8c-9a55-000000000001".parse().unwrap();
    let scene = scene(ruled("", ""), Some(Mode::Superseded));
    let before = scene.request.asked_at - jiff::SignedDuration::from_hours(9);
    let at = |minutes| before + jiff::SignedDuration::from_mins(minutes);
    let deploy = |what: &str, at| {
        let deploy = Deploy {
            provider: "CloudFormation".to_owned(),
            what: Some(what.to_owned()),
            region: None,
            account: None,
        };
        run(&earlier, "Release", "Deploy", Work::Deploy(deploy), at)
    };
    let mut known = past(&scene, "main");
    known.runs.truncate(2);
    known.runs.push(fetched(&earlier, "main", at(0)));
    known.runs.push(deploy("stack site", at(2)));
    scene.world.remembers(known.clone());
    scene.sweep().await;

    let steps: [(&str, Vec<Run>, Vec<ExecutionId>); 3] = [
        (
            "what is deployed",
            vec![deploy("stack shop", at(3))],
            vec![],
        ),
        (
            "how it ended last",
            vec![Run {
                status: RunStatus::Failed,
                ..deploy("stack shop", at(4))
            }],
            vec![],
        ),
        ("what waits", vec![], vec![newer()]),
    ];
    for (what, runs, inbound) in steps {
        let seen = scene.ballot(0, Verdict::Approve);
        known.runs.extend(runs);
        if !inbound.is_empty() {
            known.runs.extend(past(&scene, "main").runs.pop());
        }
        known.inbound = inbound;
        scene.world.remembers(known.clone());
        scene.step(5);
        scene.sweep().await;
        let voted = scene.cast(&seen).await;
        assert!(
            matches!(voted, Voted::Refused(Refusal::Changed)),
            "{what}: {voted:?}"
        );
        let digest = scene.record().snapshot_digest();
        assert!(scene.world.audit().contains(&digest), "{what}");
    }
    let counted = scene.vote(0, Verdict::Approve).await;
    assert!(matches!(counted, Voted::Decided(_)), "{counted:?}");
}

#[tokio::test]
async fn a_past_that_no_longer_reaches_back_takes_nothing_away() {
    let scene = scene(ruled("", ""), Some(Mode::Superseded));
    let mut record = scene.record();
    record.version += 1;
    record.request.facts.history =
        shared_testkit::approval::sample_history(record.request.asked_at);
    let known = record.request.facts.history.clone();
    shared::approval::port::ApprovalStore::replace(&scene.world, &record)
        .await
        .unwrap();
    scene.world.remembers(Past::default());
    scene.sweep().await;
    assert_eq!(scene.record().request.facts.history, known);
    scene.world.remembers(behind(&scene));
    scene.sweep().await;
    let told = scene.record().request.facts.history;
    assert_eq!(told.newer[0].execution, newer());
    assert_eq!((told.current, told.deploys), (known.current, known.deploys));
}
