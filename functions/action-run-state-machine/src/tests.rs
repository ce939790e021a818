//! The whole action over fakes: every outcome on every host, and every call failed, lost, cut off and repeated.

use std::{cell::RefCell, io::Cursor, sync::OnceLock, time::Duration};

use serde_json::{Value, json};
use shared::{
    archive::read_one,
    job::{FailureKind, Report},
};
use shared_testkit::{
    Failing, Host, Mode, World, describes, events, give_up_and_fail,
    memory::{MemoryArtifacts, MemoryFiles, MemoryLedger},
    repeat_and_fail,
    time::VirtualTime,
};
use stagewright_standins::{
    InMemory, Stage, Trick,
    aws::{Machines, Outcome, OverHttp, Refusal, asked_for},
};

use crate::RunStateMachine;

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
    let mut all = json!({"stateMachineArn": ARN, "timeoutMinutes": 10});
    for (name, value) in more.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
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

fn failure(report: Report) -> (FailureKind, String) {
    match report {
        Report::Failure { kind, message, .. } => (kind, message),
        report => unreachable!("{report:?}"),
    }
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

#[tokio::test(start_paused = true)]
async fn failures_say_what_happened() {
    use FailureKind::{ConfigurationError, JobFailed, RevisionUnavailable, SystemUnavailable};
    let gone = ARN.replace("release", "gone");
    let express = ARN.replace("release", "quick");
    let full = Machines {
        full: usize::MAX,
        ..Machines::default()
    };
    let hidden = Machines {
        hidden: Duration::from_secs(86_400),
        ..Machines::default()
    };
    for (more, machines, kind, want) in [
        (
            json!({}),
            ends(
                "FAILED",
                Some("NoRows"),
                Some(r#"{"errorMessage":"the table is empty"}"#),
            ),
            JobFailed,
            "of the state machine release failed: NoRows: the table is empty — https://eu-west-1.console.aws.amazon.com/states",
        ),
        (
            json!({}),
            ends("TIMED_OUT", None, None),
            JobFailed,
            "ran out of its own time without saying why",
        ),
        (
            json!({}),
            ends("ABORTED", Some("E"), None),
            JobFailed,
            "was aborted: E",
        ),
        (
            json!({}),
            ends("DREAMING", None, None),
            JobFailed,
            "did not end within 10 minutes and was stopped",
        ),
        (
            json!({"timeoutMinutes": 1}),
            Machines::default(),
            JobFailed,
            "the state machine release did not end within 1 minutes and was stopped",
        ),
        (
            json!({ "stateMachineArn": gone }),
            Machines::default(),
            ConfigurationError,
            "was not found",
        ),
        (
            json!({ "stateMachineArn": express }),
            Machines::default(),
            ConfigurationError,
            "the state machine quick is an EXPRESS state machine",
        ),
        (
            json!({"timeoutMinutes": 1}),
            full,
            SystemUnavailable,
            "could not be started within 60 s",
        ),
        (json!({}), hidden, ConfigurationError, "was not found"),
        (
            json!({"inputFile": "gone.json"}),
            Machines::default(),
            RevisionUnavailable,
            "the file \"gone.json\" is not in the artifact In",
        ),
        (
            json!({"inputFile": "bad.json"}),
            Machines::default(),
            ConfigurationError,
            "the file \"bad.json\" of the artifact In is no JSON",
        ),
        (
            json!({"inputFile": "Gone::in.json"}),
            Machines::default(),
            ConfigurationError,
            "inputFile lies in the artifact Gone, which is no input of the action",
        ),
    ] {
        let stage = Stage::new(machines);
        let (_, report) = play(Host::Worker, &more, &stage).await;
        let (is, message) = failure(report);
        assert!(message.contains(want), "{more}: {message}");
        assert!(!message.contains("planted"), "{message}");
        assert_eq!(is, kind, "{message}");
        assert!(count(&stage) <= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_day_of_the_service_is_waited_for_and_then_said() {
    let refusal = |code| Trick::Reply(Refusal::new(code, "planted").reply());
    let (denied, throttled) = ("AccessDeniedException", "ThrottlingException");
    use FailureKind::{PermissionError, SystemUnavailable};
    for (part, trick, kind, want) in [
        (
            "StartExecution",
            refusal(denied),
            PermissionError,
            "needs states:StartExecution",
        ),
        (
            "DescribeStateMachine",
            refusal(denied),
            PermissionError,
            "needs states:DescribeStateMachine",
        ),
        (
            "DescribeExecution",
            refusal(denied),
            PermissionError,
            "needs states:DescribeExecution",
        ),
        (
            "DescribeExecution",
            refusal(throttled),
            SystemUnavailable,
            "was stopped",
        ),
        (
            "DescribeStateMachine",
            refusal(throttled),
            SystemUnavailable,
            "could not be started",
        ),
        (
            "DescribeExecution",
            Trick::html(),
            SystemUnavailable,
            "could not be reached",
        ),
        (
            "DescribeExecution",
            Trick::empty(),
            SystemUnavailable,
            "could not be reached",
        ),
        (
            "DescribeExecution",
            Trick::huge(),
            SystemUnavailable,
            "could not be reached",
        ),
        (
            "DescribeExecution",
            Trick::Truncated,
            SystemUnavailable,
            "could not be reached",
        ),
    ] {
        let stage = Stage::<Machines>::default();
        stage.always("", part, trick);
        let (_, report) = play(Host::Invoke, &json!({}), &stage).await;
        let (is, message) = failure(report);
        assert!(message.contains(want), "{part}: {message}");
        assert_eq!(is, kind, "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_execution_is_adopted_by_its_name() {
    for host in Host::ALL {
        for (lost, lasts) in [
            (Trick::LostAnswer, 500),
            (Trick::html(), 500),
            (Trick::LostAnswer, 1),
        ] {
            let stage = Stage::new(Machines {
                // Not shown at once, and perhaps over when it is looked for.
                hidden: Duration::from_secs(20),
                lasts: Duration::from_secs(lasts),
                ..Machines::default()
            });
            stage.trick("", "StartExecution", 3, lost);
            let (_, report) = play(host, &json!({}), &stage).await;
            assert!(
                matches!(report, Report::Success { .. }),
                "{host:?}: {report:?}"
            );
            assert_eq!(count(&stage), 1, "{host:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_else_used_is_not_adopted() {
    let stage = Stage::<Machines>::default();
    let first = play(Host::Invoke, &json!({"input": {"a": 1}}), &stage)
        .await
        .1;
    assert!(matches!(first, Report::Success { .. }), "{first:?}");
    // Another world with the same job id, as after 90 days or in another pipeline: the name is taken.
    let same = play(Host::Invoke, &json!({"input": {"a": 1}}), &stage)
        .await
        .1;
    assert!(matches!(same, Report::Success { .. }), "{same:?}");
    let (kind, message) = failure(
        play(Host::Invoke, &json!({"input": {"a": 2}}), &stage)
            .await
            .1,
    );
    assert_eq!(kind, FailureKind::ConfigurationError);
    assert!(
        message.contains("with another input already: give another executionNamePrefix"),
        "{message}"
    );
    assert_eq!(count(&stage), 1);
    assert!(asked_for(&stage, "StartExecution") >= 3);
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let stages = RefCell::new(Vec::new());
    let calls = repeat_and_fail(
        &event(&json!({"inputFile": "in.json"})),
        |world| {
            let stage = Stage::<Machines>::default();
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, report, mode| {
            let stage = stages.borrow_mut().pop().unwrap();
            assert!(count(&stage) <= 1, "{mode:?}");
            match report {
                Report::Success { .. } => assert_eq!(count(&stage), 1, "{mode:?}"),
                Report::Failure { kind, message, .. } => {
                    assert_ne!(mode, Mode::Work);
                    assert_eq!(*kind, FailureKind::SystemUnavailable, "{mode:?}: {message}");
                }
                Report::Continue { .. } => unreachable!("{mode:?}"),
            }
        },
    )
    .await;
    for call in [
        "DescribeStateMachine",
        "StartExecution",
        "DescribeExecution",
        "artifact file",
    ] {
        assert!(calls.contains(&call), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_gives_up_is_stopped_whatever_goes_wrong() {
    let stages = RefCell::new(Vec::new());
    give_up_and_fail(
        &event(&json!({})),
        1,
        |world| {
            let stage = Stage::new(Machines {
                lasts: Duration::from_secs(86_400),
                ..Machines::default()
            });
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, host, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let runs = stage.with(|machines| machines.executions.clone());
            assert!(runs.len() <= 1, "{host:?} {mode:?}");
            for run in runs.values() {
                let (_, error, _) = run.stopped.as_ref().expect("it was stopped");
                assert_eq!(error, "Stagewright.GivenUp", "{host:?} {mode:?}");
            }
        },
    )
    .await;
}
