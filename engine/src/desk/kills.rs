//! Several executions in flight, killed after any record: the same people, workers and providers bring them to the
//! same end.
//!
//! A pipeline with a function that continues, a worker's action that fails once and is retried, an approval and a
//! transition that is disabled until everybody waits in front of it.

use std::{collections::BTreeMap, path::Path};

use engine_plan::{
    check::parse_action_type,
    event::{ExecutionDetails, Input, RetryMode, Trigger},
    state::{ActionStatus, ExecutionStatus, Job, JobStatus, Pipeline, Position},
    step::step,
};
use serde_json::{Value, json};

use super::{
    scripted::{Scripted, counted, settings, until},
    tests::{folder, over, records, write},
    *,
};

const EXECUTIONS: usize = 3;

fn definition(mode: &str) -> Value {
    let action = |name: &str, kind: [&str; 3], configuration: Value, reads: bool, makes: bool| {
        let artifact = |there: bool, name: &str| match there {
            true => json!([{"name": name}]),
            false => json!([]),
        };
        json!({
            "name": name,
            "actionTypeId": {"category": kind[0], "owner": kind[1], "provider": kind[2], "version": "1"},
            "configuration": configuration,
            "inputArtifacts": artifact(reads, "Code"),
            "outputArtifacts": artifact(makes, name),
        })
    };
    let source = json!({"S3Bucket": "sources", "S3ObjectKey": "shop.zip"});
    let copy = json!({"BucketName": "www", "Extract": "true"});
    json!({
        "name": "shop", "pipelineType": "V2", "executionMode": mode,
        "roleArn": "arn:aws:iam::123456789012:role/pipeline",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [action("Code", ["Source", "AWS", "S3"], source, false, true)]},
            {"name": "Check", "actions": [
                action("Pages", ["Invoke", "AWS", "Lambda"], json!({"FunctionName": "f"}), false, false),
                action("Work", ["Test", "Custom", "Worker"], json!({}), true, false),
            ]},
            {"name": "Release", "actions": [
                action("Ask", ["Approval", "AWS", "Manual"], json!({}), false, false),
            ]},
            {"name": "Publish", "actions": [action("Copy", ["Deploy", "AWS", "S3"], copy, true, false)]},
        ],
    })
}

/// What people and workers do next, seen from the state alone; `None` while there is nothing for them.
fn next(state: &State, mode: &str) -> Option<Event> {
    if state.action_types.is_empty() {
        let action_type = json!({
            "category": "Test", "provider": "Worker", "version": "1",
            "inputArtifactDetails": {"minimumCount": 0, "maximumCount": 1},
            "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 0},
        });
        let action_type = parse_action_type(action_type).unwrap();
        return Some(Event::CreateCustomActionType {
            action_type,
            tags: BTreeMap::new(),
        });
    }
    let Some(known) = state.pipelines.get("shop") else {
        let definition = engine_plan::check::parse(definition(mode)).unwrap();
        return Some(Event::CreatePipeline {
            definition,
            tags: BTreeMap::new(),
            start: false,
        });
    };
    let gate = known.stage("Publish")?;
    if gate.inbound.changed_at.is_none() {
        return Some(transition(false));
    }
    if known.executions.started() < EXECUTIONS {
        return Some(start(known.executions.started()));
    }
    let mut jobs: Vec<&Job> = state.jobs.values().collect();
    jobs.sort_unstable_by_key(|job| &job.id);
    let worker = jobs
        .into_iter()
        .filter(|job| job.action_type.owner == "Custom");
    if let Some(event) = worker.filter_map(|job| work(known, job)).next() {
        return Some(event);
    }
    if let Some((token, _)) = state.approvals.iter().min_by_key(|(_, run)| *run) {
        return Some(Event::Approval {
            pipeline: "shop".to_owned(),
            stage: "Release".to_owned(),
            action: "Ask".to_owned(),
            token: token.clone(),
            approved: true,
            summary: String::new(),
            by: "dana".to_owned(),
        });
    }
    let failed = known
        .executions
        .iter()
        .find(|run| run.status == ExecutionStatus::Failed);
    if let Some(run) = failed {
        return Some(Event::Retry {
            pipeline: "shop".to_owned(),
            stage: "Check".to_owned(),
            execution: run.id.clone(),
            mode: RetryMode::FailedActions,
        });
    }
    let all = gate.waiting.len() == EXECUTIONS;
    (all && !gate.inbound.enabled).then(|| transition(true))
}

fn start(number: usize) -> Event {
    Event::Start {
        pipeline: "shop".to_owned(),
        trigger: Trigger {
            trigger_type: "StartPipelineExecution".to_owned(),
            trigger_detail: "dana".to_owned(),
            reference: None,
        },
        variables: BTreeMap::new(),
        source_revisions: Vec::new(),
        client_token: Some(format!("start-{number}")),
    }
}

fn transition(enabled: bool) -> Event {
    Event::SetTransition {
        pipeline: "shop".to_owned(),
        stage: "Publish".to_owned(),
        inbound: true,
        enabled,
        reason: Some("all at once".to_owned()),
        by: "dana".to_owned(),
    }
}

