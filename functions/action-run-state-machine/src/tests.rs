//! The whole action over fakes: every outcome on every host, and every call failed, lost, cut off and repeated.

use std::{cell::RefCell, io::Cursor, sync::OnceLock, time::Duration};

use serde_json::{Value, json};

use shared::{
    archive::read_one,
    job::{FailureKind, Report},
};

use shared_testkit::{
    Failing, Host, Mode, World, describes, events, failure, give_up_and_fail,
    memory::{MemoryArtifacts, MemoryFiles, MemoryLedger},
    over, repeat_and_fail,
    time::VirtualTime,
};

use stagewright_standins::{
    InMemory, Stage, Trick,
    aws::{Machines, Outcome, OverHttp, Refusal, asked_for},
};

use crate::RunStateMachine;

mod ends;
mod faults;

type TestMachine = RunStateMachine<
    Failing<OverHttp<InMemory<Machines, VirtualTime>>>,
    Failing<MemoryLedger>,
    Failing<MemoryArtifacts>,
    Failing<MemoryFiles>,
>;

const ARN: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:release";

const EXECUTION: &str = "arn:aws:states:eu-west-1:123456789012:execution:release:";

fn action(world: &World, stage: &Stage<Machines>) -> TestMachine {
    let machines = Failing::new(OverHttp(stage.http(world.time)), &world.plan);
    static INPUT: OnceLock<Vec<u8>> = OnceLock::new();
    let zip = INPUT.get_or_init(|| {
        events::zip_of(&[("in.json", "{ \"planted\": 7 }"), ("bad.json", "planted")])
    });
    world.artifacts.inner.set("store", "in.zip", zip.clone());
    RunStateMachine::new(
        machines,
        world.ledger.clone(),
        world.artifacts.clone(),
        world.files.clone(),
    )
}

fn event(more: &Value) -> Value {
    let all = json!({"stateMachineArn": ARN, "timeoutMinutes": 10});
    let all = over(all, more);
    let event = events::with_input(events::job(&all), "In", "store", "in.zip");
    events::with_output(event, "Out", "store", "out.zip")
}

async fn play(host: Host, more: &Value, stage: &Stage<Machines>) -> (World, Report) {
    let world = World::new(Mode::Work);
    let report = world
        .play_on(host, &action(&world, stage), &event(more))
        .await;
    (world, report)
}

fn ends(status: &'static str, error: Option<&'static str>, cause: Option<&str>) -> Machines {
    Machines {
        outcome: Outcome {
            status,
            output: None,
            error,
            cause: cause.map(str::to_owned),
        },
        ..Machines::default()
    }
}

fn count(stage: &Stage<Machines>) -> usize {
    stage.with(|machines| machines.executions.len())
}

#[test]
fn the_description_agrees_with_the_parameters() {
    describes::<TestMachine>(&json!({ "stateMachineArn": ARN }));
}

#[tokio::test(start_paused = true)]
async fn an_execution_gives_its_output_to_later_actions() {
    for host in Host::ALL {
        let stage = Stage::<Machines>::default();
        let more = json!({"input": {"b": 1, "a": "x"}, "executionNamePrefix": "site"});
        let (world, report) = play(host, &more, &stage).await;
        let Report::Success { variables, details } = report else {
            unreachable!("{host:?}: {report:?}");
        };
        assert_eq!(variables["version"], "1.4", "{host:?}");
        assert_eq!(variables["rows"], "42");
        let arn = &variables["ExecutionArn"];
        assert!(
            arn.starts_with(EXECUTION) && arn.contains(":site-"),
            "{arn}"
        );
        assert_eq!(details.external_id.unwrap().as_str(), arn);
        let summary = details.summary.unwrap();
        assert!(
            summary.contains("succeeded; 1 members of its output are no variables"),
            "{summary}"
        );
        let input = stage.with(|machines| machines.executions[arn].input.clone());
        assert_eq!(
            serde_json::from_str::<Value>(&input).unwrap(),
            more["input"]
        );
        let zip = world.artifacts.inner.get("store", "out.zip").unwrap();
        let output = read_one(Cursor::new(zip), "output.json", 100).unwrap();
        assert_eq!(output, br#"{"version":"1.4","rows":42,"list":[1]}"#);
        assert_eq!(count(&stage), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn its_input_may_be_a_file_of_an_artifact() {
    let stage = Stage::<Machines>::default();
    let (world, report) = play(Host::Invoke, &json!({"inputFile": "In::in.json"}), &stage).await;
    assert!(matches!(report, Report::Success { .. }), "{report:?}");
    let inputs = stage.with(|machines| {
        let all = machines.executions.values();
        all.map(|run| run.input.clone()).collect::<Vec<_>>()
    });
    assert_eq!(inputs, [r#"{"planted":7}"#]);
    let told = format!("{:?}", world.reporter.inner.taken());
    assert!(!told.contains("planted"), "{told}");
}
