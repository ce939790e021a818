//! Bad ends, refusals, nonsense: what people are told.

use super::*;

#[tokio::test(start_paused = true)]
async fn every_bad_end_says_what_happened() {
    let log = (1..=40).map(|n| format!("line {n}\n")).collect::<String>();
    for (result, want) in [
        ("FAILURE", "team/app #1 ended with FAILURE; see"),
        ("ABORTED", "team/app #1 was ABORTED in Jenkins; see"),
        (
            "NOT_BUILT",
            "team/app #1 was NOT_BUILT: an earlier part of it stopped it; see",
        ),
        (
            "SPLENDID",
            "team/app #1 ended with \"SPLENDID\", a result that this action does not know; see",
        ),
    ] {
        let arrange = |stage: &Stage<Vendor>| {
            // Jenkins decides late after a restart.
            let undecided = SignedDuration::from_mins(1);
            next(
                stage,
                Outcome {
                    console: log.clone(),
                    undecided,
                    ..Outcome::of(result)
                },
            );
        };
        let (_, _, report) = everywhere(arrange, json!({})).await;
        if let Report::Failure { external_id, .. } = &report {
            // A task's failure has no place for it.
            assert!(external_id.as_ref().is_none_or(|id| id.as_str() == "1"));
        }
        let (kind, message) = failure(report);
        assert_eq!(kind, FailureKind::JobFailed);
        assert!(message.starts_with(want), "{message}");
        assert!(
            message.ends_with("The end of its log:\n".to_owned().as_str())
                || message.ends_with("line 40"),
            "{message}"
        );
        assert!(
            message.contains("line 21\n") && !message.contains("line 20\n"),
            "{message}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_started_says_what_to_do() {
    use FailureKind::{ConfigurationError, PermissionError};
    let nothing = |_: &Stage<Vendor>| {};
    let may_not = |stage: &Stage<Vendor>| stage.with(|vendor| vendor.may_build = false);
    let disabled =
        |stage: &Stage<Vendor>| stage.with(|vendor| vendor.job("team/app").disabled = true);
    let branches =
        |stage: &Stage<Vendor>| stage.with(|vendor| vendor.job("team/app").multibranch = true);
    let late = |status: u16| {
        move |stage: &Stage<Vendor>| {
            stage.always("POST", START, Trick::status(status));
        }
    };
    type Arrange = Box<dyn Fn(&Stage<Vendor>)>;
    let cases: Vec<(Arrange, Value, FailureKind, &str)> = vec![
        (
            Box::new(nothing),
            json!({"token": "ssm:/wrong"}),
            PermissionError,
            "Jenkins did not accept the credentials for the job (status 401): renew the secret that the action names",
        ),
        (
            Box::new(nothing),
            json!({"token": "ssm:/absent"}),
            ConfigurationError,
            "the secret ssm:/absent was not found",
        ),
        (
            Box::new(may_not),
            json!({}),
            PermissionError,
            "Jenkins does not let pipeline start team/app: give that user the permission Job/Build",
        ),
        (
            Box::new(disabled),
            json!({}),
            ConfigurationError,
            "the job team/app is disabled in Jenkins: enable it there, then retry the stage",
        ),
        (
            Box::new(late(409)),
            json!({}),
            ConfigurationError,
            "the job team/app is disabled in Jenkins",
        ),
        (
            Box::new(late(400)),
            json!({}),
            ConfigurationError,
            "Jenkins takes no parameters for team/app: declare them in the job, or leave parameters out",
        ),
        (
            Box::new(branches),
            json!({}),
            ConfigurationError,
            "team/app is no job but a folder or a multibranch project",
        ),
        (
            Box::new(nothing),
            json!({"parameters": {"RE": "x"}}),
            ConfigurationError,
            "the job team/app declares no parameter \"RE\", so Jenkins would drop it",
        ),
        (
            Box::new(nothing),
            json!({"job": "team/absent"}),
            ConfigurationError,
            "Jenkins knows nothing of the job: check the address and the names",
        ),
        (
            Box::new(nothing),
            json!({"url": "https://ci.example.com"}),
            ConfigurationError,
            "Jenkins knows nothing of the job",
        ),
        (
            Box::new(nothing),
            json!({"url": "ci"}),
            ConfigurationError,
            "url must start with http:// or https://",
        ),
        (
            Box::new(nothing),
            json!({"jb": 1}),
            ConfigurationError,
            "unknown field `jb`",
        ),
    ];
    for (arrange, more, kind, want) in cases {
        let (stage, _, report) = everywhere(arrange, more).await;
        let (is, message) = failure(report);
        assert!(message.contains(want), "{message}");
        assert_eq!(is, kind, "{message}");
        assert_eq!(stage.with(|vendor| vendor.starts()), 0, "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_named_and_passing_trouble_is_waited_for() {
    use FailureKind::{JobFailed, SystemUnavailable};
    let json_of = |value: Value| Trick::Reply(Reply::json(200, &value));
    for (trick, kind, want) in [
        (
            Trick::html(),
            JobFailed,
            "Jenkins answered the job with an HTML page: check that the address is that of its API",
        ),
        (
            Trick::empty(),
            JobFailed,
            "Jenkins answered the job with an empty answer",
        ),
        (
            Trick::huge(),
            JobFailed,
            "Jenkins answered the job with more than 8388608 bytes",
        ),
        (
            json_of(json!({"buildable": "yes"})),
            JobFailed,
            "Jenkins answered the job with JSON of an unexpected shape (at buildable)",
        ),
        (json_of(json!([])), JobFailed, "JSON of an unexpected shape"),
        (
            Trick::Reply(Reply::of_type(200, "application/json", "{\"a\":")),
            JobFailed,
            "JSON that breaks off",
        ),
        (
            Trick::throttled(None),
            SystemUnavailable,
            "Jenkins throttled the job (status 429): try again later",
        ),
        (
            Trick::status(503),
            SystemUnavailable,
            "Jenkins is not well: the job was answered with status 503; try again later",
        ),
        (
            Trick::Truncated,
            SystemUnavailable,
            "Jenkins gave no whole answer to the job",
        ),
        (
            Trick::NeverArrives,
            SystemUnavailable,
            "Jenkins could not be reached for the job: check the address",
        ),
    ] {
        let arrange = |stage: &Stage<Vendor>| {
            stage.always("GET", "/app/api/json", trick.clone());
        };
        let (is, message) = failure(everywhere(arrange, json!({"timeoutMinutes": 4})).await.2);
        assert!(message.contains(want), "{message}");
        assert_eq!(is, kind, "{message}");
    }
    // The same trouble for a while only.
    for trick in [
        Trick::throttled(Some("90")),
        Trick::status(502),
        Trick::Hang,
        Trick::NeverArrives,
    ] {
        let arrange = |stage: &Stage<Vendor>| {
            stage.trick("GET", "", 9, trick.clone());
            stage.trick("POST", START, 1, Trick::throttled(Some("30")));
        };
        let (_, _, report) = everywhere(arrange, json!({})).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{trick:?}: {report:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_path_out_of_the_artifact_is_refused() {
    let arrange = |stage: &Stage<Vendor>| {
        let artifacts = vec![("../evil".to_owned(), "x".to_owned())];
        next(
            stage,
            Outcome {
                artifacts,
                ..Outcome::of("SUCCESS")
            },
        );
    };
    let (kind, message) = failure(everywhere(arrange, json!({})).await.2);
    assert_eq!(kind, FailureKind::RevisionUnavailable);
    assert!(
        message.contains("\"../evil\", which leads out of the artifact"),
        "{message}"
    );
}
