//! Executions from start to end: order, artifacts, variables, events, failures, stops, retries, modes.

use std::collections::BTreeMap;

use engine_plan::{
    effect::Effect,
    event::{Event, RetryMode, SourceRevisionOverride},
    state::{ActionStatus, StageStatus},
    step::Answer,
};
use serde_json::json;

use crate::harness::{Desk, approval, declared, pipeline, short, start, succeeded, succeeded_with};

#[test]
fn an_execution_runs_to_its_end() {
    let mut definition = pipeline(&[
        ("Source", &["s"]),
        ("Build", &["b", "b2", "b3@2"]),
        ("Deploy", &["a"]),
    ]);
    definition["stages"][1]["actions"][2]["configuration"]["EnvironmentVariables"] =
        json!("#{sV.VersionId} #{bV.Tag} #{variables.env} #{codepipeline.PipelineExecutionId}");
    definition["variables"] = json!([{"name": "env", "defaultValue": "test"}]);
    let mut desk = Desk::with(declared(definition));
    let id = desk.start();
    assert_eq!(
        desk.events(),
        [
            "pipeline STARTED",
            "stage Source STARTED",
            "action Source/s STARTED"
        ]
    );
    let source = desk.task("s");
    assert_eq!(source.outputs[0].bucket, "artifacts");
    assert!(
        source.outputs[0].key.starts_with("p/s/"),
        "{:?}",
        source.outputs
    );
    desk.tell(succeeded_with(
        &source.action_execution,
        &[("VersionId", "v7")],
    ));
    assert_eq!(
        desk.events(),
        [
            "action Source/s SUCCEEDED",
            "stage Source SUCCEEDED",
            "stage Build STARTED",
            "action Build/b STARTED",
            "action Build/b2 STARTED",
        ]
    );
    let build = desk.task("b");
    assert_eq!(build.inputs[0].key, source.outputs[0].key);
    desk.tell(succeeded_with(&build.action_execution, &[("Tag", "t")]));
    assert_eq!(desk.events(), ["action Build/b SUCCEEDED"]);
    desk.succeed("b2");
    let third = desk.succeed("b3");
    assert_eq!(
        third.configuration["EnvironmentVariables"],
        format!("v7 t test {id}")
    );
    let request = desk.task("a").approval.unwrap();
    assert_eq!(
        request.expires,
        desk.now + jiff::SignedDuration::from_hours(24 * 7)
    );
    desk.events();
    desk.tell(approval("a", &request.token, true));
    assert_eq!(
        desk.events(),
        [
            "action Deploy/a SUCCEEDED",
            "stage Deploy SUCCEEDED",
            "pipeline SUCCEEDED"
        ]
    );
    assert_eq!(desk.statuses(), "Succeeded");
    assert_eq!(desk.state.next_due(), None);
    assert!(desk.state.outstanding().is_empty());
    assert!(desk.replayed() == desk.state);
    // a late report changes nothing
    let before = desk.state.clone();
    desk.tell(succeeded(&source.action_execution));
    assert!(before == desk.state);
}

