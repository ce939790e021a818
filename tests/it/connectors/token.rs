//! A state machine's task that waits with a token is woken by the vendor's callback over HTTP, or by the schedule.

use std::{
    thread,
    time::{Duration, Instant},
};

use harness::{
    connector::{Connector, Hosted},
    engine::schedule,
    http::request,
    process::PATIENCE,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use stagewright_standins::{
    Served, Stage,
    aws::{Machines, Task},
    ghost_inspector::{Fate, GhostInspector},
};

use super::aws::checked_by_botocore;

const ACTION: &str = "action-ghost-inspector";
const TOKEN: &str = "planted-task-token";

struct Scene {
    vendor: Served<GhostInspector>,
    machines: Served<Machines>,
    connector: Hosted,
}

fn scene() -> Scene {
    let vendor = Stage::<GhostInspector>::default().serve();
    let mut machines = Machines::default();
    machines.tasks.insert(TOKEN.to_owned(), Task::default());
    let machines = Stage::new(machines).serve();
    let connector = Connector::of(ACTION)
        .secret("gi", "planted-key")
        .secret("hook", "https://hooks.example.com/planted-path")
        .variable("AWS_ENDPOINT_URL_SFN", &machines.url)
        .variable("STAGEWRIGHT_LOG", "trace")
        .with_url()
        .start();
    Scene {
        vendor,
        machines,
        connector,
    }
}

impl Scene {
    /// The machine calls the function, which keeps the task and ends.
    fn begin(&self) {
        let base = format!("{}/v1", self.vendor.url);
        let params =
            json!({"test": "6a1", "apiKey": "ssm:gi", "webhook": "ssm:hook", "baseUrl": base});
        let input = json!({"params": params, "taskToken": TOKEN, "run": "execution/Test"});
        for _ in 0..2 {
            let answer = self.connector.engine.invoke(ACTION, &input);
            assert_eq!(
                answer,
                json!({"run": "execution/Test", "outcome": "WAITING"})
            );
        }
        assert_eq!(self.vendor.stage.with(|vendor| vendor.runs.len()), 1);
        assert_eq!(self.task().told, None);
    }

    /// What the vendor posts when a test ends, as its documentation shows it, to an address with a path of one's own.
    fn callback(&self) {
        let run = self.vendor.stage.with(|vendor| vendor.runs[0].id.clone());
        let body = json!({"_id": run, "passing": false, "name": "a stranger's"}).to_string();
        let kind = [("content-type", "application/json")];
        let path = format!("{}/unguessable", self.connector.path());
        let engine = &self.connector.engine.server.url;
        let answer = request(engine, "POST", &path, &kind, body.as_bytes()).expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    }

    fn task(&self) -> Task {
        self.machines
            .stage
            .with(|machines| machines.tasks[TOKEN].clone())
    }

    fn until(&self, what: &str, event: impl Fn(), over: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !over(self) {
            assert!(Instant::now() < until, "{what}: {:?}", self.task());
            event();
            thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn a_vendors_callback_wakes_the_task_that_waits() {
    let scene = scene();
    scene
        .vendor
        .stage
        .with(|vendor| vendor.takes = SignedDuration::from_millis(700));
    scene.begin();
    scene.until(
        "no outcome",
        || scene.callback(),
        |scene| scene.task().told.is_some(),
    );
    let (operation, request) = scene.task().told.expect("an outcome");
    assert_eq!(operation, "SendTaskSuccess");
    let output: Value =
        serde_json::from_str(request["output"].as_str().unwrap_or_default()).expect("JSON");
    assert_eq!(
        (&output["status"], &output["variables"]["Passed"]),
        (&json!("SUCCEEDED"), &json!("1"))
    );
    // Once more, late, and the schedule: nobody is told anything again.
    scene.callback();
    let round = scene.connector.engine.invoke(ACTION, &schedule());
    assert_eq!(round["tasks"], 0, "{round}");
    let tried = scene.machines.stage.records().len();
    assert_eq!(
        tried,
        scene.task().beats + 1,
        "one outcome beside the heartbeats"
    );
    assert_eq!(scene.vendor.stage.with(|vendor| vendor.runs.len()), 1);
    checked_by_botocore(&scene.machines);
    let logs = scene.connector.engine.files_with(&[TOKEN]);
    let logs: Vec<_> = logs
        .iter()
        .filter(|file| file.extension().is_some_and(|end| end == "log"))
        .collect();
    assert!(logs.is_empty(), "the token is in {logs:?}");
}

#[test]
fn a_machine_that_waits_no_more_has_its_run_cancelled_and_a_lost_callback_loses_nothing() {
    let scene = scene();
    scene.vendor.stage.with(|vendor| vendor.fate = Fate::Never);
    scene.begin();
    scene.machines.stage.with(|machines| {
        for task in machines.tasks.values_mut() {
            task.closed = true;
        }
    });
    // No callback comes; the action wants to look again after some seconds.
    let cancelled = |scene: &Scene| {
        scene
            .vendor
            .stage
            .with(|vendor| vendor.runs[0].cancelled.is_some())
    };
    let sweep = || {
        scene.connector.engine.invoke(ACTION, &schedule());
    };
    scene.until("not cancelled", sweep, cancelled);
    assert_eq!(scene.task().told, None);
}
