//! The whole action over fakes: every outcome on every host, and every call failed, lost, cut off and repeated.

use std::{cell::RefCell, io::Cursor, sync::OnceLock, time::Duration};

use serde_json::{Value, json};
use shared::{
    archive::{Limits, names, read_one},
    job::{FailureKind, Report},
    provider::Provider,
};
use shared_testkit::{
    Failing, Host, Mode, World, describes, events, give_up_and_fail,
    memory::{MemoryArtifacts, MemoryLedger},
    repeat_and_fail,
    time::VirtualTime,
};
use stagewright_standins::{
    InMemory, Stage, Trick,
    aws::{DeviceFarm as Farm, OverHttp, PROJECT, Refusal, asked_for},
};

use crate::DeviceFarm;

type Way = InMemory<Farm, VirtualTime>;
type TestFarm = DeviceFarm<
    Failing<OverHttp<Way>>,
    Failing<Way>,
    VirtualTime,
    Failing<MemoryLedger>,
    Failing<MemoryArtifacts>,
>;

const POOL: &str = "arn:aws:devicefarm:us-west-2::devicepool:082d10e5-d7d7-48a5-ba5c-b33d66efa1f5";

fn action(world: &World, stage: &Stage<Farm>) -> TestFarm {
    let http = stage.http(world.time);
    let services = Failing::new(OverHttp(http.clone()), &world.plan);
    let storage = Failing::new(http, &world.plan);
    let storage = Provider::new(storage, world.time, "Device Farm's storage");
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    let zip = BUILT.get_or_init(|| {
        events::zip_of(&[
            ("out/app.apk", "an app"),
            ("tests.zip", "tests"),
            ("spec.yml", "v: 1"),
        ])
    });
    world.artifacts.inner.set("store", "built.zip", zip.clone());
    DeviceFarm::new(
        services,
        storage,
        world.ledger.clone(),
        world.artifacts.clone(),
    )
}

