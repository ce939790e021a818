//! Modes, locks and transitions (`codepipeline.md` 3.2 and 3.3).

use engine_plan::{
    event::{Event, RetryMode, SourceRevisionOverride},
    step::Answer,
};
use jiff::SignedDuration;
use serde_json::json;

use crate::harness::{Desk, declared, pipeline, simple, start};

#[test]
fn a_locked_stage_is_superseded_queued_or_shared() {
    for (mode, statuses, running) in [
        ("SUPERSEDED", "InProgress Superseded InProgress", "b b2"),
        ("QUEUED", "InProgress InProgress InProgress", "b b2"),
        (
            "PARALLEL",
            "InProgress InProgress InProgress",
            "b b b b2 b2 b2",
        ),
    ] {
        let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b", "b2"])]);
        definition["executionMode"] = json!(mode);
        let mut desk = Desk::with(declared(definition));
        let ids = [(); 3].map(|()| {
            let id = desk.start();
            desk.succeed("s");
            id
        });
        assert_eq!(desk.statuses(), statuses, "{mode}");
        assert_eq!(desk.running(), running, "{mode}");
        let stage = desk.state.pipelines["p"].stage("Build").unwrap();
        assert_eq!(stage.held_by.is_some(), mode != "PARALLEL");
        // the one in the stage ends, the next enters
        desk.succeed("b");
        desk.fail("b2");
        let next = desk.state.pipelines["p"]
            .stage("Build")
            .unwrap()
            .latest
            .clone();
        let expected = if mode == "QUEUED" { &ids[1] } else { &ids[2] };
        assert_eq!(next.as_ref(), Some(expected), "{mode}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn queued_pipelines_take_fifty_executions() {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"])]);
    definition["executionMode"] = json!("QUEUED");
    let mut desk = Desk::with(declared(definition));
    let ids: Vec<_> = (0..50).map(|_| desk.start()).collect();
    assert!(
        desk.refused(start("p"))
            .starts_with("ConcurrentPipelineExecutionsLimitExceededException")
    );
    // one that waits is stopped at once and makes room
    desk.events();
    desk.stop(&ids[7], false).unwrap();
    assert_eq!(desk.events(), ["pipeline STOPPING", "pipeline STOPPED"]);
    desk.start();
    let waiting = &desk.state.pipelines["p"].stage("Source").unwrap().waiting;
    assert_eq!(waiting.len(), 49);
    assert!(!waiting.contains(&ids[7]));
}

#[test]
fn disabled_transitions_hold_executions() {
    for (stage, inbound) in [("Build", true), ("Source", false)] {
        let mut desk = simple();
        desk.transition(stage, inbound, false);
        desk.start();
        desk.succeed("s");
        let id = desk.start();
        desk.succeed("s");
        assert_eq!(desk.statuses(), "Superseded InProgress");
        assert_eq!(desk.running(), "");
        let state = desk.state.pipelines["p"].stage("Build").unwrap();
        assert_eq!(state.waiting, [id]);
        assert_eq!(state.held_by, None);
        desk.transition(stage, inbound, true);
        assert_eq!(desk.running(), "b b2");
    }
    assert!(
        simple()
            .refused(Event::SetTransition {
                pipeline: "p".to_owned(),
                stage: "Nope".to_owned(),
                inbound: true,
                enabled: true,
                reason: None,
                by: String::new(),
            })
            .starts_with("StageNotFoundException")
    );
}

