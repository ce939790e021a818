//! Bad ends, refusals, nonsense: what people are told.

use super::*;

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
