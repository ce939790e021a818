//! What stages do by themselves and on request: automatic retry, rollback, limits (`codepipeline.md` 3.2 to 3.5).

use engine_plan::{
    event::{Event, RetryMode},
    state::{Execution, RetryTrigger},
    step::Answer,
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::harness::{Desk, declared, pipeline};

fn with_failure(gate: Value) -> Desk {
    let mut definition = pipeline(&[
        ("Source", &["s"]),
        ("Build", &["b", "b2", "b3@2"]),
        ("Deploy", &["b4"]),
    ]);
    if !gate.is_null() {
        definition["stages"][1]["onFailure"] = gate;
    }
    Desk::with(declared(definition))
}

/// One execution that succeeds everywhere; its id.
fn succeed_all(desk: &mut Desk) -> String {
    let id = desk.start();
    for action in ["s", "b", "b2", "b3", "b4"] {
        desk.succeed(action);
    }
    id
}

fn execution(desk: &Desk, at: usize) -> &Execution {
    &desk.state.pipelines["p"].executions[at]
}

#[test]
fn s3_4_automatic_retry_runs_failed_actions_once() {
    for gate in [
        json!({"result": "RETRY"}),
        json!({"result": "RETRY", "retryConfiguration": {"retryMode": "FAILED_ACTIONS"}}),
    ] {
        let mut desk = with_failure(gate);
        let id = desk.start();
        desk.succeed("s");
        desk.succeed("b2");
        desk.events();
        desk.fail("b");
        assert_eq!(
            desk.events(),
            [
                "action Build/b FAILED",
                "stage Build FAILED",
                "stage Build RESUMED",
                "action Build/b STARTED"
            ]
        );
        assert_eq!(desk.running(), "b");
        let run = &execution(&desk, 0).stages[1];
        assert_eq!((run.automatic_retries, run.manual_retries), (1, 0));
        assert_eq!(run.latest_retry, Some(RetryTrigger::AutomatedStageRetry));
        desk.fail("b");
        assert_eq!(desk.statuses(), "Failed");
        desk.retry("Build", &id, RetryMode::FailedActions).unwrap();
        let run = &execution(&desk, 0).stages[1];
        assert_eq!((run.automatic_retries, run.manual_retries), (1, 1));
        assert_eq!(run.latest_retry, Some(RetryTrigger::ManualStageRetry));
        // no second automatic one
        desk.fail("b");
        assert_eq!(desk.statuses(), "Failed");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn s3_4_automatic_retry_of_all_actions_keeps_the_stage_locked() {
    let mut desk = with_failure(
        json!({"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}}),
    );
    let first = desk.start();
    desk.succeed("s");
    desk.start();
    desk.succeed("s");
    desk.succeed("b2");
    desk.fail("b");
    assert_eq!(desk.running(), "b b2");
    let stage = desk.state.pipelines["p"].stage("Build").unwrap();
    assert_eq!(stage.held_by.as_ref(), Some(&first));
    for action in ["b", "b2", "b3", "b4"] {
        desk.succeed(action);
    }
    assert_eq!(desk.statuses(), "Succeeded InProgress");
}

#[test]
fn s3_4_a_stopped_stage_is_not_retried_by_itself() {
    let mut desk = with_failure(json!({"result": "RETRY"}));
    let id = desk.start();
    desk.succeed("s");
    desk.fail("b");
    desk.stop(&id, false).unwrap();
    desk.succeed("b2");
    assert_eq!(desk.statuses(), "Stopped");
}

#[test]
fn s3_5_a_stage_is_rolled_back_by_hand() {
    let mut desk = with_failure(Value::Null);
    let target = succeed_all(&mut desk);
    let second = succeed_all(&mut desk);
    let source = execution(&desk, 0).artifacts["s"].key.clone();
    desk.events();
    // it passes a closed transition
    desk.transition("Build", true, false);
    let Answer::Execution(id) = desk.rollback("Build", &target).unwrap() else {
        panic!()
    };
    assert!(id != target && id != second);
    assert_eq!(
        desk.events(),
        [
            "pipeline STARTED",
            "stage Build STARTED",
            "action Build/b STARTED",
            "action Build/b2 STARTED"
        ]
    );
    let run = execution(&desk, 2);
    assert_eq!(run.rollback_of.as_ref(), Some(&target));
    assert_eq!(run.trigger.trigger_type, "ManualRollback");
    assert_eq!(
        run.trigger.trigger_detail,
        "arn:aws:iam::123456789012:user/dana"
    );
    assert_eq!(desk.succeed("b").inputs[0].key, source);
    // while it runs the stage cannot be rolled back again, nor to a rollback afterwards
    let refusal = desk.rollback("Build", &target).unwrap_err();
    assert_eq!(refusal.exception, "UnableToRollbackStageException");
    desk.succeed("b2");
    desk.succeed("b3");
    assert_eq!(desk.statuses(), "Succeeded Succeeded Succeeded");
    assert_eq!(desk.running(), "", "only that stage runs again");
    let refusal = desk.rollback("Build", &id).unwrap_err();
    assert!(refusal.message.contains("a rollback itself"), "{refusal}");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s3_5_errors_of_rollback_stage() {
    let unable = "UnableToRollbackStageException";
    let mut desk = with_failure(Value::Null);
    let good = succeed_all(&mut desk);
    let failed = desk.start();
    desk.succeed("s");
    desk.succeed("b2");
    desk.fail("b");
    for (stage, target, exception) in [
        ("Nope", good.as_str(), "StageNotFoundException"),
        ("Build", "nobody", "PipelineExecutionNotFoundException"),
        ("Build", &failed, unable),
        ("Source", &good, unable),
    ] {
        let refusal = desk.rollback(stage, target).unwrap_err();
        assert_eq!(refusal.exception, exception, "{stage} {refusal}");
    }
    let event = |pipeline: &str| Event::Rollback {
        pipeline: pipeline.to_owned(),
        stage: "Build".to_owned(),
        target: good.clone(),
        by: "dana".to_owned(),
    };
    assert!(
        desk.refused(event("q"))
            .starts_with("PipelineNotFoundException")
    );
    let now = desk.now;
    desk.now += SignedDuration::from_hours(24 * 366);
    assert!(
        desk.refused(event("p"))
            .starts_with("PipelineExecutionOutdatedException")
    );
    desk.now = now;
    let definition = (*desk.state.pipelines["p"].definition).clone();
    desk.tell(Event::UpdatePipeline { definition });
    let refusal = desk.rollback("Build", &good).unwrap_err();
    assert_eq!(refusal.exception, unable);
    assert!(refusal.message.contains("structure"), "{refusal}");

    let mut parallel = pipeline(&[("Source", &["s"]), ("Build", &["b"])]);
    parallel["executionMode"] = json!("PARALLEL");
    let mut desk = Desk::with(declared(parallel));
    let id = desk.start();
    desk.succeed("s");
    desk.succeed("b");
    assert_eq!(desk.rollback("Build", &id).unwrap_err().exception, unable);
}

#[test]
fn s3_5_a_failed_stage_is_rolled_back_by_itself() {
    let mut desk = with_failure(json!({"result": "ROLLBACK"}));
    // nothing to go back to
    desk.start();
    desk.succeed("s");
    desk.succeed("b2");
    desk.fail("b");
    assert_eq!(desk.statuses(), "Failed");
    succeed_all(&mut desk);
    let target = succeed_all(&mut desk);
    let failed = desk.start();
    desk.succeed("s");
    desk.succeed("b2");
    desk.events();
    desk.fail("b");
    assert_eq!(
        desk.events(),
        [
            "action Build/b FAILED",
            "stage Build FAILED",
            "pipeline FAILED",
            "pipeline STARTED",
            "stage Build STARTED",
            "action Build/b STARTED",
            "action Build/b2 STARTED"
        ]
    );
    let run = execution(&desk, 4);
    assert_eq!(run.rollback_of.as_ref(), Some(&target));
    assert_eq!(run.trigger.trigger_type, "AutomatedRollback");
    assert_eq!(
        run.trigger.trigger_detail,
        json!({"failedPipelineExecutionId": failed}).to_string()
    );
    let refusal = desk
        .retry("Build", &failed, RetryMode::AllActions)
        .unwrap_err();
    assert_eq!(refusal.exception, "NotLatestPipelineExecutionException");
    // a rollback that fails is not rolled back
    desk.succeed("b2");
    desk.fail("b");
    assert_eq!(desk.statuses(), "Failed Succeeded Succeeded Failed Failed");
    // a new structure has nothing to go back to
    let definition = (*desk.state.pipelines["p"].definition).clone();
    desk.tell(Event::UpdatePipeline { definition });
    desk.start();
    desk.succeed("s");
    desk.succeed("b2");
    desk.fail("b");
    assert_eq!(
        desk.statuses(),
        "Failed Succeeded Succeeded Failed Failed Failed"
    );
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s3_2_a_parallel_execution_runs_five_actions_at_once() {
    let mut definition = pipeline(&[
        ("Source", &["s"]),
        ("Build", &["b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8@2"]),
    ]);
    let mut queued = Desk::with(declared(definition.clone()));
    queued.start();
    queued.succeed("s");
    assert_eq!(queued.running(), "b1 b2 b3 b4 b5 b6 b7");
    definition["executionMode"] = json!("PARALLEL");
    let mut desk = Desk::with(declared(definition));
    let id = desk.start();
    desk.start();
    desk.succeed("s");
    desk.succeed("s");
    assert_eq!(desk.running(), "b1 b1 b2 b2 b3 b3 b4 b4 b5 b5");
    desk.tasks.retain(|task| task.execution == id);
    desk.succeed("b2");
    assert_eq!(desk.running(), "b1 b3 b4 b5 b6");
    // a failure ends the group: what runs finishes, nothing new starts
    desk.fail("b1");
    for action in ["b3", "b4", "b5", "b6"] {
        desk.succeed(action);
    }
    assert_eq!(desk.statuses(), "Failed InProgress");
    desk.retry("Build", &id, RetryMode::FailedActions).unwrap();
    assert_eq!(desk.running(), "b1 b7");
    desk.succeed("b1");
    desk.succeed("b7");
    desk.succeed("b8");
    assert_eq!(desk.statuses(), "Succeeded InProgress");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s3_2_queued_and_parallel_pipelines_run_fifty_executions() {
    for (mode, limited) in [("QUEUED", true), ("PARALLEL", true), ("SUPERSEDED", false)] {
        let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"])]);
        definition["executionMode"] = json!(mode);
        let mut desk = Desk::with(declared(definition));
        for _ in 0..50 {
            desk.start();
        }
        let more = desk.ask(crate::harness::start("p"));
        let refused = more.err().map(|it| it.exception);
        let expected = "ConcurrentPipelineExecutionsLimitExceededException";
        assert_eq!(refused, limited.then_some(expected), "{mode}");
    }
}
