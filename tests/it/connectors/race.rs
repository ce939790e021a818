//! A Python worker and `action-jenkins` compete for the jobs of one custom action type: each job is done once.

use std::{
    collections::BTreeSet,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use harness::{
    connector::{Connector, Hosted},
    engine,
    process::{client, finish_within, shown},
    workspace::root,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use stagewright_standins::{Stage, jenkins::Jenkins};

const PIPELINES: usize = 20;
/// Actions of a stage; CodePipeline takes 50 beside each other.
const ACTIONS: usize = 50;
/// Half a minute on an idle machine of two cores; this is for busy ones.
const PATIENCE: Duration = Duration::from_secs(300);

/// Until the pipeline's execution is over, without much asking: the workers need the processors.
fn wait(ours: &Hosted, pipeline: &str) {
    let until = Instant::now() + PATIENCE;
    let input = json!({"pipelineName": pipeline});
    loop {
        let listed = ours.engine.ask("ListPipelineExecutions", &input);
        if listed["pipelineExecutionSummaries"][0]["status"] != "InProgress" {
            return;
        }
        assert!(Instant::now() < until, "{pipeline} is not over: {listed:#}");
        thread::sleep(Duration::from_millis(250));
    }
}

#[test]
fn each_of_1000_jobs_is_done_once() {
    let Some(python) = client("python3") else {
        return;
    };
    let mut vendor = Jenkins::default().with_job("race", Some(&["PIPELINE_RUN"]));
    // Over at once, so that each job has one continuation and not many.
    for time in [
        &mut vendor.queue_time,
        &mut vendor.making_time,
        &mut vendor.build_time,
    ] {
        *time = SignedDuration::ZERO;
    }
    let vendor = Stage::new(vendor).serve();
    let address = format!("{}/jenkins", vendor.url);
    let defaults = json!({"url": address, "user": "pipeline", "token": "ssm:ci"});
    let ours = Connector::of("action-jenkins")
        .secret("ci", "planted-token")
        .query("ProjectName", "race")
        .variable("STAGEWRIGHT_PARAMETERS", &defaults.to_string())
        .variable("STAGEWRIGHT_WORKER_JOBS", "50")
        .start();
    let began = Instant::now();
    let mut theirs = Command::new(python);
    let script = root().join("tests/clients/jenkins_worker.py");
    theirs.arg(script).args([
        &ours.engine.server.url,
        &address,
        "planted-token",
        "race",
        "10",
    ]);
    let kind =
        json!({"category": "Build", "owner": "Custom", "provider": "Jenkins", "version": "1"});
    let actions = (0..ACTIONS).map(|number| json!({
        "name": format!("Build{number}"), "actionTypeId": kind, "configuration": {"ProjectName": "race"}
    }));
    let actions: Vec<Value> = actions.collect();
    let names = (0..PIPELINES).map(|number| format!("race-{number}"));
    let names: Vec<String> = names.collect();
    let over = AtomicBool::new(false);
    let output = thread::scope(|scope| {
        let worker = scope.spawn(move || finish_within(&mut theirs, PATIENCE));
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    ours.engine.invoke("action-jenkins", &engine::schedule());
                }
            });
        }
        for name in &names {
            ours.engine
                .ask("CreatePipeline", &engine::pipeline(name, "Work", &actions));
        }
        for name in &names {
            wait(&ours, name);
            let ended = |all: &[Value]| {
                all.len() == ACTIONS && all.iter().all(|one| one["status"] != "InProgress")
            };
            let all = ours.engine.actions(name, "Work", ended);
            assert!(
                all.iter().all(|one| one["status"] == "Succeeded"),
                "{all:#?}"
            );
        }
        eprintln!("{} jobs in {:?}", PIPELINES * ACTIONS, began.elapsed());
        over.store(true, Ordering::Relaxed);
        worker.join().expect("the worker's output")
    });
    assert!(output.status.success(), "{}", shown(&output));

    let runs = vendor.stage.with(|jenkins| jenkins.given("PIPELINE_RUN"));
    let different: BTreeSet<&String> = runs.iter().collect();
    assert_eq!(
        (runs.len(), different.len()),
        (PIPELINES * ACTIONS, PIPELINES * ACTIONS)
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let by_them: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(
        by_them.len(),
        text.lines().count(),
        "the Python worker did a job twice"
    );
    assert!(by_them.iter().all(|run| different.contains(run)));
    let count = by_them.len();
    eprintln!("{count} by the Python worker");
    assert!(
        0 < count && count < PIPELINES * ACTIONS,
        "{count} of them by the Python worker"
    );
}
