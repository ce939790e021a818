//! Bad ends, refusals, nonsense: what people are told.

use super::*;

#[tokio::test(start_paused = true)]
async fn each_end_has_its_own_sentence() {
    use FailureKind::JobFailed;
    let ends: [(&'static str, &str); 6] = [
        ("FAILED", "failed: its goals were not met (FAILED)"),
        (
            "STOPPED",
            "was stopped before its end (STOPPED): ask who stopped it",
        ),
        (
            "HALTED",
            "was halted before its end (HALTED): ask who halted it",
        ),
        (
            "ABORTED",
            "was aborted without results (ABORTED): look at its load generators",
        ),
        (
            "SYSTEM_ERROR",
            "ended with an error of LoadRunner Cloud itself (SYSTEM_ERROR): retry the stage",
        ),
        (
            "DREAMING",
            "ended with the status \"DREAMING\", which this version of the function does not know",
        ),
    ];
    for (end, want) in ends {
        for output in [false, true] {
            let arrange = |stage: &Stage<Vendor>| stage.with(|vendor| vendor.end = end);
            let (_, world, report) = everywhere(arrange, json!({}), output).await;
            let (kind, message) = failure(report);
            assert_eq!(kind, JobFailed, "{message}");
            assert!(
                message.starts_with(&format!("{WHAT} {want}")) && message.ends_with(LINK),
                "{message}"
            );
            let report = world.artifacts.inner.get("store", "report.zip");
            let expected = output && ["FAILED", "STOPPED", "HALTED"].contains(&end);
            assert_eq!(report.is_some(), expected, "{end}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_thresholds_fail_a_test_that_passed() {
    let strict = json!({"maxFailedPercent": 1, "maxPercentileMs": 1_000});
    let (_, _, report) = everywhere(|_| {}, strict.clone(), false).await;
    let (kind, message) = failure(report);
    assert_eq!(kind, FailureKind::JobFailed);
    let want = "passed at LoadRunner Cloud, but not here: 2.0 % of the transactions failed, more than 1 % \
                (maxFailedPercent); \"Pay\" took 1500 ms at the 90th percentile, more than 1000 (maxPercentileMs)";
    assert!(message.contains(want), "{message}");
    let (_, _, report) = everywhere(
        |stage| stage.with(|vendor| vendor.end = "FAILED"),
        strict,
        false,
    )
    .await;
    let message = failure(report).1;
    assert!(
        message.contains("its goals were not met (FAILED): 2.0 % of"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_end_is_stopped() {
    for (status, minutes, want) in [
        (
            "RUNNING",
            12,
            "did not end within 12 minutes and was stopped",
        ),
        (
            "INITIALIZING",
            30,
            "is INITIALIZING for 10 minutes: it was told to stop; look at its load generators",
        ),
        (
            "STOPPING",
            30,
            "is STOPPING for 10 minutes: it was told to stop",
        ),
        (
            "PASSED",
            12,
            "did not end within 12 minutes and was stopped",
        ),
    ] {
        let arrange = |stage: &Stage<Vendor>| stage.with(|vendor| vendor.sticks = Some(status));
        let (stage, _, report) =
            everywhere(arrange, json!({"timeoutMinutes": minutes}), false).await;
        let (kind, message) = failure(report);
        assert_eq!(kind, FailureKind::JobFailed);
        assert!(message.contains(want), "{message}");
        assert!(
            stage.with(|vendor| vendor.runs[0].stopped.is_some()),
            "{message}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_never_ready_is_not_waited_for_for_ever() {
    use FailureKind::{JobFailed, SystemUnavailable};
    for minutes in [3, 240] {
        for (end, kind, want) in [
            (
                "PASSED",
                SystemUnavailable,
                "passed, but LoadRunner Cloud did not make its reports in time",
            ),
            ("FAILED", JobFailed, "its goals were not met"),
        ] {
            let stage: Stage<Vendor> = Stage::default();
            stage.with(|vendor| {
                vendor.end = end;
                vendor.report_takes = SignedDuration::from_hours(20);
            });
            let event = event(&json!({"timeoutMinutes": minutes}), true);
            let (_, report) = play_on(Host::Invoke, &stage, &event).await;
            let (is, message) = failure(report);
            assert!(is == kind && message.contains(want), "{message}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_and_bad_answers_say_what_to_do() {
    use FailureKind::{ConfigurationError, JobFailed, PermissionError, SystemUnavailable};
    let short = || json!({"timeoutMinutes": 5});
    let nothing: Arrange = |_| {};
    let contradicting: Arrange = |stage| {
        let body = json!({"uiStatus": "RUNNING", "isTerminated": true});
        stage.always(
            "GET",
            "/test-runs/900",
            Trick::Reply(Reply::json(200, &body)),
        );
    };
    let shapeless: Arrange = |stage| {
        stage.always(
            "GET",
            "",
            Trick::Reply(Reply::json(200, &json!({"isTerminated": "yes"}))),
        );
    };
    let cases: [(Arrange, Value, FailureKind, &str); 12] = [
        (
            nothing,
            json!({"clientSecret": "ssm:/wrong"}),
            PermissionError,
            "did not accept the credentials for the login (status 401): renew the secret",
        ),
        (
            nothing,
            json!({"clientSecret": "ssm:/absent"}),
            ConfigurationError,
            "the secret ssm:/absent was not found",
        ),
        (
            nothing,
            json!({"tenant": "653"}),
            PermissionError,
            "does not allow the login",
        ),
        (
            nothing,
            json!({"test": 99}),
            ConfigurationError,
            "knows nothing of the start",
        ),
        (
            nothing,
            json!({"test": 0}),
            ConfigurationError,
            "test must be from 1 to",
        ),
        (
            nothing,
            json!({"clientId": null}),
            ConfigurationError,
            "missing field `clientId`",
        ),
        (
            |stage| {
                stage.always("POST", "/runs", Trick::status(403));
            },
            json!({}),
            PermissionError,
            "does not allow the start",
        ),
        (
            |stage| {
                stage.always("", "/test-runs", Trick::status(401));
            },
            json!({}),
            PermissionError,
            "did not accept the credentials for the run",
        ),
        (
            |stage| {
                stage.always("POST", "/runs", Trick::throttled(None));
            },
            short(),
            SystemUnavailable,
            "could not be started within 300 s",
        ),
        (
            |stage| {
                stage.always("POST", "/auth-client", Trick::status(503));
            },
            short(),
            SystemUnavailable,
            "could not be started within 300 s",
        ),
        (
            shapeless,
            json!({}),
            JobFailed,
            "JSON of an unexpected shape (at isTerminated)",
        ),
        (
            contradicting,
            json!({}),
            JobFailed,
            "contradicts itself about load test 17 of LoadRunner Cloud: it is RUNNING and terminated",
        ),
    ];
    for (arrange, more, kind, want) in cases {
        let (_, _, report) = everywhere(arrange, more, false).await;
        let (is, message) = failure(report);
        assert!(is == kind && message.contains(want), "{is:?} {message}");
    }
    for (trick, kind, want) in bad_answers("LoadRunner Cloud", "run", 1048576) {
        let arrange = |stage: &Stage<Vendor>| {
            stage.always("GET", "", trick.clone());
        };
        let more = match kind {
            SystemUnavailable => short(),
            _ => json!({}),
        };
        let (_, _, report) = everywhere(arrange, more, false).await;
        let (is, message) = failure(report);
        assert!(is == kind && message.contains(&want), "{is:?} {message}");
    }
    for trick in [
        Trick::html(),
        Trick::empty(),
        Trick::Reply(Reply::json(200, &json!({"message": "Broken"}))),
    ] {
        let stage: Stage<Vendor> = Stage::default();
        stage.always("GET", "/reports/", trick.clone());
        let (_, report) = play_on(Host::Invoke, &stage, &event(&json!({}), true)).await;
        let (kind, message) = failure(report);
        assert!(
            kind == JobFailed && message.contains("answered the report with"),
            "{trick:?} {message}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_waited_for() {
    for trick in passing_trouble().into_iter().chain([Trick::status(401)]) {
        let stage: Stage<Vendor> = Stage::default();
        stage.trick("GET", "", 2, trick.clone());
        stage.trick("GET", "/reports/", 2, trick.clone());
        let (_, report) = play_on(Host::Invoke, &stage, &event(&json!({}), true)).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{trick:?}: {report:?}"
        );
    }
}
