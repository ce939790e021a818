//! Bad ends, refusals, nonsense: what people are told.

use super::*;

#[tokio::test(start_paused = true)]
async fn limits_are_waited_for_as_the_host_says() {
    let limited = |headers: &[(&str, String)]| {
        let reply = Reply::json(403, &json!({"message": "API rate limit exceeded"}));
        let reply = headers
            .iter()
            .fold(reply, |reply, (name, value)| reply.header(name, value));
        Trick::Reply(reply)
    };
    let reset = (shared_testkit::time::BEGINNING.as_second() + 90).to_string();
    let cases = [
        (limited(&[("retry-after", "45".to_owned())]), 45),
        (
            limited(&[
                ("x-ratelimit-remaining", "0".to_owned()),
                ("x-ratelimit-reset", reset),
            ]),
            90,
        ),
        (Trick::throttled(None), 60),
        (Trick::status(502), 30),
    ];
    for (trick, seconds) in cases {
        let (world, stage) = (World::new(Mode::Work), stage());
        stage.trick("POST", "statuses", 4, trick);
        let action = action(&world, &stage, &Value::Null);
        let input = json!({"params": parameters("github"), "run": "a"});
        let Driven::Answered(answer) = world.deliver(&action, &input).await else {
            unreachable!("nothing dies");
        };
        let Ok(Outcome::Task(tasked)) = *answer else {
            unreachable!("{answer:?}");
        };
        let shared::drive::task::Answer::Output(output) = tasked.answer else {
            unreachable!("{:?}", tasked.answer);
        };
        let wait = output["waitSeconds"].as_u64().unwrap();
        assert!(
            (seconds - 3..=seconds).contains(&wait),
            "{wait} for {seconds}: {output}"
        );
    }
    // And for ever it is not waited.
    let busy = || {
        let stage = stage();
        stage.always("POST", "", Trick::status(503));
        stage
    };
    let (_, report) = everywhere(busy, &parameters("github")).await;
    let Report::Failure { kind, .. } = report else {
        unreachable!("{report:?}");
    };
    assert_eq!(kind, FailureKind::SystemUnavailable);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_sentences_for_people() {
    use FailureKind::{ConfigurationError, JobFailed, PermissionError};
    let other = "f".repeat(40);
    for (more, kind, text) in [
        (
            json!({"commit": other}),
            ConfigurationError,
            "No commit found for SHA",
        ),
        (
            json!({"commit": "main"}),
            ConfigurationError,
            "commit must be a whole commit id",
        ),
        (json!({"commit": 7}), ConfigurationError, ""),
        (
            json!({"repository": "shop"}),
            ConfigurationError,
            "repository must be written as owner/name",
        ),
        (
            json!({"repository": "shop/other"}),
            ConfigurationError,
            "and that the user of these credentials may see it",
        ),
        (
            json!({"state": "green"}),
            ConfigurationError,
            "at state: expected one of",
        ),
        (
            json!({"token": "ssm:/old"}),
            PermissionError,
            "did not accept the credentials",
        ),
        (
            json!({"token": "planted"}),
            ConfigurationError,
            "a reference is needed, never the value",
        ),
        (
            json!({"token": "ssm:/none"}),
            ConfigurationError,
            "the secret ssm:/none was not found",
        ),
        (
            json!({"context": ""}),
            ConfigurationError,
            "context must have 1 to 255 characters",
        ),
        (
            json!({"context": "x".repeat(256)}),
            ConfigurationError,
            "context must have 1 to 255 characters",
        ),
        (
            json!({"targetUrl": "ftp://x"}),
            ConfigurationError,
            "targetUrl must start with http",
        ),
        (
            json!({"user": "a@example.com"}),
            ConfigurationError,
            "user is for provider bitbucket only",
        ),
        (
            json!({"provider": "bitbucket", "targetUrl": ""}),
            ConfigurationError,
            "Bitbucket takes no build status without an address",
        ),
        (
            json!({"provider": "gitlab"}),
            ConfigurationError,
            "at provider: expected one of",
        ),
        (
            json!({"baseUrl": "https://u:planted@x"}),
            ConfigurationError,
            "holds a user name or password",
        ),
        (
            json!({"stat": 1}),
            ConfigurationError,
            "unknown field `stat`",
        ),
    ] {
        let wanted = with(parameters("github"), more.clone());
        let (_, report) = everywhere(stage, &wanted).await;
        let Report::Failure {
            kind: is, message, ..
        } = report
        else {
            unreachable!("{more}: {report:?}");
        };
        assert_eq!(is, kind, "{message}");
        assert!(message.contains(text), "{message}");
    }
    for (trick, text) in [
        (Trick::html(), "an HTML page"),
        (Trick::empty(), "an empty answer"),
        (Trick::huge(), "more than 1048576 bytes"),
        (
            Trick::Reply(Reply::json(201, &json!({"id": 1}))),
            "answered with another one",
        ),
    ] {
        let tricked = || {
            let stage = stage();
            stage.always("POST", "", trick.clone());
            stage
        };
        let (_, report) = everywhere(tricked, &parameters("github")).await;
        let Report::Failure { kind, message, .. } = report else {
            unreachable!("{report:?}");
        };
        assert_eq!(kind, JobFailed);
        assert!(message.contains(text), "{message}");
    }
}
