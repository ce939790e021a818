//! What a pipeline or a state machine gives up is stopped at the vendor: the function's own binary, the engine's events.

use std::{
    thread,
    time::{Duration, Instant},
};

use harness::{
    connector::{Connector, Host, Hosted},
    engine::schedule,
    process::PATIENCE,
};
use serde_json::{Value, json};
use stagewright_standins::{
    Served, Stage,
    ghost_inspector::{Fate, GhostInspector},
};

use super::commit_status::listen;

const ACTION: &str = "action-ghost-inspector";

fn start() -> (Served<GhostInspector>, Hosted, Value) {
    let vendor = Stage::<GhostInspector>::default().serve();
    vendor.stage.with(|vendor| vendor.fate = Fate::Never);
    let connector = Connector::of(ACTION).secret("gi", "planted-key").start();
    let parameters =
        json!({"suite": "5f1", "apiKey": "ssm:gi", "baseUrl": format!("{}/v1", vendor.url)});
    (vendor, connector, parameters)
}

fn cancelled(vendor: &Served<GhostInspector>) -> usize {
    vendor.stage.with(|vendor| {
        let runs = vendor.runs.iter();
        runs.filter(|run| run.cancelled.is_some()).count()
    })
}

fn wait(vendor: &Served<GhostInspector>, runs: usize) {
    let until = Instant::now() + PATIENCE;
    while cancelled(vendor) < runs {
        assert!(Instant::now() < until, "{} of {runs}", cancelled(vendor));
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_pipeline_stopped_with_abandon_stops_its_outside_run() {
    let (vendor, connector, parameters) = start();
    listen(&connector.engine, ACTION);
    for (number, host) in [Host::Worker, Host::Invoke].into_iter().enumerate() {
        let pipeline = connector.begin(host, &parameters);
        let shown = |actions: &[Value]| {
            let result =
                |action: &Value| action["output"]["executionResult"]["externalExecutionId"].clone();
            actions
                .first()
                .is_some_and(|action| result(action).is_string())
        };
        let actions = connector.engine.actions(&pipeline, "Work", shown);
        assert_eq!(cancelled(&vendor), number);
        let stop = json!({"pipelineName": pipeline, "abandon": true,
                          "pipelineExecutionId": actions[0]["pipelineExecutionId"]});
        connector.engine.ask("StopPipelineExecution", &stop);
        wait(&vendor, number + 1);
        let over = |actions: &[Value]| actions[0]["status"] == "Abandoned";
        connector.engine.actions(&pipeline, "Work", over);
        // What comes late starts nothing.
        connector.engine.invoke(ACTION, &schedule());
        assert_eq!(vendor.stage.with(|vendor| vendor.runs.len()), number + 1);
    }
}

#[test]
fn a_state_machine_stops_its_outside_run() {
    let (vendor, connector, parameters) = start();
    let machine =
        |name: &str| format!("arn:aws:states:eu-west-1:123456789012:execution:machine:{name}");
    let begin = |name: &str| {
        let input = json!({"params": parameters, "run": format!("{}/State", machine(name))});
        let answer = connector.engine.invoke(ACTION, &input);
        assert_eq!(answer["status"], "RUNNING", "{answer}");
        input
    };
    let mut asked = begin("asks");
    asked["stop"] = json!({"Error": "States.Timeout"});
    let answer = connector.engine.invoke(ACTION, &asked);
    assert_eq!(
        (&answer["status"], &answer["found"]),
        (&json!("STOPPED"), &json!("running"))
    );
    assert_eq!(cancelled(&vendor), 1);
    assert_eq!(connector.engine.invoke(ACTION, &asked)["found"], "over");

    let aborted = begin("aborted");
    let event = json!({
        "id": "e-1", "detail-type": "Step Functions Execution Status Change", "source": "aws.states",
        "account": "123456789012", "time": "2026-01-02T03:04:05Z", "region": "eu-west-1",
        "detail": {"executionArn": machine("aborted"), "status": "ABORTED"}
    });
    let answer = connector.engine.invoke(ACTION, &event);
    assert_eq!(answer["stopped"][0]["found"], "running", "{answer}");
    assert_eq!(cancelled(&vendor), 2);
    // A late call of the machine finds that its run is over.
    let late = connector.engine.invoke(ACTION, &aborted);
    assert_eq!(late["errorType"], "Internal", "{late}");
    assert_eq!(vendor.stage.with(|vendor| vendor.runs.len()), 2);
}
