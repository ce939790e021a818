//! Executions of a five-action pipeline per second, with instant actions: in memory, and with the journal on disk.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use engine::{
    bus::Bus,
    clock::{Busy, Clock},
    desk::{Desk, Perform},
};
use engine_plan::{
    check,
    effect::{ActionTask, Effect},
    event::{Event, ExecutionDetails, Input, Outcome, Settings, Trigger},
    state::{Execution, State},
    step::step,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

const EXECUTIONS: usize = 5_000;
const PIPELINES: usize = 50;

/// Executions through the planner alone, and through a desk with its journal.
pub async fn measure() -> Vec<(String, String)> {
    let names: Vec<String> = (0..PIPELINES).map(|i| format!("bench-{i}")).collect();
    let alone = alone(EXECUTIONS);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("journal.db");
    let journaled = fill(&file, "QUEUED", &names, EXECUTIONS / PIPELINES, 1).await;
    vec![
        (
            "executions of 5 actions a second, planner alone, in memory".to_owned(),
            format!("{alone:.0}/s"),
        ),
        (
            format!("journaled executions of 5 actions a second, {PIPELINES} at once"),
            format!("{journaled:.0}/s"),
        ),
    ]
}

/// Runs so many executions of each pipeline, so many at once, and closes the journal; executions a second.
pub async fn fill(
    journal: &Path,
    mode: &str,
    names: &[String],
    executions: usize,
    at_once: usize,
) -> f64 {
    fill_and(journal, mode, names, executions, at_once, || ()).await
}

/// The same; `look` is called when all have ended and the journal is still open.
pub async fn fill_and(
    journal: &Path,
    mode: &str,
    names: &[String],
    executions: usize,
    at_once: usize,
    look: impl FnOnce(),
) -> f64 {
    let desk = Desk::open(journal, Clock::real(), Bus::new(), settings()).expect("a journal");
    let room = names
        .iter()
        .map(|name| (name.clone(), Arc::new(Semaphore::new(at_once))))
        .collect();
    let instantly = Arc::new(Instantly(Arc::new(Shared {
        desk: desk.clone(),
        room,
        ended: Mutex::default(),
    })));
    desk.attach(Arc::clone(&instantly) as Arc<dyn Perform>);
    for name in names {
        // a journal that is filled further has it already
        if !desk.read(|state| state.pipelines.contains_key(name)) {
            desk.submit(create(name, mode)).await.expect("created");
        }
    }
    let begin = Instant::now();
    let mut running = Vec::new();
    for name in names {
        let name = name.clone();
        let shared = Arc::clone(&instantly.0);
        running.push(tokio::spawn(async move {
            let room = &shared.room[&name];
            for _ in 0..executions {
                room.acquire().await.expect("open").forget();
                shared.desk.submit(start(&name)).await.expect("started");
            }
            // all of them have ended
            let all = u32::try_from(at_once).expect("a few");
            room.acquire_many(all).await.expect("open").forget();
        }));
    }
    for one in running {
        one.await.expect("it ran");
    }
    let seconds = begin.elapsed().as_secs_f64();
    look();
    desk.close().await;
    (executions * names.len()) as f64 / seconds
}

/// Ends every action as soon as it starts, and makes room for one more execution when one has ended.
struct Instantly(Arc<Shared>);

struct Shared {
    desk: Desk,
    /// Executions that may still start, by pipeline.
    room: HashMap<String, Arc<Semaphore>>,
    /// Both last actions may see the end.
    ended: Mutex<HashSet<String>>,
}

impl Perform for Instantly {
    fn perform(&self, task: ActionTask, busy: Busy) {
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let event = finished(task.action_execution);
            shared.desk.submit(event).await.expect("the desk takes it");
            drop(busy);
            let ended = task.stage == "Test"
                && shared.desk.read(|state| {
                    let run = state.pipelines[&task.pipeline].execution(&task.execution);
                    run.is_none_or(Execution::has_ended)
                });
            let mut known = shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
            if ended && known.insert(task.execution) {
                shared.room[&task.pipeline].add_permits(1);
            }
        });
    }

    fn cancel(&self, _action_execution: &str) {}
}

/// The planner's own speed: the same executions one after the other, nothing written.
fn alone(executions: usize) -> f64 {
    let mut state = State::default();
    let mut at: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    let mut events = VecDeque::from([create("bench", "QUEUED")]);
    events.extend((0..executions).map(|_| start("bench")));
    let begin = Instant::now();
    let mut seed = 0;
    while let Some(event) = events.pop_front() {
        at += SignedDuration::from_millis(1);
        seed += 1;
        let (_, effects) = step(&mut state, &Input { at, seed, event }).expect("accepted");
        for effect in effects {
            if let Effect::Perform(task) = effect {
                // before the next start
                events.push_front(finished(task.action_execution));
            }
        }
    }
    assert!(state.running.is_empty());
    executions as f64 / begin.elapsed().as_secs_f64()
}

fn settings() -> Settings {
    Settings {
        account: "123456789012".to_owned(),
        ..Settings::default()
    }
}

fn create(name: &str, mode: &str) -> Event {
    Event::CreatePipeline {
        definition: check::parse(definition(name, mode)).expect("a definition"),
        tags: BTreeMap::new(),
        start: false,
    }
}

fn start(pipeline: &str) -> Event {
    Event::Start {
        pipeline: pipeline.to_owned(),
        trigger: Trigger {
            trigger_type: "StartPipelineExecution".to_owned(),
            trigger_detail: String::new(),
            reference: None,
        },
        variables: BTreeMap::new(),
        source_revisions: Vec::new(),
        client_token: None,
    }
}

fn finished(action_execution: String) -> Event {
    Event::Finished {
        action_execution,
        outcome: Outcome::Succeeded {
            details: ExecutionDetails::default(),
            variables: BTreeMap::new(),
            revision: None,
        },
    }
}

fn definition(name: &str, mode: &str) -> Value {
    let action = |name: &str, input: &str, output: &str| {
        json!({"name": name, "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
            "configuration": {"ProjectName": "p"}, "inputArtifacts": [{"name": input}], "outputArtifacts": [{"name": output}]})
    };
    json!({"name": name, "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2", "executionMode": mode,
        "artifactStore": {"type": "S3", "location": "bench-artifacts"},
        "stages": [
            {"name": "Source", "actions": [{"name": "Source",
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"},
                "configuration": {"RepositoryName": "r", "BranchName": "main"}, "outputArtifacts": [{"name": "A"}]}]},
            {"name": "Build", "actions": [action("One", "A", "B"), action("Two", "A", "C")]},
            {"name": "Test", "actions": [action("Three", "B", "D"), action("Four", "C", "E")]}]})
}
