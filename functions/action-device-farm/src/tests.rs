//! The whole action over fakes: every outcome on every host, and every call failed, lost, cut off and repeated.

use std::{cell::RefCell, io::Cursor, sync::OnceLock, time::Duration};

use serde_json::{Value, json};

use shared::{
    archive::{Limits, names, read_one},
    job::{FailureKind, Report},
    provider::Provider,
};

use shared_testkit::{
    Failing, Host, Mode, World, describes, events, failure, give_up_and_fail,
    memory::{MemoryArtifacts, MemoryLedger},
    over, repeat_and_fail,
    time::VirtualTime,
};

use stagewright_standins::{
    InMemory, Stage, Trick,
    aws::{DeviceFarm as Farm, OverHttp, PROJECT, Refusal, asked_for},
};

use crate::DeviceFarm;

mod ends;
mod faults;

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
    let all = json!({
        "projectArn": PROJECT, "devicePoolArn": POOL, "appType": "Android", "app": "out/app.apk",
        "testType": "APPIUM_PYTHON", "testPackage": "Built::tests.zip", "timeoutMinutes": 10
    });
    over(all, more)
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