/// The worker polls, acknowledges, reports progress once and ends well; only the last execution's first run fails.
fn work(known: &Pipeline, job: &Job) -> Option<Event> {
    let id = job.id.clone();
    match job.status {
        JobStatus::Queued => return Some(Event::JobsPolled { jobs: vec![id] }),
        JobStatus::Dispatched => {
            return Some(Event::JobAcknowledged {
                job: id,
                nonce: job.nonce.clone(),
            });
        }
        JobStatus::InProgress => {}
        _ => return None,
    }
    let execution = known
        .executions
        .iter()
        .find(|run| actions(run).any(|it| it.id == job.action_execution))?;
    let token = execution.client_token.as_deref();
    let first = actions(execution).filter(|it| it.name == "Work").count() == 1;
    Some(if token == Some("start-2") && first {
        Event::JobFailed {
            job: id,
            kind: "JobFailed".to_owned(),
            message: "the saw broke".to_owned(),
            external_id: None,
        }
    } else {
        Event::JobSucceeded {
            job: id,
            continuation: job.continuation_token.is_none().then(|| "half".to_owned()),
            variables: BTreeMap::new(),
            details: ExecutionDetails::default(),
            revision: None,
        }
    })
}

fn actions(
    run: &engine_plan::state::Execution,
) -> impl Iterator<Item = &engine_plan::state::ActionRun> {
    run.stages.iter().flat_map(|stage| &stage.actions)
}

/// How all came out, without ids and times.
fn outcome(state: &State) -> Vec<String> {
    let known = &state.pipelines["shop"];
    known
        .executions
        .iter()
        .map(|run| {
            let stages: Vec<_> = run
                .stages
                .iter()
                .map(|stage| {
                    let mut actions: Vec<_> = stage
                        .actions
                        .iter()
                        .map(|it| format!("{} {:?}", it.name, it.status))
                        .collect();
                    actions.sort_unstable();
                    format!("{} {:?} {actions:?}", stage.name, stage.status)
                })
                .collect();
            let token = run.client_token.as_deref().unwrap_or_default();
            format!(
                "{token} {:?} attempt {} {stages:?}",
                run.status, run.attempt
            )
        })
        .collect()
}

/// Every event that was told, without ids and times, in order of the alphabet.
fn told(bus: &Bus, state: &State) -> Vec<String> {
    let known = &state.pipelines["shop"];
    let events = bus.since(0);
    let mut all: Vec<String> = events
        .iter()
        .map(|event| {
            let detail = &event.item["detail"];
            let id = detail["execution-id"].as_str().unwrap();
            let text = |key: &str| detail[key].as_str().unwrap_or("-").to_owned();
            let number = known.execution_index[id];
            format!(
                "{number} {} {} {}",
                text("stage"),
                text("action"),
                text("state")
            )
        })
        .collect();
    all.sort_unstable();
    all
}

/// Opens the journal and lets everybody work until all has ended.
async fn live(path: &Path, seed: u128, mode: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let bus = Bus::new();
    let desk =
        Desk::open_with(path, Clock::real(), bus.clone(), settings(), counted(seed)).unwrap();
    let scripted = Scripted::attach(&desk);
    let over = |state: &State| {
        let known = state.pipelines.get("shop");
        known.is_some_and(|it| {
            let well = |run: &engine_plan::state::Execution| run.position == Position::Ended;
            it.executions.started() == EXECUTIONS
                && it.executions.iter().all(well)
                && next(state, mode).is_none()
        })
    };
    loop {
        let event = until(&desk, |state| {
            next(state, mode)
                .map(Some)
                .or_else(|| over(state).then_some(None))
        })
        .await;
        let Some(event) = event else { break };
        desk.submit(event).await.unwrap();
    }
    // the last events leave a little after the state shows what they tell
    desk.close().await;
    let (outcome, told) = desk.read(|state| (outcome(state), told(&bus, state)));
    let performed = scripted.started.lock().unwrap().clone();
    (outcome, told, performed)
}

async fn killed_anywhere(mode: &str) {
    let (_folder, whole) = folder();
    let (outcome, events, _) = live(&whole, 0, mode).await;
    assert_eq!(outcome.len(), EXECUTIONS);
    for line in &outcome {
        assert!(line.contains("Succeeded attempt"), "{outcome:#?}");
    }
    assert!(outcome[2].contains("attempt 2"), "{outcome:#?}");
    assert!(outcome[2].contains("Work Failed"), "{outcome:#?}");
    let all = records(&whole);
    assert!(all.len() > 40, "{}", all.len());
    for kept in 0..=all.len() {
        let (_folder, path) = folder();
        write(&path, &all[..kept]);
        let again = live(&path, 1_000, mode).await;
        let killed = format!("{mode}, killed after {kept} of {} records", all.len());
        assert_eq!(again.0, outcome, "{killed}");
        assert_eq!(again.1, events, "{killed}");
        let done = over(&all[..kept]);
        assert!(again.2.iter().all(|id| !done.contains(id)), "{killed}");
        keeps_what_was_over(&all[..kept], &records(&path), &killed);
    }
}

/// What had ended before the kill has not changed after it.
fn keeps_what_was_over(before: &[Input], after: &[Input], killed: &str) {
    let ends = |records: &[Input]| -> BTreeMap<String, ActionStatus> {
        let mut state = State::default();
        for input in records {
            step(&mut state, input).unwrap();
        }
        let runs = state.pipelines.values().flat_map(|it| &it.executions);
        runs.flat_map(actions)
            .map(|run| (run.id.clone(), run.status))
            .filter(|(_, status)| *status != ActionStatus::InProgress)
            .collect()
    };
    let (before, after) = (ends(before), ends(after));
    let lost: Vec<_> = before
        .iter()
        .filter(|(id, it)| after.get(*id) != Some(it))
        .collect();
    assert!(lost.is_empty(), "{killed}: {lost:?}");
}

#[tokio::test]
async fn queued_executions_killed_after_any_record_end_the_same() {
    killed_anywhere("QUEUED").await;
}

#[tokio::test]
async fn parallel_executions_killed_after_any_record_end_the_same() {
    killed_anywhere("PARALLEL").await;
}
