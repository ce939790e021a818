//! Bad ends, refusals, nonsense: what people are told.

use super::*;

#[tokio::test(start_paused = true)]
async fn each_bad_end_has_its_own_sentence() {
    let ends = |ends: &[&'static str], broken: usize| {
        let ends = ends.to_vec();
        move |stage: &Stage<Vendor>| {
            stage.with(|vendor| {
                vendor.spread = ends.len() + broken;
                vendor.broken = broken;
                vendor.ends = ends.clone();
            });
        }
    };
    for (arrange, want) in [
        (
            ends(&["fail"], 0),
            format!("{WHAT}: 1 of 1 runs did not pass: 1 of 5 assertions failed in {LINK}"),
        ),
        (
            ends(&["canceled", "pass"], 0),
            format!(
                "{WHAT}: 1 of 2 runs did not pass: canceled at BlazeMeter before its end: {LINK}"
            ),
        ),
        (
            ends(&["dreaming"], 0),
            format!(
                "{WHAT}: 1 of 1 runs did not pass: ended as \"dreaming\", which this version of the function does not know: {LINK}"
            ),
        ),
        (
            ends(&["pass"], 2),
            format!("{WHAT}: 2 of 3 runs did not pass: 2 could not be started — {LINK}"),
        ),
    ] {
        let (_, world, report) = everywhere(arrange, json!({})).await;
        assert_eq!(failure(report), (FailureKind::JobFailed, want));
        assert!(world.artifacts.inner.get("store", "results.zip").is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn runs_that_do_not_end_are_told_to_go_on() {
    let arrange = |stage: &Stage<Vendor>| stage.with(|vendor| vendor.endless = true);
    let (_, _, report) = everywhere(arrange, json!({"timeoutMinutes": 5})).await;
    let (kind, message) = failure(report);
    assert_eq!(kind, FailureKind::JobFailed);
    let want = "did not end within 5 minutes and could not be stopped: BlazeMeter API Monitoring has no call that ends a run: \
                it goes on to its own end";
    assert!(message.contains(want), "{message}");
}

#[tokio::test(start_paused = true)]
async fn refusals_and_bad_answers_say_what_to_do() {
    use FailureKind::{ConfigurationError, JobFailed, PermissionError, SystemUnavailable};
    let short = || json!({"timeoutMinutes": 5});
    let nothing: Arrange = |_| {};
    let contradicting: Arrange = |stage| {
        let body = json!({"data": {"result": "pass", "assertions_failed": 2, "finished_at": 1.5}});
        stage.always("GET", "/results/", Trick::Reply(Reply::json(200, &body)));
    };
    let empty: Arrange = |stage| stage.with(|vendor| vendor.spread = 0);
    let broken: Arrange = |stage| {
        stage.with(|vendor| {
            vendor.spread = 2;
            vendor.broken = 2;
        });
    };
    let cases: [(Arrange, Value, FailureKind, &str); 11] = [
        (
            nothing,
            json!({"token": "ssm:/wrong"}),
            PermissionError,
            "does not allow the result to the user of these credentials (status 403)",
        ),
        (
            nothing,
            json!({"token": "ssm:/absent"}),
            ConfigurationError,
            "the secret ssm:/absent was not found",
        ),
        (
            nothing,
            json!({"trigger": "ssm:/odd"}),
            ConfigurationError,
            "the secret that trigger names holds no trigger",
        ),
        (
            nothing,
            json!({"trigger": "ssm:/wrong"}),
            ConfigurationError,
            "knows nothing of the trigger",
        ),
        (
            nothing,
            json!({"bucket": null}),
            ConfigurationError,
            "give bucket and test together",
        ),
        (
            nothing,
            json!({"variables": {"runscope_region": "us1"}}),
            ConfigurationError,
            "variables cannot hold runscope_region",
        ),
        (
            empty,
            json!({}),
            ConfigurationError,
            "the trigger started nothing: give the test or bucket an environment",
        ),
        (
            broken,
            json!({}),
            ConfigurationError,
            "none of the trigger's 2 runs could be started",
        ),
        (
            |stage| {
                stage.always(
                    "POST",
                    "",
                    Trick::Reply(Reply::json(
                        400,
                        &json!({"error": {"message": "No planted-trigger here"}}),
                    )),
                );
            },
            json!({}),
            ConfigurationError,
            "refused the trigger with status 400: No [redacted] here",
        ),
        (
            |stage| {
                stage.always("POST", "", Trick::throttled(None));
            },
            short(),
            SystemUnavailable,
            "could not be started within 300 s",
        ),
        (
            contradicting,
            json!({}),
            JobFailed,
            "contradicts itself, it passed with failed assertions",
        ),
    ];
    for (arrange, more, kind, want) in cases {
        let (_, _, report) = everywhere(arrange, more).await;
        let (is, message) = failure(report);
        assert!(is == kind && message.contains(want), "{is:?} {message}");
    }
    for (trick, kind, want) in bad_answers("BlazeMeter API Monitoring", "result", 8388608) {
        let arrange = |stage: &Stage<Vendor>| {
            stage.always("GET", "", trick.clone());
        };
        let more = match kind {
            SystemUnavailable => short(),
            _ => json!({}),
        };
        let (_, _, report) = everywhere(arrange, more).await;
        let (is, message) = failure(report);
        assert!(is == kind && message.contains(&want), "{is:?} {message}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_waited_for() {
    for trick in passing_trouble() {
        let stage: Stage<Vendor> = Stage::default();
        stage.trick("GET", "", 2, trick.clone());
        let (_, report) = play_on(Host::Invoke, &stage, &json!({})).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{trick:?}: {report:?}"
        );
    }
}
