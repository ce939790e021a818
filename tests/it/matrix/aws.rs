//! Connectors of AWS's own services.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{job::FailureKind, provider::Provider};
use shared_testkit::{Failing, VirtualTime, World, events, memory};
use stagewright_standins::{
    InMemory, Stage, Trick,
    aws::{Containers, DeviceFarm, Machines, OverHttp, PROJECT, Refusal, Signals},
};

use super::{Cast, Cell, Play, unknown_parameter};

type Http<V> = InMemory<V, VirtualTime>;
type Services<V> = Failing<OverHttp<Http<V>>>;
type Ledger = Failing<memory::MemoryLedger>;
type Artifacts = Failing<memory::MemoryArtifacts>;

const ENDLESS: Duration = Duration::from_secs(9_000 * 3600);

fn denied<S: stagewright_standins::StandIn>(
    stage: &Stage<S>,
    operation: &str,
    text: &'static str,
) -> Cell {
    let refusal = Refusal::new("AccessDeniedException", "planted").reply();
    stage.always("", operation, Trick::Reply(refusal));
    Cell::Fails(json!({}), FailureKind::PermissionError, text)
}

fn failed(text: &'static str) -> Cell {
    Cell::Fails(json!({}), FailureKind::JobFailed, text)
}

fn late(text: &'static str) -> Cell {
    Cell::Fails(json!({"timeoutMinutes": 5}), FailureKind::JobFailed, text)
}

pub struct Farm;

impl Cast for Farm {
    type Vendor = DeviceFarm;
    type Played = action_device_farm::DeviceFarm<
        Services<DeviceFarm>,
        Failing<Http<DeviceFarm>>,
        VirtualTime,
        Ledger,
        Artifacts,
    >;
    const START: &'static str = "ScheduleRun";
    const WAITS: usize = 4;

    fn vendor() -> DeviceFarm {
        DeviceFarm::default()
    }
    fn action(world: &World, stage: &Stage<DeviceFarm>) -> Self::Played {
        let http = stage.http(world.time);
        let storage = Failing::new(http.clone(), &world.plan);
        let zip = events::zip_of(&[("out/app.apk", "an app"), ("tests.zip", "tests")]);
        world.artifacts.inner.set("store", "built.zip", zip);
        action_device_farm::DeviceFarm::new(
            Failing::new(OverHttp(http), &world.plan),
            Provider::new(storage, world.time, "Device Farm's storage"),
            world.ledger.clone(),
            world.artifacts.clone(),
        )
    }
    fn event() -> Value {
        let pool = "arn:aws:devicefarm:us-west-2::devicepool:082d10e5-d7d7-48a5-ba5c-b33d66efa1f5";
        let event = events::job(&json!({
            "projectArn": PROJECT, "devicePoolArn": pool, "appType": "Android", "app": "out/app.apk",
            "testType": "APPIUM_PYTHON", "testPackage": "Built::tests.zip"
        }));
        events::with_input(event, "Built", "store", "built.zip")
    }
    fn cell(play: Play, stage: &Stage<DeviceFarm>) -> Cell {
        let endless = || stage.with(|farm| farm.times.1 = ENDLESS);
        match play {
            Play::Happy | Play::LostAnswer | Play::Crash => Cell::Succeeds,
            Play::Throttled | Play::Truncated | Play::Slow => Cell::Succeeds,
            Play::Failed => {
                stage.with(|farm| (farm.result, farm.failed) = ("FAILED", 2));
                failed("the run failed: 10 of 12 tests passed, 2 failed")
            }
            Play::TimedOut => {
                endless();
                late("did not end within 5 minutes and was stopped")
            }
            Play::Stopped => {
                // A state machine's calls come at once: uploads are ready by the next.
                stage.with(|farm| farm.checks = Duration::ZERO);
                endless();
                Cell::Stops
            }
            Play::BadCredentials => denied(stage, "ScheduleRun", "needs devicefarm:ScheduleRun"),
            Play::BadParameters => unknown_parameter(),
        }
    }
    fn started(farm: &mut DeviceFarm) -> usize {
        farm.runs.len()
    }
    fn going(farm: &mut DeviceFarm) -> usize {
        let runs = farm.runs.iter();
        runs.filter(|run| run.stopped.is_none()).count()
    }
}

pub struct StateMachine;

impl Cast for StateMachine {
    type Vendor = Machines;
    type Played = action_run_state_machine::RunStateMachine<
        Services<Machines>,
        Ledger,
        Artifacts,
        Failing<memory::MemoryFiles>,
    >;
    const START: &'static str = "StartExecution";

