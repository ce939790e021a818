//! Bad ends, refusals, nonsense: what people are told.

use super::*;

#[tokio::test(start_paused = true)]
async fn each_bad_end_has_its_own_sentence() {
    use FailureKind::JobFailed;
    let strict = json!({"failOnScreenshots": true});
    for (fate, more, kind, want) in [
        (
            Fate::Cancelled,
            json!({}),
            JobFailed,
            "was cancelled at Ghost Inspector before it had a result",
        ),
        (
            Fate::Screenshots,
            strict,
            JobFailed,
            "screenshots differ from the approved ones: Log in, Pay, Log out: approve them",
        ),
        (
            Fate::Contradiction,
            json!({}),
            JobFailed,
            "contradicts itself about the result",
        ),
        (
            Fate::Never,
            json!({"timeoutMinutes": 5}),
            JobFailed,
            "did not end within 5 minutes and was stopped",
        ),
    ] {
        let arrange = |stage: &Stage<Vendor>| {
            stage.with(|vendor| {
                vendor.fate = fate;
                vendor.tests[1].1 = fate != Fate::Contradiction;
            });
        };
        let (stage, _, report) = everywhere(arrange, more).await;
        let (is, message) = failure(report);
        assert_eq!(is, kind, "{message}");
        assert!(message.contains(want), "{message}");
        assert!(
            message.contains("https://app.ghostinspector.com/suite-results/"),
            "{message}"
        );
        let cancelled = stage.with(|vendor| vendor.runs[0].cancelled.is_some());
        assert_eq!(cancelled, fate == Fate::Never, "{message}");
    }
    let stage: Stage<Vendor> = Stage::default();
    stage.with(|vendor| vendor.fate = Fate::Screenshots);
    let (_, report) = play_on(Host::Task, &stage, &json!({})).await;
    assert!(matches!(report, Report::Success { .. }), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn refusals_and_bad_answers_say_what_to_do() {
    use FailureKind::{ConfigurationError, JobFailed, PermissionError, SystemUnavailable};
    let short = json!({"timeoutMinutes": 5});
    let no_tests = |stage: &Stage<Vendor>| stage.with(|vendor| vendor.tests.clear());
    type Arrange = fn(&Stage<Vendor>);
    let nothing: Arrange = |_| {};
    let cases: [(Arrange, Value, FailureKind, &str); 9] = [
        (
            nothing,
            json!({"apiKey": "ssm:/wrong"}),
            PermissionError,
            "did not accept the API key for the start: API key is not valid: [redacted]; renew the secret",
        ),
        (
            nothing,
            json!({"apiKey": "ssm:/absent"}),
            ConfigurationError,
            "the secret ssm:/absent was not found",
        ),
        (
            nothing,
            json!({"suite": "5f2"}),
            ConfigurationError,
            "refused the start (VALIDATION_ERROR): Suite or test not found",
        ),
        (
            nothing,
            json!({"suite": "a/b"}),
            ConfigurationError,
            "suite must be an id of Ghost Inspector",
        ),
        (
            no_tests,
            json!({}),
            ConfigurationError,
            "the suite has no test that can be run",
        ),
        (
            |stage| {
                stage.always("POST", "", Trick::status(403));
            },
            json!({}),
            PermissionError,
            "does not allow the start",
        ),
        (
            |stage| {
                stage.always("POST", "", Trick::throttled(None));
            },
            short.clone(),
            SystemUnavailable,
            "could not be started within 300 s",
        ),
        (
            |stage| {
                stage.always(
                    "GET",
                    "",
                    Trick::Reply(Reply::json(
                        200,
                        &json!({"code": "SUCCESS", "data": {"passing": "yes"}}),
                    )),
                );
            },
            json!({}),
            JobFailed,
            "JSON of an unexpected shape",
        ),
        (
            |stage| {
                stage.always("GET", "xunit", Trick::html());
            },
            json!({}),
            JobFailed,
            "answered the xUnit report with something that is none",
        ),
    ];
    for (arrange, more, kind, want) in cases {
        let (_, _, report) = everywhere(arrange, more).await;
        let (is, message) = failure(report);
        assert!(is == kind && message.contains(want), "{is:?} {message}");
    }
    for (trick, kind, want) in bad_answers("Ghost Inspector", "result", 1048576) {
        let arrange = |stage: &Stage<Vendor>| {
            stage.always("GET", "", trick.clone());
        };
        let more = match kind {
            SystemUnavailable => short.clone(),
            _ => json!({}),
        };
        let (_, _, report) = everywhere(arrange, more).await;
        let (is, message) = failure(report);
        assert!(is == kind && message.contains(&want), "{is:?} {message}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_waited_for() {
    for trick in passing_trouble()
        .into_iter()
        .chain([Trick::Slow(Duration::from_secs(300))])
    {
        let stage: Stage<Vendor> = Stage::default();
        stage.trick("GET", "", 2, trick.clone());
        let (_, report) = play_on(Host::Invoke, &stage, &json!({})).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{trick:?}: {report:?}"
        );
    }
}