fn simple() -> Desk {
    Desk::with(declared(pipeline(&[
        ("Source", &["s"]),
        ("Build", &["b", "b2", "b3@2"]),
    ])))
}

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
fn an_action_whose_variable_is_missing_fails() {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b", "b2"])]);
    definition["stages"][1]["actions"][0]["configuration"]["ProjectName"] = json!("#{sV.Other}");
    let mut desk = Desk::with(declared(definition));
    desk.start();
    desk.succeed("s");
    assert_eq!(desk.running(), "b2");
    desk.succeed("b2");
    assert_eq!(desk.statuses(), "Failed");
    let (_, run) = desk.state.pipelines["p"].latest_run("Build", "b").unwrap();
    let error = run.error.as_ref().unwrap();
    assert_eq!(error.code, "ConfigurationError");
    assert!(error.message.contains("#{sV.Other}"), "{}", error.message);
    assert_eq!(
        desk.events()[6..],
        [
            "action Build/b STARTED",
            "action Build/b FAILED",
            "action Build/b2 STARTED",
            "action Build/b2 SUCCEEDED",
            "stage Build FAILED",
            "pipeline FAILED"
        ]
    );
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
fn a_deleted_pipeline_leaves_nothing() {
    let mut desk = Desk::with(declared(pipeline(&[
        ("Source", &["s"]),
        ("Deploy", &["a", "l"]),
    ])));
    desk.start();
    desk.succeed("s");
    let job = desk.task("l").job.unwrap();
    desk.tell(Event::DeletePipeline {
        name: "p".to_owned(),
    });
    assert_eq!(desk.cancelled.len(), 2);
    assert!(desk.state == engine_plan::state::State::default());
    assert!(
        desk.refused(crate::harness::job_succeeded(&job.id, None))
            .starts_with("JobNotFoundException")
    );
    desk.tell(Event::DeletePipeline {
        name: "p".to_owned(),
    });
    assert_eq!(
        desk.refused(start("p")),
        "PipelineNotFoundException: Account '123456789012' does not have a pipeline with name 'p'"
    );
}

#[test]
fn starts_are_checked_and_idempotent() {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"])]);
    definition["variables"] = json!([{"name": "must"}, {"name": "may", "defaultValue": "d"}]);
    let mut desk = Desk::with(declared(definition.clone()));
    let with = |variables: &[(&str, &str)], revision: Option<(&str, &str)>| {
        let mut event = start("p");
        if let Event::Start {
            variables: given,
            source_revisions,
            client_token,
            ..
        } = &mut event
        {
            *given = variables
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
            *client_token = Some("token-1".to_owned());
            source_revisions.extend(revision.map(|(action, kind)| SourceRevisionOverride {
                action_name: action.to_owned(),
                revision_type: kind.to_owned(),
                revision_value: "v1".to_owned(),
            }));
        }
        event
    };
    for (event, expected) in [
        (
            with(&[], None),
            "The following pipeline variables have no default value and must be given: must",
        ),
        (
            with(&[("must", "x"), ("other", "y")], None),
            "The pipeline 'p' does not declare the variable 'other'",
        ),
        (
            with(&[("must", "")], None),
            "1 validation error detected: Value at 'variables.must.member.value' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            with(&[("must", "x")], Some(("b", "COMMIT_ID"))),
            "The source revision override names the action 'b', which is not a source action of the pipeline 'p'",
        ),
        (
            with(&[("must", "x")], Some(("s", "COMMIT"))),
            "1 validation error detected: Value 'COMMIT' at 'sourceRevisions.revisionType' failed to satisfy constraint: Member must satisfy enum value set: [COMMIT_ID, IMAGE_DIGEST, S3_OBJECT_KEY, S3_OBJECT_VERSION_ID]",
        ),
    ] {
        assert_eq!(
            desk.refused(event),
            format!("ValidationException: {expected}")
        );
    }
    let good = with(&[("must", "x")], Some(("s", "S3_OBJECT_VERSION_ID")));
    let first = desk.tell(good.clone());
    assert_eq!(desk.tell(good), first);
    assert_eq!(desk.statuses(), "InProgress");
    let run = &desk.state.pipelines["p"].executions[0];
    assert_eq!(
        run.variables,
        BTreeMap::from([
            ("must".to_owned(), "x".to_owned()),
            ("may".to_owned(), "d".to_owned())
        ])
    );
    assert_eq!(desk.task("s").source_revision.unwrap().revision_value, "v1");

    // CreatePipeline cannot give values: its execution fails
    let mut desk = Desk::new();
    let created = desk.tell(Event::CreatePipeline {
        definition: declared(definition),
        tags: BTreeMap::new(),
        start: true,
    });
    assert_eq!(
        (created, desk.statuses().as_str()),
        (Answer::Version(1), "Failed")
    );
    assert_eq!(desk.events(), ["pipeline STARTED", "pipeline FAILED"]);
}

#[test]
fn pipelines_are_created_once() {
    let definition = declared(pipeline(&[("Source", &["s"]), ("Build", &["b"])]));
    let mut desk = Desk::with(definition.clone());
    let create = |key: &str, count: usize| Event::CreatePipeline {
        definition: definition.clone(),
        tags: (0..count)
            .map(|n| (format!("{key}{n}"), String::new()))
            .collect(),
        start: true,
    };
    assert!(
        desk.refused(create("k", 0))
            .starts_with("PipelineNameInUseException")
    );
    desk.tell(Event::DeletePipeline {
        name: "p".to_owned(),
    });
    assert!(
        desk.refused(create("aws:", 1))
            .starts_with("InvalidTagsException")
    );
    assert!(
        desk.refused(create("k", 51))
            .starts_with("TooManyTagsException")
    );
    desk.tell(create("k", 50));
    let kept = &desk.state.pipelines["p"];
    assert_eq!(kept.tags.len(), 50);
    assert_eq!(kept.definition.version, Some(1));
    assert_eq!(kept.executions[0].trigger.trigger_type, "CreatePipeline");
    let mut other = definition;
    other.name = "q".to_owned();
    assert!(
        desk.refused(Event::UpdatePipeline { definition: other })
            .starts_with("ResourceNotFoundException: The account with id '123456789012' does not include a pipeline with the name 'q'")
    );
}

#[test]
fn events_have_the_shape_of_aws() {
    let mut desk = simple();
    let id = desk.start();
    let source = desk.task("s");
    let key = source.outputs[0].key.clone();
    desk.tell(succeeded_with(&source.action_execution, &[]));
    let envelope = |detail_type: &str, detail: serde_json::Value| {
        json!({
            "version": "0", "detail-type": detail_type, "source": "aws.codepipeline",
            "account": "123456789012", "time": "2026-01-02T03:04:05Z", "region": "us-east-1",
            "resources": ["arn:aws:codepipeline:us-east-1:123456789012:p"], "detail": detail,
        })
    };
    let at = "2026-01-02T03:04:05.678Z";
    assert_eq!(
        desk.emitted[0],
        envelope(
            "CodePipeline Pipeline Execution State Change",
            json!({"pipeline": "p", "execution-id": id, "start-time": at, "state": "STARTED",
                "execution-trigger": {"trigger-type": "StartPipelineExecution",
                    "trigger-detail": "arn:aws:iam::123456789012:user/dana"},
                "version": 1.0, "pipeline-execution-attempt": 1.0})
        )
    );
    assert_eq!(
        desk.emitted[1],
        envelope(
            "CodePipeline Stage Execution State Change",
            json!({"pipeline": "p", "execution-id": id, "start-time": at, "stage": "Source",
                "state": "STARTED", "version": 1.0, "pipeline-execution-attempt": 1.0})
        )
    );
    let artifact = json!([{"name": "s", "s3location": {"bucket": "artifacts", "key": key}}]);
    assert_eq!(
        desk.emitted[3],
        envelope(
            "CodePipeline Action Execution State Change",
            json!({"pipeline": "p", "execution-id": id, "start-time": at, "stage": "Source",
                "action-execution-id": source.action_execution, "action": "s", "state": "SUCCEEDED",
                "region": "us-east-1",
                "type": {"owner": "AWS", "provider": "S3", "category": "Source", "version": "1"},
                "version": 1.0, "pipeline-execution-attempt": 1.0,
                "output-artifacts": artifact, "execution-result": {}})
        )
    );
    let started = desk
        .emitted
        .iter()
        .find(|it| short(it) == "action Build/b STARTED");
    assert_eq!(started.unwrap()["detail"]["input-artifacts"], artifact);
    desk.fail("b");
    desk.succeed("b2");
    let failed = desk
        .emitted
        .iter()
        .find(|it| short(it) == "action Build/b FAILED");
    assert_eq!(
        failed.unwrap()["detail"]["execution-result"],
        json!({"external-execution-summary": "it broke", "error-code": "JobFailed"})
    );
}

#[test]
fn what_runs_is_performed_again_with_the_same_ids() {
    let mut desk = Desk::with(declared(pipeline(&[
        ("Source", &["s"]),
        ("Deploy", &["b", "l", "a", "l2"]),
    ])));
    desk.start();
    desk.succeed("s");
    let paused = desk.tasks.iter().find(|it| it.action == "l2").unwrap();
    let job = paused.job.clone().unwrap().id;
    desk.tell(crate::harness::job_succeeded(&job, Some("half")));
    let again: Vec<_> = desk
        .replayed()
        .outstanding()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Perform(task) => Some(*task),
            Effect::Cancel { .. } | Effect::Emit(_) => None,
        })
        .collect();
    desk.task("l2");
    assert_eq!(again, desk.tasks);
}