#[test]
fn an_update_cancels_what_runs() {
    let mut desk = simple();
    desk.transition("Build", true, false);
    desk.start();
    desk.succeed("s");
    desk.start();
    let definition = declared(pipeline(&[("Source", &["s"]), ("Build", &["b"])]));
    desk.events();
    assert_eq!(
        desk.tell(Event::UpdatePipeline { definition }),
        Answer::Version(2)
    );
    assert_eq!(desk.events(), ["pipeline CANCELED"]);
    assert_eq!(desk.statuses(), "Cancelled InProgress");
    desk.succeed("s");
    assert_eq!(
        desk.events(),
        [
            "action Source/s SUCCEEDED",
            "stage Source CANCELED",
            "pipeline CANCELED"
        ]
    );
    // the transition survived, a new execution runs on the new version
    let id = desk.start();
    desk.succeed("s");
    assert_eq!(desk.running(), "");
    desk.transition("Build", true, true);
    assert_eq!(desk.task("b").pipeline_version, 2);
    assert_eq!(
        desk.state.pipelines["p"]
            .execution(&id)
            .unwrap()
            .pipeline_version,
        2
    );
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s3_2_every_source_runs_for_every_execution() {
    let mut desk = Desk::with(declared(pipeline(&[
        ("Source", &["s", "s2"]),
        ("Build", &["b"]),
    ])));
    let mut event = start("p");
    if let Event::Start {
        source_revisions, ..
    } = &mut event
    {
        source_revisions.push(SourceRevisionOverride {
            action_name: "s2".to_owned(),
            revision_type: "S3_OBJECT_VERSION_ID".to_owned(),
            revision_value: "v2".to_owned(),
        });
    }
    desk.tell(event);
    assert_eq!(desk.running(), "s s2");
    assert_eq!(desk.task("s").source_revision, None);
    assert_eq!(
        desk.task("s2").source_revision.unwrap().revision_value,
        "v2"
    );
}

#[test]
fn s3_2_only_waiting_executions_are_superseded() {
    let mut desk = Desk::with(declared(pipeline(&[
        ("Source", &["s"]),
        ("Build", &["b"]),
        ("Deploy", &["b2"]),
    ])));
    // one in each stage: nobody waits, nobody is superseded
    for action in ["b", "", ""] {
        desk.start();
        desk.succeed("s");
        if !action.is_empty() {
            desk.succeed(action);
        }
    }
    desk.start();
    assert_eq!(desk.running(), "b b2 s");
    assert_eq!(
        desk.statuses(),
        "InProgress InProgress InProgress InProgress"
    );
    desk.events();
    desk.succeed("s");
    assert_eq!(
        desk.events(),
        [
            "action Source/s SUCCEEDED",
            "stage Source SUCCEEDED",
            "pipeline SUPERSEDED"
        ]
    );
    assert_eq!(
        desk.statuses(),
        "InProgress InProgress Superseded InProgress"
    );
    let id = desk.state.pipelines["p"].executions[2].id.clone();
    for stage in ["Source", "Build"] {
        let refusal = desk.retry(stage, &id, RetryMode::AllActions).unwrap_err();
        assert_eq!(refusal.exception, "NotLatestPipelineExecutionException");
    }
    assert_eq!(
        desk.stop(&id, true).unwrap_err().exception,
        "PipelineExecutionNotStoppableException"
    );
}

#[test]
fn s3_2_queued_executions_keep_their_order_through_all_stages() {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"]), ("Deploy", &["b2"])]);
    definition["executionMode"] = json!("QUEUED");
    let mut desk = Desk::with(declared(definition));
    desk.transition("Deploy", true, false);
    let ids = [(); 4].map(|()| desk.start());
    for _ in 0..4 {
        desk.succeed("s");
    }
    desk.succeed("b");
    desk.succeed("b");
    desk.succeed("b");
    let waiting = &desk.state.pipelines["p"].stage("Deploy").unwrap().waiting;
    assert_eq!(*waiting, &ids[..3]);
    // the last one overtakes nobody, although its way is free when the gate opens
    desk.succeed("b");
    desk.transition("Deploy", true, true);
    for id in &ids {
        assert_eq!(desk.succeed("b2").execution, *id);
    }
    assert_eq!(desk.statuses(), "Succeeded Succeeded Succeeded Succeeded");
}

#[test]
fn s3_2_a_retry_needs_room_too() {
    for mode in ["QUEUED", "PARALLEL"] {
        let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"])]);
        definition["executionMode"] = json!(mode);
        let mut desk = Desk::with(declared(definition));
        desk.transition("Source", false, false);
        let id = desk.start();
        desk.succeed("s");
        desk.transition("Source", false, true);
        desk.fail("b");
        desk.transition("Source", false, false);
        for _ in 0..50 {
            desk.start();
        }
        let refusal = desk
            .retry("Build", &id, RetryMode::FailedActions)
            .unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "ConcurrentPipelineExecutionsLimitExceededException: The pipeline 'p' has reached the limit of 50 concurrent executions"
        );
    }
}