    fn vendor() -> Machines {
        Machines::default()
    }
    fn action(world: &World, stage: &Stage<Machines>) -> Self::Played {
        action_run_state_machine::RunStateMachine::new(
            Failing::new(OverHttp(stage.http(world.time)), &world.plan),
            world.ledger.clone(),
            world.artifacts.clone(),
            world.files.clone(),
        )
    }
    fn event() -> Value {
        let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:release";
        events::job(&json!({"stateMachineArn": machine, "input": {"stage": "live"}}))
    }
    fn cell(play: Play, stage: &Stage<Machines>) -> Cell {
        let endless = || stage.with(|machines| machines.lasts = ENDLESS);
        match play {
            Play::Happy | Play::LostAnswer | Play::Crash => Cell::Succeeds,
            Play::Throttled | Play::Truncated | Play::Slow => Cell::Succeeds,
            Play::Failed => {
                stage.with(|machines| {
                    machines.outcome.status = "FAILED";
                    machines.outcome.error = Some("Shop.Closed");
                });
                failed("Shop.Closed")
            }
            Play::TimedOut => {
                endless();
                late("did not end within 5 minutes and was stopped")
            }
            Play::Stopped => {
                endless();
                Cell::Stops
            }
            Play::BadCredentials => denied(stage, "StartExecution", "needs states:StartExecution"),
            Play::BadParameters => unknown_parameter(),
        }
    }
    fn started(machines: &mut Machines) -> usize {
        machines.executions.len()
    }
    fn going(machines: &mut Machines) -> usize {
        let all = machines.executions.values();
        all.filter(|run| run.stopped.is_none()).count()
    }
}

pub struct Task;

impl Cast for Task {
    type Vendor = Containers;
    type Played = action_run_task::RunTask<Services<Containers>, Ledger, Artifacts>;
    const START: &'static str = "RunTask";

    fn vendor() -> Containers {
        Containers::default()
    }
    fn action(world: &World, stage: &Stage<Containers>) -> Self::Played {
        let services = Failing::new(OverHttp(stage.http(world.time)), &world.plan);
        action_run_task::RunTask::new(services, world.ledger.clone(), world.artifacts.clone())
    }
    fn event() -> Value {
        events::job(&json!({"taskDefinition": "migrate", "container": "app", "command": ["up"]}))
    }
    fn cell(play: Play, stage: &Stage<Containers>) -> Cell {
        let endless = || stage.with(|ecs| ecs.times.1 = ENDLESS);
        match play {
            Play::Happy | Play::LostAnswer | Play::Crash => Cell::Succeeds,
            Play::Throttled | Play::Truncated | Play::Slow => Cell::Succeeds,
            Play::Failed => {
                stage.with(|ecs| ecs.ending.containers = vec![("app", Some(3), None)]);
                failed("ended with exit code 3")
            }
            Play::TimedOut => {
                endless();
                late("did not end within 5 minutes and was stopped")
            }
            Play::Stopped => {
                endless();
                Cell::Stops
            }
            Play::BadCredentials => denied(stage, "RunTask", "needs ecs:RunTask"),
            Play::BadParameters => unknown_parameter(),
        }
    }
    fn started(ecs: &mut Containers) -> usize {
        ecs.started()
    }
    fn going(ecs: &mut Containers) -> usize {
        ecs.going()
    }
}

pub struct OfGate;

impl Cast for OfGate {
    type Vendor = Signals;
    type Played = action_gate::Gate<
        Services<Signals>,
        Failing<Http<Signals>>,
        VirtualTime,
        Failing<memory::MemorySecrets>,
    >;
    const START: &'static str = "DescribeAlarms";

    fn vendor() -> Signals {
        let mut signals = Signals::default();
        signals.alarm("Errors", "OK", false);
        signals
    }
    fn action(world: &World, stage: &Stage<Signals>) -> Self::Played {
        let http = stage.http(world.time);
        let page = Provider::new(
            Failing::new(http.clone(), &world.plan),
            world.time,
            "The gate's page",
        );
        action_gate::Gate::new(
            Failing::new(OverHttp(http), &world.plan),
            page,
            world.secrets.clone(),
        )
    }
    fn event() -> Value {
        events::job(&json!({"alarms": ["Errors"]}))
    }
    fn cell(play: Play, stage: &Stage<Signals>) -> Cell {
        let close = || stage.with(|signals| signals.alarm("Errors", "ALARM", false));
        match play {
            // A gate starts nothing; it asks, and the same befalls its question.
            Play::Happy | Play::LostAnswer | Play::Crash => Cell::Succeeds,
            Play::Throttled | Play::Truncated | Play::Slow => Cell::Succeeds,
            Play::Failed => {
                close();
                Cell::Fails(
                    json!({"timeoutMinutes": 0}),
                    FailureKind::JobFailed,
                    "the alarm Errors is ALARM",
                )
            }
            Play::TimedOut => {
                close();
                Cell::Fails(
                    json!({"timeoutMinutes": 5}),
                    FailureKind::JobFailed,
                    "the alarm Errors is ALARM",
                )
            }
            Play::Stopped => Cell::None("a gate starts nothing outside: there is nothing to stop"),
            Play::BadCredentials => denied(stage, "DescribeAlarms", "cloudwatch:DescribeAlarms"),
            Play::BadParameters => unknown_parameter(),
        }
    }
    fn started(_: &mut Signals) -> usize {
        0
    }
    fn going(_: &mut Signals) -> usize {
        0
    }
}