#[test]
fn debug_texts_hold_no_secrets() {
    let mut definition = pipeline(&[("Source", &["s"]), ("Deploy", &["a"])]);
    definition["stages"][0]["actions"][0]["actionTypeId"] =
        json!({"category": "Source", "owner": "ThirdParty", "provider": "GitHub", "version": "1"});
    definition["stages"][0]["actions"][0]["configuration"] =
        json!({"Owner": "o", "Repo": "r", "Branch": "main", "OAuthToken": "planted"});
    let mut desk = Desk::with(declared(definition.clone()));
    desk.start();
    let source = desk.task("s");
    assert_eq!(source.configuration["OAuthToken"], "planted");
    desk.tell(succeeded(&source.action_execution));
    let token = desk.task("a").approval.unwrap().token;
    desk.tell(approval("a", &token, true));
    let all = format!(
        "{:?}{:?}{source:?}{:?}",
        desk.state, desk.inputs, desk.emitted
    );
    assert!(!all.contains("planted") && !all.contains(token.reveal()));

    // the mask of a reply keeps what is stored
    definition["stages"][0]["actions"][0]["configuration"]["OAuthToken"] = json!("****");
    desk.tell(Event::UpdatePipeline {
        definition: declared(definition),
    });
    desk.start();
    assert_eq!(desk.task("s").configuration["OAuthToken"], "planted");
}
