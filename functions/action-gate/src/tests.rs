//! The whole action over fakes: what opens it, what keeps it closed, and every call failed, lost, cut off and repeated.

use serde_json::{Value, json};
use shared::{
    job::{FailureKind, Report},
    provider::Provider,
};
use shared_testkit::{
    Failing, Host, Mode, World, describes, events, failure,
    memory::MemorySecrets,
    repeat_and_fail,
    time::{BEGINNING, VirtualTime},
};
use stagewright_standins::{
    InMemory, Reply, Stage, Trick,
    aws::{OverHttp, Refusal, Signals},
};

use crate::Gate;

type Signal = InMemory<Signals, VirtualTime>;
type TestGate =
    Gate<Failing<OverHttp<Signal>>, Failing<Signal>, VirtualTime, Failing<MemorySecrets>>;

const URL: &str = "https://gate.example.com/state?key=planted-query";

fn gate(world: &World, stage: &Stage<Signals>) -> TestGate {
    let http = stage.http(world.time);
    let services = Failing::new(OverHttp(http.clone()), &world.plan);
    let page = Provider::new(
        Failing::new(http, &world.plan),
        world.time,
        "The gate's page",
    );
    world
        .secrets
        .inner
        .set("secretsmanager:gate", "planted-token");
    Gate::new(services, page, world.secrets.clone())
}

/// Everything open.
fn signals() -> Signals {
    let mut signals = Signals {
        page: Some((200, "all is well".into())),
        ..Signals::default()
    };
    signals.calendar("Freeze", true, None);
    signals.alarm("Errors", "OK", false);
    signals.alarm("All", "OK", true);
    let open = ("String".to_owned(), "open".to_owned());
    signals.parameters.insert("/gate".into(), open);
    signals
}

fn everything() -> Value {
    json!({
        "calendars": ["Freeze"], "alarms": ["Errors", "All"], "parameter": "/gate",
        "url": URL, "expectText": "well", "urlToken": "secretsmanager:gate",
        "days": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    })
}

async fn play(host: Host, parameters: &Value, stage: &Stage<Signals>) -> Report {
    let world = World::new(Mode::Work);
    let action = gate(&world, stage);
    let report = world.play_on(host, &action, &events::job(parameters)).await;
    let text = format!("{:?} {report:?}", world.reporter.inner.taken());
    assert!(!text.contains("planted"), "{text}");
    report
}

#[test]
fn the_description_agrees_with_the_parameters() {
    describes::<TestGate>(&json!({"url": URL, "parameter": "/gate", "days": ["Mon"]}));
}

