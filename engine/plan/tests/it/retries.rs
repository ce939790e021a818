//! Failure, stop and retry (`codepipeline.md` 3.4).

use engine_plan::{
    event::{Event, RetryMode},
    state::{ActionStatus, StageStatus},
};
use serde_json::json;

use crate::harness::{
    Desk, declared, job_failed, job_succeeded, pipeline, simple, start, succeeded,
};

#[test]
fn siblings_of_a_failed_action_finish() {
    let mut desk = simple();
    desk.start();
    desk.succeed("s");
    desk.fail("b");
    assert_eq!(desk.statuses(), "InProgress");
    desk.events();
    desk.succeed("b2");
    assert_eq!(
        desk.events(),
        [
            "action Build/b2 SUCCEEDED",
            "stage Build FAILED",
            "pipeline FAILED"
        ]
    );
    assert_eq!(desk.running(), "");
    let (_, run) = desk.state.pipelines["p"].latest_run("Build", "b").unwrap();
    assert_eq!(run.status, ActionStatus::Failed);
    assert_eq!(run.error.as_ref().unwrap().message, "it broke");
}

#[test]
fn stopping_waits_or_abandons() {
    let mut desk = simple();
    let id = desk.start();
    desk.succeed("s");
    desk.events();
    desk.stop(&id, false).unwrap();
    assert_eq!(desk.events(), ["pipeline STOPPING", "stage Build STOPPING"]);
    assert_eq!(
        desk.stop(&id, false).unwrap_err().exception,
        "DuplicatedStopRequestException"
    );
    desk.succeed("b");
    assert_eq!(desk.statuses(), "Stopping");
    assert!(desk.cancelled.is_empty());
    let open = desk.task("b2").action_execution;
    desk.stop(&id, true).unwrap();
    assert_eq!(desk.cancelled, std::slice::from_ref(&open));
    assert_eq!(
        desk.events(),
        [
            "action Build/b SUCCEEDED",
            "action Build/b2 ABANDONED",
            "stage Build STOPPED",
            "pipeline STOPPED"
        ]
    );
    desk.tell(succeeded(&open));
    assert_eq!(desk.events(), [""; 0]);
    assert_eq!(
        desk.stop(&id, true).unwrap_err().exception,
        "PipelineExecutionNotStoppableException"
    );
    assert_eq!(
        desk.stop("nothing", true).unwrap_err().exception,
        "PipelineExecutionNotStoppableException"
    );
    // a stopped stage goes on where it stopped
    desk.retry("Build", &id, RetryMode::FailedActions).unwrap();
    assert_eq!(desk.running(), "b2");
    desk.succeed("b2");
    desk.succeed("b3");
    assert_eq!(desk.statuses(), "Succeeded");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn failed_actions_are_retried() {
    let mut desk = simple();
    let id = desk.start();
    desk.succeed("s");
    assert_eq!(
        desk.retry("Build", &id, RetryMode::FailedActions)
            .unwrap_err()
            .exception,
        "StageNotRetryableException"
    );
    let first = desk.fail("b");
    // while a sibling still runs
    desk.retry("Build", &id, RetryMode::FailedActions).unwrap();
    assert_eq!(desk.running(), "b b2");
    assert_eq!(
        desk.retry("Build", &id, RetryMode::AllActions)
            .unwrap_err()
            .exception,
        "StageNotRetryableException"
    );
    desk.events();
    let second = desk.fail("b");
    assert_ne!(first.action_execution, second.action_execution);
    assert_ne!(first.outputs[0].key, second.outputs[0].key);
    desk.succeed("b2");
    assert_eq!(desk.statuses(), "Failed");
    desk.events();
    desk.retry("Build", &id, RetryMode::FailedActions).unwrap();
    assert_eq!(
        desk.events(),
        [
            "pipeline RESUMED",
            "stage Build RESUMED",
            "action Build/b STARTED"
        ]
    );
    desk.succeed("b");
    desk.fail("b3");
    desk.retry("Build", &id, RetryMode::AllActions).unwrap();
    assert_eq!(desk.running(), "b b2");
    desk.succeed("b");
    desk.succeed("b2");
    desk.succeed("b3");
    assert_eq!(desk.statuses(), "Succeeded");
    let run = desk.state.pipelines["p"].execution(&id).unwrap();
    assert_eq!((run.attempt, run.stages[1].manual_retries), (4, 3));
    assert_eq!(run.stages[1].status, StageStatus::Succeeded);
    assert_eq!(
        desk.retry("Build", &id, RetryMode::AllActions)
            .unwrap_err()
            .exception,
        "StageNotRetryableException"
    );
    assert_eq!(
        desk.retry("Nope", &id, RetryMode::AllActions)
            .unwrap_err()
            .exception,
        "StageNotFoundException"
    );
}

#[test]
fn a_newer_execution_ends_the_chance_to_retry() {
    let mut desk = simple();
    let old = desk.start();
    desk.succeed("s");
    desk.start();
    desk.succeed("s");
    desk.fail("b");
    desk.succeed("b2");
    assert_eq!(desk.statuses(), "Failed InProgress");
    assert_eq!(desk.running(), "b b2");
    assert_eq!(
        desk.retry("Build", &old, RetryMode::FailedActions)
            .unwrap_err()
            .exception,
        "NotLatestPipelineExecutionException"
    );
}

/// Exception and the words after the colon.
fn why(refusal: &engine_plan::refusal::Refusal) -> (&str, &str) {
    let reason = refusal.message.rsplit_once(": ");
    (refusal.exception, reason.map_or("", |(_, why)| why))
}

#[test]
fn s3_4_a_retry_is_refused_with_its_reason() {
    const NO: &str = "StageNotRetryableException";
    let mut desk = Desk::with(declared(pipeline(&[
        ("Source", &["s"]),
        ("Build", &["b", "b2", "b3", "b4@2"]),
        ("Deploy", &["b5"]),
    ])));
    let id = desk.start();
    let refused = |desk: &mut Desk, stage: &str, mode, exception, reason| {
        let refusal = desk.retry(stage, &id, mode).unwrap_err();
        assert_eq!(why(&refusal), (exception, reason), "{refusal}");
    };
    desk.succeed("s");
    refused(
        &mut desk,
        "Source",
        RetryMode::AllActions,
        NO,
        "it has not failed",
    );
    refused(
        &mut desk,
        "Build",
        RetryMode::FailedActions,
        NO,
        "no action has failed",
    );
    refused(
        &mut desk,
        "Build",
        RetryMode::AllActions,
        NO,
        "actions are in progress",
    );
    desk.fail("b");
    desk.fail("b2");
    desk.retry("Build", &id, RetryMode::FailedActions).unwrap();
    assert_eq!(desk.running(), "b b2 b3");
    // of the two that run again one fails again: the other is still that retry
    desk.fail("b");
    refused(
        &mut desk,
        "Build",
        RetryMode::FailedActions,
        NO,
        "another retry is in progress",
    );
    desk.succeed("b2");
    // only what never failed is left of the first attempt
    desk.retry("Build", &id, RetryMode::FailedActions).unwrap();
    desk.stop(&id, false).unwrap();
    refused(
        &mut desk,
        "Build",
        RetryMode::FailedActions,
        NO,
        "the execution is being stopped",
    );
    desk.succeed("b");
    desk.succeed("b3");
    assert_eq!(desk.statuses(), "Stopped");
    // an inbound stage has nothing to retry
    let refusal = desk
        .retry("Deploy", &id, RetryMode::AllActions)
        .unwrap_err();
    assert_eq!(refusal.exception, "NotLatestPipelineExecutionException");
    let refusal = desk
        .retry("Build", "nobody", RetryMode::AllActions)
        .unwrap_err();
    assert_eq!(refusal.exception, "NotLatestPipelineExecutionException");
    let mut event = Event::Retry {
        pipeline: "q".to_owned(),
        stage: "Build".to_owned(),
        execution: id.clone(),
        mode: RetryMode::AllActions,
    };
    assert!(
        desk.refused(event.clone())
            .starts_with("PipelineNotFoundException")
    );
    if let Event::Retry {
        pipeline, stage, ..
    } = &mut event
    {
        (*pipeline, *stage) = ("p".to_owned(), "Nope".to_owned());
    }
    assert_eq!(
        desk.refused(event),
        "StageNotFoundException: Stage 'Nope' could not be found in pipeline 'p'"
    );
    desk.retry("Build", &id, RetryMode::FailedActions).unwrap();
    desk.succeed("b4");
    refused(
        &mut desk,
        "Build",
        RetryMode::AllActions,
        NO,
        "it has not failed",
    );
    desk.fail("b5");
    refused(
        &mut desk,
        "Build",
        RetryMode::AllActions,
        NO,
        "it has not failed",
    );
    let definition = (*desk.state.pipelines["p"].definition).clone();
    desk.tell(Event::UpdatePipeline { definition });
    refused(
        &mut desk,
        "Deploy",
        RetryMode::AllActions,
        NO,
        "the structure of the pipeline has changed since",
    );
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s3_4_neither_success_nor_skip_is_retried() {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"]), ("Deploy", &["b2"])]);
    definition["stages"][2]["beforeEntry"] = json!({"conditions": [{"result": "SKIP", "rules": [{
        "name": "never", "configuration": {"Variable": "a", "Operator": "EQ", "Value": "b"},
        "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"}}]}]});
    let mut desk = Desk::with(declared(definition));
    let id = desk.start();
    desk.succeed("s");
    desk.succeed("b");
    assert_eq!(desk.statuses(), "Succeeded");
    let skipped = desk
        .retry("Deploy", &id, RetryMode::AllActions)
        .unwrap_err();
    assert_eq!(
        why(&skipped),
        ("StageNotRetryableException", "the stage was skipped")
    );

    let mut desk = simple();
    let id = desk.start();
    for action in ["s", "b", "b2", "b3"] {
        desk.succeed(action);
    }
    let done = desk
        .retry("Build", &id, RetryMode::FailedActions)
        .unwrap_err();
    assert_eq!(
        why(&done),
        ("StageNotRetryableException", "all actions have succeeded")
    );
}

#[test]
fn s3_4_all_actions_overwrite_outputs_and_history_keeps_them() {
    let mut desk = simple();
    let id = desk.start();
    desk.succeed("s");
    let first = desk.succeed("b").outputs[0].key.clone();
    desk.fail("b2");
    desk.retry("Build", &id, RetryMode::AllActions).unwrap();
    let second = desk.succeed("b").outputs[0].key.clone();
    let run = &desk.state.pipelines["p"].executions[0];
    assert_eq!(run.artifacts["b"].key, second);
    let kept: Vec<_> = run.stages[1]
        .actions
        .iter()
        .map(|it| it.outputs[0].key.as_str())
        .collect();
    assert!(kept.contains(&first.as_str()) && kept.contains(&second.as_str()));
}

#[test]
fn s3_4_late_results_for_abandoned_jobs_are_refused() {
    let mut desk = Desk::with_worker(declared(pipeline(&[
        ("Source", &["s"]),
        ("Deploy", &["l", "w"]),
    ])));
    let id = desk.start();
    desk.succeed("s");
    let jobs = ["l", "w"].map(|action| desk.task(action).job.unwrap().id);
    desk.stop(&id, true).unwrap();
    assert_eq!(desk.cancelled.len(), 2);
    for job in jobs {
        for event in [
            job_succeeded(&job, None),
            job_succeeded(&job, Some("more")),
            job_failed(&job),
        ] {
            assert!(desk.refused(event).starts_with("InvalidJobStateException"));
        }
    }
    let run = &desk.state.pipelines["p"].executions[0].stages[1];
    assert!(
        run.actions
            .iter()
            .all(|it| it.status == ActionStatus::Abandoned)
    );
    // abandoned actions count as failed ones
    desk.retry("Deploy", &id, RetryMode::FailedActions).unwrap();
    assert_eq!(desk.running(), "l w");
}

#[test]
fn s3_4_a_stop_waits_for_a_function_that_continues() {
    let mut desk = Desk::with(declared(pipeline(&[
        ("Source", &["s"]),
        ("Deploy", &["l", "l2@2"]),
    ])));
    let id = desk.start();
    desk.succeed("s");
    let job = desk.task("l").job.unwrap();
    desk.tell(job_succeeded(&job.id, Some("half")));
    desk.stop(&id, false).unwrap();
    assert_eq!(desk.statuses(), "Stopping");
    desk.pass(30);
    let job = desk.task("l").job.unwrap();
    assert_eq!(job.continuation_token.as_deref(), Some("half"));
    desk.tell(job_succeeded(&job.id, None));
    assert_eq!(
        (desk.statuses().as_str(), desk.running().as_str()),
        ("Stopped", "")
    );
    // nothing has failed: the retry goes on where it stopped
    desk.retry("Deploy", &id, RetryMode::FailedActions).unwrap();
    assert_eq!(desk.running(), "l2");
}

#[test]
fn s3_4_a_stopped_stage_lets_the_next_one_in() {
    let mut desk = simple();
    let first = desk.start();
    desk.succeed("s");
    desk.start();
    desk.succeed("s");
    desk.stop(&first, true).unwrap();
    assert_eq!(desk.statuses(), "Stopped InProgress");
    assert_eq!(
        desk.running(),
        "b b b2 b2",
        "the abandoned tasks and the new ones"
    );
    let refusal = desk
        .retry("Build", &first, RetryMode::AllActions)
        .unwrap_err();
    assert_eq!(refusal.exception, "NotLatestPipelineExecutionException");
    let event = |pipeline: &str| Event::Stop {
        pipeline: pipeline.to_owned(),
        execution: first.clone(),
        abandon: true,
        reason: None,
    };
    assert!(
        desk.refused(event("q"))
            .starts_with("PipelineNotFoundException")
    );
    assert_eq!(
        desk.refused(event("p")),
        format!(
            "PipelineExecutionNotStoppableException: The pipeline execution '{first}' cannot be stopped: its status is 'Stopped'"
        )
    );
    assert!(desk.ask(start("p")).is_ok());
}
