//! The whole action over fakes: every outcome on every host, and every call failed, lost, cut off and repeated.

use serde_json::{Value, json};
use shared::{
    action::{Action as _, Stop},
    archive::{Limits, names, read_one},
    job::{FailureKind, Report},
    port::Clock as _,
};
use shared_testkit::{
    Failing, Fate, Host, Mode, World, describes, events, give_up_and_fail,
    memory::{MemoryArtifacts, MemoryLedger},
    repeat_and_fail,
    time::VirtualTime,
};
use stagewright_standins::{
    InMemory, Stage, Trick,
    aws::{Containers, Ending, Log, OverHttp, Refusal, asked_for},
};
use std::{io::Cursor, time::Duration};

use crate::RunTask;

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
    let mut all = json!({"taskDefinition": "migrate", "container": "app", "command": ["up"], "timeoutMinutes": 10});
    for (name, value) in more.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    all
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

fn failure(report: Report) -> (FailureKind, String) {
    match report {
        Report::Failure { kind, message, .. } => (kind, message),
        report => unreachable!("{report:?}"),
    }
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

#[tokio::test(start_paused = true)]
async fn failures_say_what_happened_and_show_the_log() {
    use FailureKind::{ConfigurationError, JobFailed, SystemUnavailable};
    let exited = "EssentialContainerExited";
    let mut elsewhere = ending(exited, Some(1), None);
    elsewhere.logs.insert("app", Log::default());
    let mut long = ending(exited, Some(3), Some("OutOfMemoryError"));
    let lines = (1..=50).map(|n| format!("step {n}")).collect();
    long.logs.insert(
        "app",
        Log {
            group: Some("/ecs/migrate"),
            lines,
        },
    );
    let refused = |reasons: &[&'static str]| Containers {
        failures: reasons.to_vec(),
        ..Containers::default()
    };
    let forgets = Containers {
        forgets: true,
        ..Containers::default()
    };
    let odd = Containers {
        odd_status: Some("DREAMING"),
        ..Containers::default()
    };
    for (more, ecs, kind, want) in [
        (
            json!({}),
            long.clone(),
            JobFailed,
            "the task migrate: the container app ended with exit code 3 (OutOfMemoryError); its log ends with:\nstep 31",
        ),
        (
            json!({"logLines": 2}),
            long.clone(),
            JobFailed,
            "ends with:\nstep 49\nstep 50 — https://",
        ),
        (
            json!({"logLines": 0}),
            long,
            JobFailed,
            "exit code 3 (OutOfMemoryError) — https://",
        ),
        (
            json!({}),
            elsewhere,
            JobFailed,
            "its log cannot be shown: its log goes to splunk, not to CloudWatch",
        ),
        (
            json!({}),
            ending(
                "TaskFailedToStart",
                None,
                Some("CannotPullContainerError: no such image"),
            ),
            JobFailed,
            "did not start: Essential container in task exited (CannotPullContainerError: no such image)",
        ),
        (
            json!({}),
            ending("SpotInterruption", Some(0), None),
            JobFailed,
            "the task was ended",
        ),
        (
            json!({"exitCodesOf": ["db"]}),
            Containers::default(),
            JobFailed,
            "has no container db",
        ),
        (
            json!({"taskDefinition": "gone"}),
            Containers::default(),
            ConfigurationError,
            "TaskDefinition not found",
        ),
        (
            json!({"cluster": "gone"}),
            Containers::default(),
            ConfigurationError,
            "the task migrate was not found",
        ),
        (
            json!({}),
            refused(&["ATTRIBUTE"]),
            ConfigurationError,
            "ECS did not run the task: ATTRIBUTE",
        ),
        (
            json!({"timeoutMinutes": 1}),
            refused(&["RESOURCE:CPU"; 20]),
            SystemUnavailable,
            "the task migrate could not be started within 60 s",
        ),
        (
            json!({"timeoutMinutes": 1}),
            Containers::default(),
            JobFailed,
            "did not end within 1 minutes and was stopped",
        ),
        (
            json!({}),
            forgets,
            JobFailed,
            "ECS knows nothing of the task",
        ),
        (
            json!({}),
            odd,
            JobFailed,
            "did not end within 10 minutes and was stopped",
        ),
    ] {
        let stage = Stage::new(ecs);
        let (_, report) = play(Host::Worker, more.clone(), &stage).await;
        let (is, message) = failure(report);
        assert!(message.contains(want), "{more}: {message}");
        assert_eq!(is, kind, "{message}");
        assert!(stage.with(|ecs| ecs.started()) <= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_cluster_lacks_is_waited_for() {
    let stage = Stage::new(Containers {
        failures: vec!["RESOURCE:MEMORY", "AGENT"],
        ..Containers::default()
    });
    let (_, report) = play(Host::Task, json!({}), &stage).await;
    assert!(matches!(report, Report::Success { .. }), "{report:?}");
    assert_eq!(stage.with(|ecs| ecs.started()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bad_day_of_the_service_is_waited_for_and_then_said() {
    let refusal = |code| Trick::Reply(Refusal::new(code, "planted").reply());
    for (part, trick, kind, want) in [
        (
            "RunTask",
            refusal("AccessDeniedException"),
            FailureKind::PermissionError,
            "the function's role needs ecs:RunTask and iam:PassRole",
        ),
        (
            "DescribeTasks",
            refusal("AccessDeniedException"),
            FailureKind::PermissionError,
            "the function's role needs ecs:DescribeTasks",
        ),
        (
            "DescribeTasks",
            refusal("ThrottlingException"),
            FailureKind::SystemUnavailable,
            "could not be reached. It was stopped",
        ),
        (
            "DescribeTasks",
            Trick::html(),
            FailureKind::SystemUnavailable,
            "could not be reached",
        ),
        (
            "DescribeTasks",
            Trick::empty(),
            FailureKind::SystemUnavailable,
            "could not be reached",
        ),
        (
            "DescribeTasks",
            Trick::huge(),
            FailureKind::SystemUnavailable,
            "could not be reached",
        ),
        (
            "DescribeTasks",
            Trick::Truncated,
            FailureKind::SystemUnavailable,
            "could not be reached",
        ),
    ] {
        let stage = Stage::<Containers>::default();
        stage.always("", part, trick);
        let (_, report) = play(Host::Invoke, json!({}), &stage).await;
        let (is, message) = failure(report);
        assert!(message.contains(want), "{part}: {message}");
        assert_eq!(is, kind, "{message}");
        assert_eq!(
            stage.with(|ecs| ecs.started()),
            usize::from(part != "RunTask")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_may_not_be_read_does_not_hide_the_exit_code() {
    let stage = Stage::new(ending("EssentialContainerExited", Some(2), None));
    let denied = Refusal::new("AccessDeniedException", "planted").reply();
    stage.always("", "GetLogEvents", Trick::Reply(denied));
    let (_, report) = play(Host::Invoke, json!({}), &stage).await;
    let (_, message) = failure(report);
    assert!(
        message.contains(
            "ended with exit code 2; its log cannot be shown: the log /ecs/migrate was refused"
        ),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_starts_nothing_twice() {
    for host in Host::ALL {
        for lost in [Trick::LostAnswer, Trick::html(), Trick::Truncated] {
            let stage = Stage::<Containers>::default();
            // All repeats of the first start are lost, as over a broken network.
            stage.trick("", "RunTask", 3, lost);
            let (_, report) = play(host, json!({}), &stage).await;
            assert!(
                matches!(report, Report::Success { .. }),
                "{host:?}: {report:?}"
            );
            assert_eq!(stage.with(|ecs| ecs.started()), 1, "{host:?}");
            assert!(asked_for(&stage, "ListTasks") > 0, "{host:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_had_ended_is_found_by_its_token() {
    // The process dies right after the start; when the claim is over the task has stopped and is listed no more.
    let stage = Stage::new(Containers {
        times: (Duration::from_secs(1), Duration::from_secs(2)),
        ..Containers::default()
    });
    let fates = [Fate::Work, Fate::Work, Fate::DieAfter];
    let world = World::under(shared_testkit::Plan::scripted(fates));
    let report = world
        .play_on(Host::Worker, &action(&world, &stage), &event(json!({})))
        .await;
    assert!(matches!(report, Report::Success { .. }), "{report:?}");
    assert_eq!(stage.with(|ecs| ecs.started()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_gives_up_stops_the_task() {
    let world = World::new(Mode::Work);
    let stage = Stage::<Containers>::default();
    let task = action(&world, &stage);
    let driven = world.deliver(&task, &event(json!({}))).await;
    assert!(!driven.is_retried());
    let arn = format!("arn:aws:ecs:eu-west-1:123456789012:task/default/{:032x}", 1);
    let params = serde_json::from_value(parameters(json!({}))).unwrap();
    let stop = |run| Stop {
        params: &params,
        run,
        now: world.time.now(),
        budget: Duration::from_secs(10),
    };
    task.stop(stop(&arn)).await.unwrap();
    assert!(stage.with(|ecs| ecs.was_stopped(0)));
    // Again, and of a task that ECS has forgotten: no error.
    task.stop(stop(&arn)).await.unwrap();
    task.stop(stop("arn:aws:ecs:eu-west-1:123456789012:task/default/gone"))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let stages = std::cell::RefCell::new(Vec::new());
    let calls = repeat_and_fail(
        &event(json!({})),
        |world| {
            let stage = Stage::<Containers>::default();
            let task = action(world, &stage);
            stages.borrow_mut().push(stage);
            task
        },
        |_, report, mode| {
            let stage = stages.borrow_mut().pop().unwrap();
            let started = stage.with(|ecs| ecs.started());
            assert!(started <= 1, "{mode:?}: {started} tasks");
            match report {
                Report::Success { .. } => assert_eq!(started, 1, "{mode:?}"),
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
        "RunTask",
        "DescribeTasks",
        "GetLogEvents",
        "artifact upload",
    ] {
        assert!(calls.contains(&call), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_gives_up_is_stopped_whatever_goes_wrong() {
    let stages = std::cell::RefCell::new(Vec::new());
    give_up_and_fail(
        &event(json!({})),
        1,
        |world| {
            let day = Duration::from_secs(86_400);
            let stage = Stage::new(Containers {
                times: (Duration::ZERO, day),
                ..Containers::default()
            });
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, host, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let started = stage.with(|ecs| ecs.started());
            assert!(started <= 1, "{host:?} {mode:?}: {started} tasks");
            for number in 0..started {
                let stopped = stage.with(|ecs| ecs.was_stopped(number));
                assert!(stopped, "{host:?} {mode:?}: the task runs on");
            }
        },
    )
    .await;
}
