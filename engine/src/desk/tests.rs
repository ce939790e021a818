//! The writer under load, crashes at every record, and time.

use std::{collections::BTreeSet, path::PathBuf};

use engine_plan::{
    event::{Input, Outcome},
    state::{ActionStatus, ExecutionStatus},
    step::step,
};
use tempfile::TempDir;

use super::{
    scripted::{Scripted, approve, counted, create, ended, open, settings, start, started, token},
    *,
};

pub(super) fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.sqlite");
    (folder, journal)
}

pub(super) fn records(path: &Path) -> Vec<Input> {
    let all = Journal::open(path).unwrap().records(0, 100_000).unwrap();
    all.into_iter().map(|(_, input)| input).collect()
}

pub(super) fn write(path: &Path, records: &[Input]) {
    let mut journal = Journal::open(path).unwrap();
    let mut batch = journal.batch().unwrap();
    for input in records {
        batch.append(input).unwrap();
    }
    batch.commit().unwrap();
}

/// Action executions that these records say are over.
pub(super) fn over(records: &[Input]) -> BTreeSet<String> {
    let mut state = State::default();
    for input in records {
        step(&mut state, input).unwrap();
    }
    let executions = state
        .pipelines
        .values()
        .flat_map(|pipeline| &pipeline.executions);
    executions
        .flat_map(|execution| &execution.stages)
        .flat_map(|stage| &stage.actions)
        .filter(|run| run.status != ActionStatus::InProgress)
        .map(|run| run.id.clone())
        .collect()
}

#[tokio::test]
async fn what_was_not_written_down_is_told_to_nobody() {
    let (_folder, path) = folder();
    drop(Journal::open(&path).unwrap());
    // The settings and the pipeline are taken, the start is not.
    let full = "CREATE TRIGGER full AFTER INSERT ON input WHEN NEW.seq > 2 BEGIN SELECT RAISE(ABORT, 'full'); END";
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch(full).unwrap();
    drop(file);
    let desk = open(&path, 0);
    create(&desk).await;
    let seen = desk.wait_until(|state| {
        let shop = state.pipelines.get("shop")?;
        (shop.executions.started() > 0).then_some(())
    });
    let (refused, seen) = futures_util::future::join(desk.submit(start()), seen).await;
    assert_eq!(refused.unwrap_err().exception, "InternalFailure");
    assert!(seen.is_none() && desk.is_broken());
    desk.ended().await;
    assert_eq!(open_after(&path).len(), 2);
}

/// What a start finds.
fn open_after(path: &Path) -> Vec<Input> {
    let file = rusqlite::Connection::open(path).unwrap();
    file.execute_batch("DROP TRIGGER full").unwrap();
    drop(file);
    records(path)
}

#[tokio::test]
async fn killed_after_any_record_it_ends_the_same_and_repeats_nothing_that_was_over() {
    let (_folder, whole) = folder();
    let desk = open(&whole, 0);
    Scripted::attach(&desk);
    create(&desk).await;
    let id = started(&desk).await;
    approve(&desk, &token(&desk).await).await;
    assert_eq!(ended(&desk, &id).await.status, ExecutionStatus::Succeeded);
    desk.close().await;
    let records = records(&whole);
    assert!(records.len() >= 9, "{records:#?}");

    for kept in 0..=records.len() {
        let (_folder, path) = folder();
        write(&path, &records[..kept]);
        let desk = open(&path, 1_000);
        let scripted = Scripted::attach(&desk);
        if desk.read(|state| state.pipelines.is_empty()) {
            create(&desk).await;
        }
        let id = match desk.read(|state| {
            state.pipelines["shop"]
                .executions
                .iter()
                .next()
                .map(|e| e.id.clone())
        }) {
            Some(id) => id,
            None => started(&desk).await,
        };
        if desk.read(|state| !state.pipelines["shop"].executions[0].has_ended())
            && !over(&records[..kept])
                .iter()
                .any(|run| is_approval(&desk, run))
        {
            approve(&desk, &token(&desk).await).await;
        }
        let execution = ended(&desk, &id).await;
        assert_eq!(
            execution.status,
            ExecutionStatus::Succeeded,
            "after {kept} records"
        );
        let runs: Vec<_> = execution
            .stages
            .iter()
            .flat_map(|stage| &stage.actions)
            .collect();
        let names: Vec<_> = runs.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(
            names,
            ["Code", "Compile", "Pages", "Links", "Ask", "Copy"],
            "after {kept} records"
        );
        assert!(runs.iter().all(|run| run.status == ActionStatus::Succeeded));
        let again: Vec<_> = scripted.started.lock().unwrap().clone();
        let done = over(&records[..kept]);
        assert!(
            again.iter().all(|id| !done.contains(id)),
            "after {kept} records: {again:?}"
        );
        desk.close().await;
    }
}