#[test]
fn s3_2_executions_of_a_former_parallel_definition_go_on() {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"])]);
    definition["executionMode"] = json!("PARALLEL");
    let mut desk = Desk::with(declared(definition.clone()));
    desk.transition("Build", true, false);
    for _ in 0..2 {
        desk.start();
        desk.succeed("s");
    }
    definition["executionMode"] = json!("SUPERSEDED");
    desk.tell(Event::UpdatePipeline {
        definition: declared(definition),
    });
    // the new ones supersede each other, never the old ones
    for _ in 0..2 {
        desk.start();
        desk.succeed("s");
    }
    assert_eq!(
        desk.statuses(),
        "InProgress InProgress Superseded InProgress"
    );
    desk.transition("Build", true, true);
    assert_eq!(desk.running(), "b b b");
    let versions: Vec<_> = desk
        .tasks
        .iter()
        .map(|task| task.pipeline_version)
        .collect();
    assert_eq!(versions, [1, 1, 2]);
    for _ in 0..3 {
        desk.succeed("b");
    }
    assert_eq!(desk.statuses(), "Succeeded Succeeded Superseded Succeeded");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s3_3_nobody_goes_on_after_thirty_disabled_days() {
    for (stage, inbound) in [("Build", true), ("Source", false)] {
        for (more, expected) in [(0, "InProgress"), (1, "Cancelled")] {
            let mut desk = simple();
            desk.transition(stage, inbound, false);
            desk.start();
            desk.succeed("s");
            desk.now += SignedDuration::from_hours(24 * 30) + SignedDuration::from_secs(more);
            desk.events();
            desk.transition(stage, inbound, true);
            assert_eq!(desk.statuses(), expected);
            if more == 0 {
                continue;
            }
            assert_eq!(desk.events(), ["pipeline CANCELED"]);
            let summary = desk.state.pipelines["p"].executions[0]
                .status_summary
                .clone();
            assert_eq!(
                summary.unwrap(),
                "The transition into stage 'Build' was disabled for more than 30 days."
            );
            // a new execution runs through
            desk.start();
            desk.succeed("s");
            assert_eq!(desk.running(), "b b2");
            assert!(desk.replayed() == desk.state);
        }
    }
}

#[test]
fn s3_3_an_inbound_execution_is_stopped_but_never_retried() {
    let mut desk = simple();
    desk.transition("Build", true, false);
    let id = desk.start();
    desk.succeed("s");
    desk.stop(&id, false).unwrap();
    assert_eq!(desk.statuses(), "Stopped");
    let refusal = desk.retry("Build", &id, RetryMode::AllActions).unwrap_err();
    assert_eq!(refusal.exception, "NotLatestPipelineExecutionException");
    let refusal = desk
        .retry("Source", &id, RetryMode::AllActions)
        .unwrap_err();
    assert_eq!(refusal.exception, "StageNotRetryableException");
    desk.transition("Build", true, true);
    assert_eq!(desk.running(), "");
}

#[test]
fn s3_2_an_update_waits_for_what_runs_and_a_stop_comes_first() {
    for (stop, end) in [
        (None, "Cancelled"),
        (Some(false), "Stopped"),
        (Some(true), "Stopped"),
    ] {
        let mut desk = simple();
        let id = desk.start();
        desk.succeed("s");
        let definition = (*desk.state.pipelines["p"].definition).clone();
        desk.tell(Event::UpdatePipeline { definition });
        desk.fail("b");
        assert_eq!(desk.statuses(), "InProgress");
        if let Some(abandon) = stop {
            desk.stop(&id, abandon).unwrap();
        }
        if stop != Some(true) {
            desk.succeed("b2");
        }
        assert_eq!(desk.statuses(), end);
        let refusal = desk.retry("Build", &id, RetryMode::AllActions).unwrap_err();
        assert_eq!(refusal.exception, "StageNotRetryableException");
    }
}

fn gated(mode: &str, gate: bool) -> serde_json::Value {
    let mut stages: Vec<(&str, &[&str])> = vec![("Source", &["s"]), ("Build", &["b"])];
    if gate {
        stages.insert(1, ("Gate", &["a"]));
    }
    let mut definition = pipeline(&stages);
    definition["executionMode"] = json!(mode);
    definition
}

#[test]
fn s3_2_a_stage_that_was_away_is_still_held() {
    for mode in ["SUPERSEDED", "QUEUED"] {
        let mut desk = Desk::with(declared(gated(mode, true)));
        let id = desk.start();
        desk.succeed("s");
        for gate in [false, true] {
            desk.tell(Event::UpdatePipeline {
                definition: declared(gated(mode, gate)),
            });
        }
        desk.start();
        desk.succeed("s");
        let stage = desk.state.pipelines["p"].stage("Gate").unwrap();
        assert_eq!(
            (stage.held_by.as_ref(), stage.waiting.len()),
            (Some(&id), 1),
            "{mode}"
        );
        desk.stop(&id, true).unwrap();
        assert_eq!(desk.running(), "a a", "the abandoned one and the next");
    }
}

#[test]
fn s3_2_nobody_is_lost_with_the_stage_they_wait_for() {
    let mut desk = Desk::with(declared(gated("PARALLEL", true)));
    desk.transition("Gate", true, false);
    desk.start();
    desk.succeed("s");
    assert_eq!(desk.running(), "");
    desk.tell(Event::UpdatePipeline {
        definition: declared(gated("PARALLEL", false)),
    });
    assert_eq!(desk.running(), "a");
    // and a closed way out of a stage that is gone holds nobody
    let mut desk = Desk::with(declared(gated("PARALLEL", true)));
    desk.transition("Gate", false, false);
    desk.start();
    desk.succeed("s");
    let token = desk.task("a").approval.unwrap().token;
    desk.tell(Event::Approval {
        pipeline: "p".to_owned(),
        stage: "Gate".to_owned(),
        action: "a".to_owned(),
        token,
        approved: true,
        summary: String::new(),
        by: String::new(),
    });
    assert_eq!(desk.running(), "");
    desk.tell(Event::UpdatePipeline {
        definition: declared(gated("PARALLEL", false)),
    });
    assert_eq!(desk.running(), "b");
}