#[tokio::test(start_paused = true)]
async fn it_opens_when_all_that_is_given_says_so() {
    for host in Host::ALL {
        let stage = Stage::new(signals());
        let Report::Success { variables, details } = play(host, &everything(), &stage).await else {
            unreachable!("{host:?}");
        };
        assert_eq!(variables["Checks"], "1", "{host:?}");
        assert_eq!(variables["OpenedAt"], "2026-01-02T03:04:05Z");
        assert_eq!(
            details.summary.as_deref(),
            Some("the gate is open, after 0 s")
        );
        let records = stage.records();
        let page = records.iter().find(|record| record.asked.method == "GET");
        assert_eq!(
            page.and_then(|page| page.asked.bearer()),
            Some("planted-token")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn it_waits_until_a_calendar_opens_and_says_when_that_will_be() {
    for host in Host::ALL {
        let mut closed = signals();
        closed.calendar(
            "Freeze",
            false,
            Some(BEGINNING + std::time::Duration::from_secs(100)),
        );
        let stage = Stage::new(closed);
        let world = World::new(Mode::Work);
        let action = gate(&world, &stage);
        let event = events::job(&json!({"calendars": ["Freeze"]}));
        let report = world.play_on(host, &action, &event).await;
        let Report::Success { variables, .. } = report else {
            unreachable!("{host:?}: {report:?}");
        };
        let waited: u64 = variables["WaitedSeconds"].parse().unwrap();
        assert!((100..=250).contains(&waited), "{host:?}: {waited}");
        if host == Host::Invoke {
            let first = &world.reporter.inner.taken()[0].1;
            let Report::Continue { details, .. } = first else {
                unreachable!("{first:?}");
            };
            assert_eq!(
                details.summary.as_deref(),
                Some(
                    "the gate is closed: the change calendar Freeze is closed; next change at 2026-01-02T03:05:45Z"
                )
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_keeps_it_closed_is_said() {
    use FailureKind::{ConfigurationError, JobFailed};
    let ringing = |state: &str| {
        let mut signals = signals();
        signals.alarm("All", state, true);
        signals
    };
    let mut secret = signals();
    let value = ("SecureString".to_owned(), "planted".to_owned());
    secret.parameters.insert("/gate".into(), value);
    let mut shut = signals();
    shut.parameters
        .insert("/gate".into(), ("String".into(), "planted".into()));
    shut.page = Some((503, "planted".into()));
    let alarms = json!({"alarms": ["Errors", "All"], "whenClosed": "fail"});
    let one_of_two = json!({"calendars": ["Freeze"], "alarms": ["All"], "whenClosed": "fail"});
    for (parameters, signals, kind, want) in [
        (
            one_of_two,
            ringing("ALARM"),
            JobFailed,
            "the gate is closed: the alarm All is ALARM",
        ),
        (
            alarms.clone(),
            ringing("ALARM"),
            JobFailed,
            "the gate is closed: the alarm All is ALARM",
        ),
        (
            json!({"alarms": ["All"], "insufficientData": "closed", "timeoutMinutes": 1}),
            ringing("INSUFFICIENT_DATA"),
            JobFailed,
            "the gate did not open within 1 minutes: the alarm All is INSUFFICIENT_DATA",
        ),
        (
            json!({"alarms": ["All"], "timeoutMinutes": 1}),
            ringing("DOZING"),
            FailureKind::SystemUnavailable,
            "could not be looked at until 1 minutes were over: the alarm All has a state that is not known here",
        ),
        (
            json!({"alarms": ["Errors", "Gone"]}),
            signals(),
            ConfigurationError,
            "there is no alarm Gone: check the name and the region",
        ),
        (
            json!({"calendars": ["Gone"]}),
            signals(),
            ConfigurationError,
            "the change calendar Gone was not found",
        ),
        (
            json!({"parameter": "/gone"}),
            signals(),
            ConfigurationError,
            "the parameter /gone was not found",
        ),
        (
            json!({"parameter": "/gate"}),
            secret,
            ConfigurationError,
            "is a SecureString, which is not decrypted for a gate",
        ),
        (
            json!({"parameter": "/gate", "url": URL, "whenClosed": "fail"}),
            shut,
            JobFailed,
            "the gate is closed: the parameter /gate is not \"open\"; \
             https://gate.example.com/state answered 503 where 200 opens",
        ),
        (
            json!({"url": URL, "expectText": "closing time", "whenClosed": "fail"}),
            signals(),
            JobFailed,
            "https://gate.example.com/state does not hold the text that opens",
        ),
        (
            // BEGINNING is a Friday.
            json!({"days": ["Mon"], "timeZone": "Europe/Berlin", "whenClosed": "fail"}),
            signals(),
            JobFailed,
            "the gate is closed: it is outside the hours given (Europe/Berlin)",
        ),
    ] {
        let stage = Stage::new(signals);
        let (is, message) = failure(play(Host::Worker, &parameters, &stage).await);
        assert_eq!(is, kind, "{message}");
        assert!(message.contains(want), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_day_of_the_services_is_waited_for_and_then_said() {
    let denied = Refusal::new("AccessDeniedException", "planted").reply();
    let throttled = Refusal::new("ThrottlingException", "Rate exceeded").reply();
    for (trick, parameters, kind, want) in [
        (
            Trick::Reply(denied),
            json!({"calendars": ["Freeze"]}),
            FailureKind::PermissionError,
            "the function's role needs ssm:GetCalendarState",
        ),
        (
            Trick::Reply(throttled),
            json!({"alarms": ["Errors"], "timeoutMinutes": 1}),
            FailureKind::SystemUnavailable,
            "could not be looked at until 1 minutes were over: the alarms' states could not be reached",
        ),
        (
            Trick::status(401),
            json!({"url": URL, "urlToken": "secretsmanager:gate"}),
            FailureKind::PermissionError,
            "did not accept the credentials",
        ),
        (
            Trick::NeverArrives,
            json!({"url": URL, "timeoutMinutes": 1}),
            FailureKind::SystemUnavailable,
            "https://gate.example.com/state gave no answer",
        ),
        (
            Trick::Reply(Reply::html(200, "Sign in")),
            json!({"url": URL, "expectText": "well", "timeoutMinutes": 1}),
            FailureKind::JobFailed,
            "does not hold the text that opens",
        ),
    ]
    .into_iter()
    .chain(
        [Trick::html(), Trick::empty(), Trick::huge(), Trick::Truncated].map(|trick| {
            (
                trick,
                json!({"parameter": "/gate", "timeoutMinutes": 1}),
                FailureKind::SystemUnavailable,
                "the parameter /gate could not be reached",
            )
        }),
    ) {
        let stage = Stage::new(signals());
        stage.always("", "", trick);
        let (is, message) = failure(play(Host::Invoke, &parameters, &stage).await);
        assert_eq!(is, kind, "{message}");
        assert!(message.contains(want), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let calls = repeat_and_fail(
        &events::job(&everything()),
        |world| gate(world, &Stage::new(signals())),
        |_, report, mode| match report {
            Report::Success { .. } => {}
            Report::Failure { kind, .. } => {
                assert_ne!(mode, Mode::Work);
                assert_eq!(*kind, FailureKind::SystemUnavailable, "{mode:?}");
            }
            Report::Continue { .. } => unreachable!("{mode:?}"),
        },
    )
    .await;
    let gates = [
        "GetCalendarState",
        "DescribeAlarms",
        "GetParameter",
        "secret read",
    ];
    assert!(gates.iter().all(|gate| calls.contains(gate)), "{calls:?}");
    assert!(calls.contains(&"the page of the gate"), "{calls:?}");
}