fn is_approval(desk: &Desk, run: &str) -> bool {
    desk.read(|state| {
        let execution = &state.pipelines["shop"].executions[0];
        let mut runs = execution.stages.iter().flat_map(|stage| &stage.actions);
        runs.any(|r| r.id == run && r.approval_token.is_some())
    })
}

#[tokio::test]
async fn answers_come_in_the_order_of_the_journal_and_refusals_leave_no_record() {
    let (_folder, path) = folder();
    let desk = open(&path, 0);
    create(&desk).await;
    let unknown = || Event::DeleteCustomActionType {
        category: "Build".to_owned(),
        provider: "None".to_owned(),
        version: "1".to_owned(),
    };
    let refused = || Event::Retry {
        pipeline: "nowhere".to_owned(),
        stage: "s".to_owned(),
        execution: "e".to_owned(),
        mode: engine_plan::event::RetryMode::AllActions,
    };
    let mut events = Vec::new();
    for n in 0..600 {
        events.push(match n % 3 {
            0 => start(),
            1 => refused(),
            _ => unknown(),
        });
    }
    let answers = futures_util::future::join_all(events.into_iter().map(|e| desk.submit(e))).await;
    let ids: Vec<String> = answers
        .iter()
        .filter_map(|answer| match answer {
            Ok(Answer::Execution(id)) => Some(id.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(ids.len(), 200);
    assert!(answers.iter().skip(1).step_by(3).all(|a| {
        a.as_ref()
            .is_err_and(|r| r.exception == "PipelineNotFoundException")
    }));
    let order: Vec<String> = desk.read_all(|state, past| {
        let all = past.history(&state.pipelines["shop"], None, None, 50);
        all.map(|run| run.unwrap().1.id.clone()).collect()
    });
    assert!(order.iter().rev().eq(&ids));
    assert_eq!(desk.applied(), 2 + 400);
    desk.close().await;
    let closed = desk.submit(start()).await.unwrap_err();
    assert_eq!(closed.exception, "InternalFailure");

    let kept = records(&path);
    assert_eq!(kept.len(), 2 + 400);
    assert!(kept.is_sorted_by_key(|input| input.at), "time went back");
    let again = open(&path, 9_000);
    assert_eq!(again.read(Clone::clone), desk.read(Clone::clone));
    assert_eq!(
        again.applied(),
        1,
        "actions run, so Resumed is noted; the settings are not new"
    );
}

#[tokio::test]
async fn a_second_engine_is_told_so() {
    let (_folder, path) = folder();
    let _first = open(&path, 0);
    let second = Desk::open(&path, Clock::real(), Bus::new(), settings()).unwrap_err();
    let text = second.to_string();
    assert!(text.contains("is in use by another stagewright"), "{text}");
}

#[tokio::test]
async fn a_fast_clock_lets_an_approval_expire_and_a_restart_keeps_the_time() {
    let (_folder, path) = folder();
    let begun = Timestamp::now();
    let desk = Desk::open_with(&path, Clock::fast(), Bus::new(), settings(), counted(0)).unwrap();
    let scripted = Scripted::attach(&desk);
    create(&desk).await;
    let id = started(&desk).await;
    let execution = ended(&desk, &id).await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    // Its performer is told, a little after the state shows the end.
    let told = async {
        while scripted.cancelled.lock().unwrap().len() != 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), told)
        .await
        .unwrap();
    let week = jiff::SignedDuration::from_hours(7 * 24);
    assert!(execution.updated >= begun + week);
    desk.close().await;
    let clock = Clock::real();
    let again = Desk::open(&path, clock.clone(), Bus::new(), settings()).unwrap();
    assert!(clock.now() >= execution.updated);
    again.close().await;
}

#[tokio::test]
async fn events_leave_in_order_and_a_restart_shows_the_same_ones() {
    let (_folder, path) = folder();
    let seen = |bus: &Bus| -> Vec<serde_json::Value> {
        bus.since(0)
            .iter()
            .map(|numbered| (*numbered.item).clone())
            .collect()
    };
    let bus = Bus::new();
    let desk = Desk::open_with(&path, Clock::real(), bus.clone(), settings(), counted(0)).unwrap();
    Scripted::attach(&desk);
    create(&desk).await;
    let id = started(&desk).await;
    approve(&desk, &token(&desk).await).await;
    ended(&desk, &id).await;
    desk.close().await;
    let before = seen(&bus);
    let last = before.last().unwrap();
    assert_eq!(
        last["detail-type"],
        "CodePipeline Pipeline Execution State Change"
    );
    assert_eq!(last["detail"]["state"], "SUCCEEDED");
    let ids: BTreeSet<_> = before
        .iter()
        .map(|e| e["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), before.len(), "ids repeat");
    let bus = Bus::new();
    let again = Desk::open(&path, Clock::real(), bus.clone(), settings()).unwrap();
    assert_eq!(seen(&bus), before);
    again.close().await;
}

#[tokio::test]
async fn a_report_about_what_is_over_changes_nothing() {
    let (_folder, path) = folder();
    let desk = open(&path, 0);
    let scripted = Scripted::attach(&desk);
    create(&desk).await;
    let id = started(&desk).await;
    token(&desk).await;
    let first = scripted.started.lock().unwrap()[0].clone();
    let event = Event::Finished {
        action_execution: first,
        outcome: Outcome::Stopped,
    };
    desk.submit(event).await.unwrap();
    approve(&desk, &token(&desk).await).await;
    assert_eq!(ended(&desk, &id).await.status, ExecutionStatus::Succeeded);
}

/// A rule that wants every event of a pipeline execution for one target.
fn routes() -> engine_events::route::Routes {
    use engine_events::{pattern::Pattern, route::Route, target::Target};
    let pattern = r#"{"detail-type": [{"prefix": "CodePipeline Pipeline"}]}"#;
    let route = Route {
        rule: "executions".to_owned(),
        arn: "arn:rule".to_owned(),
        pattern: Pattern::compile(pattern).unwrap(),
        targets: vec![Target {
            id: "f".to_owned(),
            arn: "f".to_owned(),
            ..Target::default()
        }],
    };
    engine_events::route::Routes::new([("default".to_owned(), route)])
}

/// State and number of each delivery that is there.
fn waiting(desk: &Desk) -> Vec<(String, i64)> {
    let mut deliveries = desk.deliveries().unwrap();
    let mut all = Vec::new();
    while let Ok(outgoing) = deliveries.try_recv() {
        let state = outgoing.delivery.event["detail"]["state"].as_str();
        assert!(outgoing.delivery.event["id"].is_string());
        all.push((state.unwrap_or("?").to_owned(), outgoing.number));
    }
    all
}

#[tokio::test]
async fn a_wanted_event_comes_again_until_it_is_delivered() {
    let (_folder, path) = folder();
    let bus = Bus::new();
    bus.route(routes());
    let desk = Desk::open(&path, Clock::real(), bus.clone(), settings()).unwrap();
    Scripted::attach(&desk);
    create(&desk).await;
    let id = started(&desk).await;
    approve(&desk, &token(&desk).await).await;
    ended(&desk, &id).await;
    let own = serde_json::json!({"id": "1", "detail-type": "CodePipeline Pipeline x", "detail": {"state": "own"}});
    let unwanted = serde_json::json!({"id": "2", "detail-type": "other"});
    desk.publish("default", vec![own.clone(), unwanted])
        .await
        .unwrap();
    desk.publish("elsewhere", vec![own]).await.unwrap();
    let first = waiting(&desk);
    let states: Vec<&str> = first.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(states, ["STARTED", "SUCCEEDED", "own"]);
    desk.delivered(first[0].1);
    // Nothing is said about the others: the engine dies here.
    desk.close().await;
    drop(desk);

    let desk = Desk::open(&path, Clock::real(), bus.clone(), settings()).unwrap();
    let again = waiting(&desk);
    assert_eq!(again, first[1..]);
    desk.delivered(again[0].1);
    desk.delivered(again[1].1);
    desk.close().await;
    drop(desk);
    let desk = Desk::open(&path, Clock::real(), bus, settings()).unwrap();
    assert_eq!(waiting(&desk), []);
    desk.close().await;
}
