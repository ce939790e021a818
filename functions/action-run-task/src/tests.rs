//! The whole action over fakes: every outcome on every host, and every call failed, lost, cut off and repeated.

use serde_json::{Value, json};

use shared::{
    action::{Action as _, Stop},
    archive::{Limits, names, read_one},
    job::{FailureKind, Report},
    port::Clock as _,
};

use shared_testkit::{
    Failing, Fate, Host, Mode, World, describes, events, failure, give_up_and_fail,
    memory::{MemoryArtifacts, MemoryLedger},
    over, repeat_and_fail,
    time::VirtualTime,
};

use stagewright_standins::{
    InMemory, Stage, Trick,
    aws::{Containers, Ending, Log, OverHttp, Refusal, asked_for},
};

use std::{io::Cursor, time::Duration};

use crate::RunTask;

mod ends;
mod faults;

type TestTask = RunTask<
    Failing<OverHttp<InMemory<Containers, VirtualTime>>>,
    Failing<MemoryLedger>,
    Failing<MemoryArtifacts>,
>;

fn action(world: &World, stage: &Stage<Containers>) -> TestTask {
    let services = Failing::new(OverHttp(stage.http(world.time)), &world.plan);
    RunTask::new(services, world.ledger.clone(), world.artifacts.clone())
}

fn parameters(more: Value) -> Value {
    let all = json!({"taskDefinition": "migrate", "container": "app", "command": ["up"], "timeoutMinutes": 10});
    over(all, &more)
}

fn event(more: Value) -> Value {
    let event = events::job(&parameters(more));
    events::with_output(event, "Logs", "store", "logs.zip")
}

async fn play(host: Host, more: Value, stage: &Stage<Containers>) -> (World, Report) {
    let world = World::new(Mode::Work);
    let report = world
        .play_on(host, &action(&world, stage), &event(more))
        .await;
    (world, report)
}

fn ending(stop_code: &'static str, code: Option<i64>, reason: Option<&'static str>) -> Containers {
    Containers {
        ending: Ending {
            stop_code,
            reason: "Essential container in task exited",
            containers: vec![("app", code, reason)],
        },
        ..Containers::default()
    }
}

#[test]
fn the_description_agrees_with_the_parameters() {
    describes::<TestTask>(&json!({"taskDefinition": "m", "container": "app", "subnets": ["s"]}));
}

#[tokio::test(start_paused = true)]
async fn a_task_runs_once_and_leaves_its_log() {
    for host in Host::ALL {
        let stage = Stage::<Containers>::default();
        let network =
            json!({"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "launchType": "FARGATE"});
        let (world, report) = play(host, network, &stage).await;
        let Report::Success { variables, details } = report else {
            unreachable!("{host:?}: {report:?}");
        };
        assert_eq!(variables["ExitCode"], "0", "{host:?}");
        assert_eq!(variables["LastLine"], "42 rows");
        assert_eq!(variables["TaskId"].len(), 32);
        assert_eq!(details.external_id.unwrap().as_str(), variables["TaskArn"]);
        let request = stage.with(|ecs| ecs.request(0));
        assert_eq!(request["clientToken"], request["startedBy"]);
        assert_eq!(request["launchType"], "FARGATE");
        assert_eq!(
            request["networkConfiguration"]["awsvpcConfiguration"],
            json!({"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"})
        );
        assert_eq!(
            request["overrides"]["containerOverrides"],
            json!([{"name": "app", "command": ["up"]}])
        );
        let zip = world.artifacts.inner.get("store", "logs.zip").unwrap();
        let files = names(Cursor::new(zip.clone()), &Limits::DEFAULT).unwrap();
        assert_eq!(files, ["app.log", "task.json"]);
        let log = read_one(Cursor::new(zip), "app.log", 100).unwrap();
        assert_eq!(log, b"begin\n42 rows\n");
    }
}

#[tokio::test(start_paused = true)]
async fn people_see_the_task_while_it_runs() {
    let stage = Stage::<Containers>::default();
    let (world, _) = play(Host::Invoke, json!({}), &stage).await;
    let reports = world.reporter.inner.taken();
    let Report::Continue { details, .. } = &reports[1].1 else {
        unreachable!("{reports:?}");
    };
    let summary = details.summary.as_deref().unwrap();
    assert!(summary.contains("is RUNNING"), "{summary}");
    assert!(
        summary.ends_with(
            "/ecs/v2/clusters/default/tasks/00000000000000000000000000000001?region=eu-west-1"
        ),
        "{summary}"
    );
    assert!(details.external_id.is_some());
}
