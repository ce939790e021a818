//! Bad ends, refusals, nonsense: what people are told.

use super::*;

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