fn parameters(more: &Value) -> Value {
    let mut all = json!({
        "projectArn": PROJECT, "devicePoolArn": POOL, "appType": "Android", "app": "out/app.apk",
        "testType": "APPIUM_PYTHON", "testPackage": "Built::tests.zip", "timeoutMinutes": 10
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    // Null stands for: not given.
    let given = all.as_object().into_iter().flatten();
    let given = given.filter(|(_, value)| !value.is_null());
    given
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn event(more: &Value) -> Value {
    let job = events::job(&parameters(more));
    let event = events::with_input(job, "Built", "store", "built.zip");
    events::with_output(event, "Files", "store", "files.zip")
}

async fn play(host: Host, more: &Value, stage: &Stage<Farm>) -> (World, Report) {
    let world = World::new(Mode::Work);
    let report = world
        .play_on(host, &action(&world, stage), &event(more))
        .await;
    let told = format!("{:?} {report:?}", world.reporter.inner.taken());
    assert!(!told.contains("planted"), "{told}");
    (world, report)
}

fn failure(report: Report) -> (FailureKind, String) {
    match report {
        Report::Failure { kind, message, .. } => (kind, message),
        report => unreachable!("{report:?}"),
    }
}

fn runs(stage: &Stage<Farm>) -> usize {
    stage.with(|farm| farm.runs.len())
}

#[test]
fn the_description_agrees_with_the_parameters() {
    let mut good = parameters(&json!({}));
    good["devicePoolArn"] = json!(POOL);
    describes::<TestFarm>(&good);
}

#[tokio::test(start_paused = true)]
async fn an_app_is_uploaded_and_tested_once() {
    for host in Host::ALL {
        let stage = Stage::<Farm>::default();
        let more = json!({
            "testSpec": "spec.yml", "environment": {"STAGE": "live"}, "jobTimeoutMinutes": 20, "testFilter": "smoke",
            "configuration": {"radios": {"wifi": true}}, "testParameters": {"a": "b"}
        });
        let (world, report) = play(host, &more, &stage).await;
        let Report::Success { variables, details } = report else {
            unreachable!("{host:?}: {report:?}");
        };
        for (name, value) in [
            ("Result", "PASSED"),
            ("Total", "12"),
            ("Passed", "12"),
            ("Failed", "0"),
            ("Devices", "4"),
            ("DeviceMinutes", "7.25"),
        ] {
            assert_eq!(variables[name], value, "{host:?} {name}");
        }
        assert_eq!(details.external_id.unwrap().as_str(), variables["RunArn"]);
        let farm = stage.with(|farm| farm.clone());
        let sent: Vec<_> = farm
            .uploads
            .iter()
            .map(|one| (one.name.as_str(), one.kind.as_str(), one.bytes.as_deref()))
            .collect();
        assert_eq!(
            sent,
            [
                ("app.apk", "ANDROID_APP", Some(&b"an app"[..])),
                (
                    "tests.zip",
                    "APPIUM_PYTHON_TEST_PACKAGE",
                    Some(&b"tests"[..])
                ),
                ("spec.yml", "APPIUM_PYTHON_TEST_SPEC", Some(&b"v: 1"[..])),
            ],
            "{host:?}"
        );
        assert_eq!(farm.runs.len(), 1, "{host:?}");
        let request = &farm.runs[0].request;
        let upload = |number: u32| {
            format!(
                "arn:aws:devicefarm:us-west-2:123456789012:upload:5e01a8c7-c861-4c0a-b1d5-12345EXAMPLE/{number:08}"
            )
        };
        assert_eq!(request["appArn"], upload(0));
        assert_eq!(
            request["test"],
            json!({
                "type": "APPIUM_PYTHON", "testPackageArn": upload(1), "testSpecArn": upload(2), "filter": "smoke",
                "parameters": {"a": "b"}
            })
        );
        assert_eq!(
            request["configuration"],
            json!({"radios": {"wifi": true}, "environmentVariables": [{"name": "STAGE", "value": "live"}]})
        );
        assert_eq!(
            request["executionConfiguration"],
            json!({"videoCapture": true, "jobTimeoutMinutes": 20})
        );
        let zip = world.artifacts.inner.get("store", "files.zip").unwrap();
        let files = names(Cursor::new(zip.clone()), &Limits::DEFAULT).unwrap();
        assert_eq!(files, ["files.json", "run.json"]);
        let files = read_one(Cursor::new(zip), "files.json", 10_000).unwrap();
        let files: Value = serde_json::from_slice(&files).unwrap();
        assert_eq!(files.as_array().map(Vec::len), Some(6));
        assert_eq!(files[0]["type"], "VIDEO");
    }
}

#[tokio::test(start_paused = true)]
async fn people_see_the_run_while_it_goes_on() {
    let stage = Stage::<Farm>::default();
    let (world, _) = play(Host::Invoke, &json!({}), &stage).await;
    let reports = world.reporter.inner.taken();
    let summaries: Vec<String> = reports
        .iter()
        .filter_map(|(_, report)| match report {
            Report::Continue { details, .. } => details.summary.clone(),
            _ => None,
        })
        .collect();
    let all = summaries.join("\n");
    for want in [
        "uploaded app",
        "uploaded testPackage",
        "the run is RUNNING: 1 of 4 devices — https://us-west-2.console.aws.amazon.com/devicefarm",
    ] {
        assert!(all.contains(want), "{all}");
    }
    let percents = reports.iter().filter_map(|(_, report)| match report {
        Report::Continue { details, .. } => details.percent,
        _ => None,
    });
    assert!(percents.into_iter().any(|percent| percent == 25));
}

#[tokio::test(start_paused = true)]
async fn uploads_that_are_there_are_used() {
    let stage = Stage::<Farm>::default();
    let web = json!({
        "appType": "Web", "app": Value::Null, "testType": "APPIUM_WEB_NODE", "testPackage": "tests.zip",
        "devicePoolArn": Value::Null,
        "deviceSelection": {"filters": [{"attribute": "PLATFORM", "operator": "EQUALS", "values": ["ANDROID"]}], "maxDevices": 2}
    });
    let (_, first) = play(Host::Invoke, &web, &stage).await;
    assert!(matches!(first, Report::Success { .. }), "{first:?}");
    assert_eq!(
        stage.with(|farm| (farm.uploads.len(), farm.runs.len())),
        (1, 1)
    );
    let arn = stage.with(|farm| farm.runs[0].request["test"]["testPackageArn"].clone());

    let mut ready = Farm::default();
    ready.ready_upload();
    let stage = Stage::new(ready);
    let mut again = web.clone();
    again["testPackage"] = arn.clone();
    let (_, second) = play(Host::Task, &again, &stage).await;
    assert!(matches!(second, Report::Success { .. }), "{second:?}");
    let farm = stage.with(|farm| farm.clone());
    assert_eq!((farm.uploads.len(), farm.runs.len()), (1, 1));
    let request = &farm.runs[0].request;
    assert_eq!(request["test"]["testPackageArn"], arn);
    assert_eq!(
        request["deviceSelectionConfiguration"],
        web["deviceSelection"]
    );
    assert_eq!(
        (request.get("appArn"), request.get("devicePoolArn")),
        (None, None)
    );
}

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

#[tokio::test(start_paused = true)]
async fn a_lost_answer_starts_no_second_run() {
    for host in Host::ALL {
        let idempotency = Refusal::new("IdempotencyException", "planted").reply();
        for lost in [
            Trick::LostAnswer,
            Trick::html(),
            Trick::ReplyAfter(idempotency),
        ] {
            // Others run as well, so ours is on a later page.
            let stage = Stage::<Farm>::default();
            stage.trick("", "ScheduleRun", 1, lost);
            let crowd = stage.clone();
            let world = World::new(Mode::Work);
            world.plan.before("ListRuns", move || {
                crowd.with(|farm| {
                    let Some(mut other) = farm.runs.last().cloned() else {
                        return;
                    };
                    other.request["name"] = json!("somebody's");
                    farm.runs.extend([other.clone(), other.clone(), other]);
                });
            });
            let ours = |stage: &Stage<Farm>| {
                let all = stage.with(|farm| farm.runs.clone());
                all.iter()
                    .filter(|run| run.request["name"] != "somebody's")
                    .count()
            };
            let report = world
                .play_on(host, &action(&world, &stage), &event(&json!({})))
                .await;
            assert!(
                matches!(report, Report::Success { .. }),
                "{host:?}: {report:?}"
            );
            assert_eq!(ours(&stage), 1, "{host:?}");
            assert!(asked_for(&stage, "ListRuns") > 0, "{host:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let stages = RefCell::new(Vec::new());
    let calls = repeat_and_fail(
        &event(&json!({})),
        |world| {
            let stage = Stage::<Farm>::default();
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, report, mode| {
            let stage = stages.borrow_mut().pop().unwrap();
            assert!(runs(&stage) <= 1, "{mode:?}");
            match report {
                Report::Success { .. } => assert_eq!(runs(&stage), 1, "{mode:?}"),
                Report::Failure { kind, message, .. } => {
                    assert_ne!(mode, Mode::Work);
                    assert_eq!(*kind, FailureKind::SystemUnavailable, "{mode:?}: {message}");
                }
                Report::Continue { .. } => unreachable!("{mode:?}"),
            }
        },
    )
    .await;
    for call in [
        "artifact download",
        "CreateUpload",
        "the upload",
        "GetUpload",
        "ScheduleRun",
        "GetRun",
        "ListArtifacts",
        "artifact upload",
    ] {
        assert!(calls.contains(&call), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_gives_up_is_stopped_whatever_goes_wrong() {
    let stages = RefCell::new(Vec::new());
    // Without uploads: they are others' tests, and this one is long.
    let upload = "arn:aws:devicefarm:us-west-2:123456789012:upload:5e01a8c7-c861-4c0a-b1d5-12345EXAMPLE/00000000";
    let more = json!({"appType": "Web", "app": Value::Null, "testType": "APPIUM_WEB_NODE", "testPackage": upload});
    give_up_and_fail(
        // Without files on the disk: there are thousands of plays.
        &events::job(&parameters(&more)),
        1,
        |world| {
            let mut farm = Farm {
                times: (Duration::ZERO, Duration::from_secs(86_400)),
                ..Farm::default()
            };
            farm.ready_upload();
            let stage = Stage::new(farm);
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, host, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let runs = stage.with(|farm| farm.runs.clone());
            assert!(runs.len() <= 1, "{host:?} {mode:?}");
            let stopped = runs.iter().all(|run| run.stopped.is_some());
            assert!(stopped, "{host:?} {mode:?}: the run goes on");
        },
    )
    .await;
}
