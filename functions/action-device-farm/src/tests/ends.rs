//! Bad ends, refusals, nonsense: what people are told.

use super::*;

#[tokio::test(start_paused = true)]
async fn failures_say_what_happened() {
    use FailureKind::{ConfigurationError, JobFailed, RevisionUnavailable, SystemUnavailable};
    let ends = |result: &'static str, failed: u64| Farm {
        result,
        failed,
        ..Farm::default()
    };
    let other = PROJECT.replace("EXAMPLE", "ELSEWHERE");
    let parsing = Farm {
        result_code: Some("PARSING_FAILED"),
        ..ends("SKIPPED", 0)
    };
    let refused = Farm {
        refused: Some(("ANDROID_APP", "We could not open your APK.")),
        ..Farm::default()
    };
    let slow = Farm {
        checks: Duration::from_secs(86_400),
        ..Farm::default()
    };
    for (more, farm, kind, want) in [
        (
            json!({}),
            ends("FAILED", 3),
            JobFailed,
            "the run failed: 9 of 12 tests passed, 3 failed — https://us-west-2.console.aws.amazon.com/devicefarm",
        ),
        (
            json!({}),
            ends("PASSED", 1),
            JobFailed,
            "Device Farm contradicts itself",
        ),
        (
            json!({"acceptWarned": false}),
            ends("WARNED", 0),
            JobFailed,
            "which acceptWarned refuses",
        ),
        (
            json!({}),
            ends("ERRORED", 0),
            JobFailed,
            "broke off with an error",
        ),
        (
            json!({}),
            ends("DREAMING", 0),
            JobFailed,
            "\"DREAMING\", which is not known here",
        ),
        (
            json!({}),
            parsing,
            JobFailed,
            "could not read the tests in testPackage",
        ),
        (
            json!({}),
            refused,
            ConfigurationError,
            "Device Farm refused the upload of app (We could not open your APK.): check the file",
        ),
        (
            json!({"timeoutMinutes": 2}),
            slow,
            SystemUnavailable,
            "the uploads were not ready within 2 minutes; last seen: Device Farm is still looking at them",
        ),
        (
            json!({"timeoutMinutes": 2}),
            Farm::default(),
            JobFailed,
            "the APPIUM_PYTHON run of Device Farm did not end within 2 minutes and was stopped",
        ),
        (
            json!({ "projectArn": other }),
            Farm::default(),
            ConfigurationError,
            "the upload was not found",
        ),
        (
            json!({"app": "out/gone.apk"}),
            Farm::default(),
            RevisionUnavailable,
            "the artifact Built: the archive has no entry \"out/gone.apk\"",
        ),
        (
            json!({"app": "Gone::app.apk"}),
            Farm::default(),
            ConfigurationError,
            "app lies in the artifact Gone, which is no input of the action",
        ),
    ] {
        let stage = Stage::new(farm);
        let (_, report) = play(Host::Worker, &more, &stage).await;
        let (is, message) = failure(report);
        assert!(message.contains(want), "{more}: {message}");
        assert_eq!(is, kind, "{message}");
        assert!(runs(&stage) <= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_day_of_the_service_is_waited_for_and_then_said() {
    let refusal = |code| Trick::Reply(Refusal::new(code, "planted").reply());
    let (denied, throttled, limit) = (
        "AccessDeniedException",
        "ThrottlingException",
        "LimitExceededException",
    );
    use FailureKind::{JobFailed, PermissionError, SystemUnavailable};
    for (part, trick, kind, want) in [
        (
            "CreateUpload",
            refusal(denied),
            PermissionError,
            "needs devicefarm:CreateUpload (in us-west-2)",
        ),
        (
            "ScheduleRun",
            refusal(denied),
            PermissionError,
            "needs devicefarm:ScheduleRun",
        ),
        (
            "GetRun",
            refusal(denied),
            PermissionError,
            "needs devicefarm:GetRun",
        ),
        (
            "CreateUpload",
            refusal(throttled),
            SystemUnavailable,
            "the uploads were not ready within 10 minutes",
        ),
        (
            "ScheduleRun",
            refusal(limit),
            SystemUnavailable,
            "could not be started within 600 s",
        ),
        (
            "GetRun",
            refusal(throttled),
            SystemUnavailable,
            "could not be reached. It was stopped",
        ),
        (
            "GetRun",
            Trick::html(),
            SystemUnavailable,
            "could not be reached",
        ),
        (
            "GetRun",
            Trick::empty(),
            SystemUnavailable,
            "could not be reached",
        ),
        (
            "GetRun",
            Trick::huge(),
            SystemUnavailable,
            "could not be reached",
        ),
        (
            "GetRun",
            Trick::Truncated,
            SystemUnavailable,
            "could not be reached",
        ),
        (
            "/uploads/",
            Trick::status(403),
            JobFailed,
            "storage refused the upload of app with status 403",
        ),
        (
            "/uploads/",
            Trick::status(503),
            SystemUnavailable,
            "the uploads were not ready within 10 minutes",
        ),
    ] {
        let stage = Stage::<Farm>::default();
        stage.always("", part, trick);
        let world = World::new(Mode::Work);
        let report = world
            .play_on(Host::Invoke, &action(&world, &stage), &event(&json!({})))
            .await;
        let (is, message) = failure(report);
        assert!(message.contains(want), "{part}: {message}");
        assert_eq!(is, kind, "{message}");
        assert!(!message.contains("planted-signature"), "{message}");
    }
}
