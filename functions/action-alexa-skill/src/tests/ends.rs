//! Bad ends, refusals, nonsense: what people are told.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_failed_import_names_its_parts() {
    use FailureKind::{JobFailed, SystemUnavailable};
    for (fate, kind, text) in [
        (
            Fate::Ends("FAILED"),
            JobFailed,
            "failed; InteractionModel.en_US: AMAZON.Foo is no slot type",
        ),
        (
            Fate::Ends("ROLLBACK_SUCCEEDED"),
            JobFailed,
            "failed and was rolled back; InteractionModel.en_US",
        ),
        (
            Fate::Ends("ROLLBACK_FAILED"),
            JobFailed,
            "so the skill may be half changed",
        ),
        (Fate::Ends("SKIPPED"), JobFailed, "was skipped by Alexa"),
        (
            Fate::Says(json!({"status": "PAUSED"})),
            JobFailed,
            "has the status \"PAUSED\", which is not known here",
        ),
        (
            Fate::Says(json!({"status": "SUCCEEDED", "errors": [{"message": "odd"}]})),
            JobFailed,
            "succeeded and names errors; odd",
        ),
        (
            Fate::Never,
            JobFailed,
            "did not end within 15 minutes and could not be stopped: Alexa has no call for that, the import goes on",
        ),
    ] {
        let arrange = |stage: &Stage<Alexa>| stage.with(|vendor| vendor.fate = fate.clone());
        let (_, report) = everywhere(arrange, json!({"timeoutMinutes": 15})).await;
        let (is, message) = failure(report);
        assert_eq!(is, kind, "{message}");
        assert!(message.contains(text), "{message}");
    }
    let down = |stage: &Stage<Alexa>| {
        stage.always("GET", "imports", Trick::status(503));
    };
    let (_, report) = everywhere(down, json!({"timeoutMinutes": 15})).await;
    assert_eq!(failure(report).0, SystemUnavailable);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_sentences_for_people() {
    use FailureKind::{ConfigurationError, JobFailed, PermissionError, RevisionUnavailable};
    type Arrange = fn(&Stage<Alexa>);
    let plain: Arrange = |_| {};
    let cases: [(Arrange, Value, FailureKind, &str); 14] = [
        (
            plain,
            json!({"refreshToken": "ssm:/old"}),
            PermissionError,
            "Login with Amazon gave no access token: The request has an invalid grant parameter : refresh_token [redacted]",
        ),
        (
            plain,
            json!({"clientId": "other"}),
            PermissionError,
            "renew the secrets that clientSecret and refreshToken name",
        ),
        (
            plain,
            json!({"clientSecret": "ssm:/none"}),
            ConfigurationError,
            "the secret ssm:/none was not found",
        ),
        (
            plain,
            json!({"clientSecret": "planted"}),
            ConfigurationError,
            "a reference is needed, never the value",
        ),
        (
            plain,
            json!({"skillId": "x"}),
            ConfigurationError,
            "skillId must be written as amzn1.ask.skill.",
        ),
        (
            plain,
            json!({"skillId": "amzn1.ask.skill.other"}),
            ConfigurationError,
            "Alexa knows nothing of the import",
        ),
        (
            plain,
            json!({"timeoutMinutes": 0}),
            ConfigurationError,
            "timeoutMinutes must be from 1 to 1440",
        ),
        (
            plain,
            json!({"baseUrl": "ftp://x"}),
            ConfigurationError,
            "baseUrl: an address like",
        ),
        (
            plain,
            json!({"skil": 1}),
            ConfigurationError,
            "unknown field `skil`",
        ),
        (
            |s| {
                s.always("POST", "uploads", Trick::status(401));
            },
            json!({}),
            PermissionError,
            "did not accept the credentials for the place for the package",
        ),
        (
            |s| {
                s.always("POST", "imports", Trick::status(403));
            },
            json!({}),
            PermissionError,
            "does not allow the import",
        ),
        (
            |s| {
                s.always("POST", "imports", Trick::status(413));
            },
            json!({}),
            ConfigurationError,
            "larger than Alexa takes",
        ),
        (
            |s| {
                s.always("POST", "uploads", Trick::html());
            },
            json!({}),
            JobFailed,
            "an HTML page",
        ),
        (
            |s| {
                s.always("GET", "imports", Trick::huge());
            },
            json!({}),
            JobFailed,
            "more than 1048576 bytes",
        ),
    ];
    for (arrange, more, kind, text) in cases {
        let (_, report) = everywhere(arrange, more).await;
        let (is, message) = failure(report);
        assert!(message.contains(text), "{message}");
        assert_eq!(is, kind, "{message}");
    }
    for (file, text) in [
        (
            events::zip_of(&[("package/skill.json", "{}")]),
            "it has no skill.json at its root",
        ),
        (
            b"no zip".to_vec(),
            "the artifact Skill: it is not a zip archive",
        ),
    ] {
        let world = World::new(Mode::Work);
        world.artifacts.inner.set("store", "skill.zip", file);
        world
            .artifacts
            .inner
            .set("store", "overlay.zip", events::zip_of(&[]));
        let report = play_in(&world, Host::Invoke, &Stage::default(), &event(&json!({}))).await;
        let (kind, message) = failure(report);
        assert_eq!(kind, RevisionUnavailable);
        assert!(message.contains(text), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_waited_for() {
    type Arrange = fn(&Stage<Alexa>);
    let cases: [Arrange; 7] = [
        |s| {
            s.trick("POST", "imports", 2, Trick::status(409));
        },
        |s| {
            s.trick("", "", 3, Trick::throttled(Some("2")));
        },
        |s| {
            s.trick("POST", "imports", 1, Trick::LostAnswer);
        },
        |s| {
            s.trick("GET", "imports", 3, Trick::empty());
        },
        |s| {
            s.trick("GET", "imports", 1, Trick::Truncated);
        },
        |s| {
            s.trick("PUT", "signed", 1, Trick::LostAnswer);
        },
        |s| {
            s.trick("POST", "uploads", 1, Trick::status(401));
        },
    ];
    for (number, arrange) in cases.into_iter().enumerate() {
        let (stage, report) = everywhere(arrange, json!({})).await;
        let (summary, _) = success(report);
        assert!(summary.contains("imported"), "{number}: {summary}");
        // The lost import is made again once the first one is over: the same package, without harm.
        let imports = stage.with(|vendor| vendor.imports.clone());
        assert_eq!(imports.len(), if number == 2 { 2 } else { 1 }, "{number}");
        assert!(
            imports
                .windows(2)
                .all(|two| two[0].package == two[1].package)
        );
    }
}
