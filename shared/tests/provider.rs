//! The client of vendors under virtual time: what it repeats, how long it waits, and what it says.

use std::time::Duration;

use jiff::Timestamp;
use shared::{
    fault::FaultKind,
    job::FailureKind,
    port::Clock as _,
    provider::{Answer, Call, Payload, Provider, ProviderError, Trouble},
    secret::Secret,
    start::StartError,
};
use shared_testkit::VirtualTime;
use stagewright_standins::{Asked, Reply, Stage, StandIn, Trick};

#[derive(Default)]
struct Vendor;

impl StandIn for Vendor {
    fn handle(&mut self, _: &Asked, _: Timestamp) -> Reply {
        Reply::text(200, "fine")
    }
}

const BUDGET: Duration = Duration::from_secs(40);

struct Played {
    result: Result<Answer, ProviderError>,
    sent: usize,
    took: Duration,
}

async fn play(call: &Call, tricks: &[Trick]) -> Played {
    let stage = Stage::<Vendor>::default();
    for trick in tricks {
        stage.trick("", "", 1, trick.clone());
    }
    let time = VirtualTime::begin();
    let began = time.now();
    let vendor = Provider::new(stage.http(time), time, "Vendor");
    let result = vendor.ask(call, BUDGET, began).await;
    Played {
        result,
        sent: stage.records().len(),
        took: Duration::try_from(time.now().duration_since(began)).unwrap_or_default(),
    }
}

fn get() -> Call {
    Call::get("the run", "https://vendor.example.com/run?token=planted")
        .bearer(&Secret::new("planted".to_owned()))
}

fn start() -> Call {
    Call::post(
        "the start",
        "https://vendor.example.com/runs",
        Payload::Empty,
    )
}

#[tokio::test(start_paused = true)]
async fn a_passing_trouble_is_overcome_where_that_is_safe() {
    let date = "Fri, 02 Jan 2026 03:04:12 GMT";
    // Tricks, how often a GET and a POST are sent, and the least seconds either takes when it ends well.
    for (tricks, gets, posts, least) in [
        (vec![], 1, Some(1), 0),
        (
            vec![Trick::NeverArrives, Trick::NeverArrives],
            3,
            Some(3),
            0,
        ),
        (vec![Trick::LostAnswer], 2, None, 0),
        (vec![Trick::Truncated, Trick::status(502)], 3, None, 0),
        (vec![Trick::Hang], 2, None, 20),
        (vec![Trick::status(503)], 2, None, 0),
        (vec![Trick::throttled(None)], 2, Some(2), 0),
        (
            vec![Trick::throttled(Some("7")), Trick::throttled(Some("2"))],
            3,
            Some(3),
            9,
        ),
        (vec![Trick::throttled(Some(date))], 2, Some(2), 7),
        (vec![Trick::Slow(Duration::from_secs(19))], 1, Some(1), 19),
    ] {
        let played = play(&get(), &tricks).await;
        assert!(played.result.is_ok(), "{tricks:?}: {:?}", played.result);
        assert_eq!(played.sent, gets, "{tricks:?}");
        let (took, least) = (played.took, Duration::from_secs(least));
        assert!(
            took >= least && took < least + Duration::from_secs(2),
            "{tricks:?}: {took:?}"
        );
        let played = play(&start(), &tricks).await;
        match posts {
            Some(posts) => assert_eq!((played.result.is_ok(), played.sent), (true, posts)),
            None => assert_eq!(
                (played.result.is_ok(), played.sent),
                (false, 1),
                "{tricks:?}"
            ),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_is_given_up_in_time() {
    let ever = |trick: Trick| vec![trick; 50];
    for (tricks, sent, most, again_in) in [
        (ever(Trick::NeverArrives), 4, 2, None),
        (ever(Trick::status(500)), 4, 2, None),
        (ever(Trick::Hang), 2, 40, None),
        (ever(Trick::throttled(Some("3600"))), 1, 0, Some(3600)),
        (ever(Trick::status(404)), 1, 0, None),
    ] {
        let played = play(&get(), &tricks).await;
        let error = played.result.unwrap_err();
        assert_eq!(played.sent, sent, "{error}");
        assert!(
            played.took <= Duration::from_secs(most),
            "{error}: {:?}",
            played.took
        );
        assert_eq!(
            error.again_in(),
            again_in.map(Duration::from_secs),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_trouble_is_a_sentence_and_a_kind() {
    let refused = Trick::Reply(Reply::json(
        409,
        &serde_json::json!({"message": "it is disabled, planted"}),
    ));
    for (trick, kind, passing, unknown, want) in [
        (
            Trick::status(401),
            FaultKind::Permission,
            false,
            false,
            "Vendor did not accept the credentials for the run (status 401): renew the secret that the action names",
        ),
        (
            Trick::status(403),
            FaultKind::Permission,
            false,
            false,
            "Vendor does not allow the run to the user of these credentials (status 403): give that user the permission",
        ),
        (
            Trick::status(404),
            FaultKind::Configuration,
            false,
            false,
            "Vendor knows nothing of the run: check the address and the names, and that the user of these credentials may see it",
        ),
        (
            refused,
            FaultKind::Configuration,
            false,
            false,
            "Vendor refused the run with status 409: it is disabled, [redacted]",
        ),
        (
            Trick::Reply(Reply::empty(422)),
            FaultKind::Configuration,
            false,
            false,
            "Vendor refused the run with status 422: check the action's parameters",
        ),
        (
            Trick::throttled(None),
            FaultKind::Unavailable,
            true,
            false,
            "Vendor throttled the run (status 429): try again later",
        ),
        (
            Trick::status(502),
            FaultKind::Unavailable,
            true,
            true,
            "Vendor is not well: the run was answered with status 502; try again later",
        ),
        (
            Trick::LostAnswer,
            FaultKind::Unavailable,
            true,
            true,
            "Vendor gave no whole answer to the run: it may be overloaded; try again later",
        ),
        (
            Trick::NeverArrives,
            FaultKind::Unavailable,
            true,
            false,
            "Vendor could not be reached for the run: check the address, and that the function's network leads there",
        ),
    ] {
        let error = play(&get(), &vec![trick.clone(); 4])
            .await
            .result
            .unwrap_err();
        assert_eq!(error.is_passing(), passing, "{error}");
        assert!(!format!("{error:?}").contains("planted"), "{error:?}");
        let again = play(&get(), &vec![trick; 4]).await.result.unwrap_err();
        let is_unknown = matches!(again.start_error(), StartError::Unknown(_));
        assert_eq!(is_unknown, unknown, "{error}");
        let fault = error.fault();
        assert_eq!((fault.kind, fault.public.as_str()), (kind, want));
    }
    let garbled = play(&get(), &[Trick::html()]).await.result.unwrap();
    let fault = garbled.json::<serde_json::Value>().unwrap_err().fault();
    assert_eq!(FailureKind::from(fault.kind), FailureKind::JobFailed);
    assert_eq!(
        fault.public,
        "Vendor answered the run with an HTML page: check that the address is that of its API and not of a proxy or a login page"
    );
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_ends_in_a_sending_leaves_open_what_happened() {
    let stage = Stage::<Vendor>::default();
    stage.always("", "", Trick::Hang);
    let time = VirtualTime::begin();
    let vendor = Provider::new(stage.http(time), time, "Vendor");
    let second = Duration::from_secs(1);
    let error = vendor.ask(&start(), second, time.now()).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Lost);
}
