//! The whole action over its vendor's stand-in: every outcome on every host, and every call failed, lost, cut off, repeated.

use std::{collections::BTreeMap, io::Cursor};

use serde_json::{Value, json};
use shared::{
    archive::{Limits, names, read_one},
    job::{FailureKind, Report},
};
use shared_testkit::{
    Failing, Host, Mode, VirtualTime, World, describes, events,
    memory::{MemoryArtifacts, MemoryLedger, MemorySecrets},
    repeat_and_fail,
};
use stagewright_standins::{
    InMemory, Stage, Trick,
    alexa::{Alexa, CLIENT, Fate, SKILL},
};

use crate::AlexaSkill;

type Tested = AlexaSkill<
    Failing<InMemory<Alexa, VirtualTime>>,
    VirtualTime,
    Failing<MemorySecrets>,
    Failing<MemoryLedger>,
    Failing<MemoryArtifacts>,
>;

fn parameters() -> Value {
    json!({"skillId": SKILL, "clientId": CLIENT, "clientSecret": "ssm:/client", "refreshToken": "ssm:/refresh"})
}

#[test]
fn the_description_agrees_with_the_parameters() {
    describes::<Tested>(&parameters());
}

fn action(world: &World, stage: &Stage<Alexa>) -> Tested {
    for (name, value) in [
        ("ssm:/client", "planted-client"),
        ("ssm:/refresh", "planted-refresh"),
        ("ssm:/old", "planted-old"),
    ] {
        world.secrets.inner.set(name, value);
    }
    let artifacts = &world.artifacts.inner;
    if artifacts.get("store", "skill.zip").is_none() {
        let skill = [
            ("skill.json", "{}"),
            ("interactionModels/custom/en_US.json", "{\"a\": 1}"),
        ];
        artifacts.set("store", "skill.zip", events::zip_of(&skill));
        let overlay = [
            ("interactionModels/custom/en_US.json", "{\"a\": 2}"),
            ("assets/icon.png", "png"),
        ];
        artifacts.set("store", "overlay.zip", events::zip_of(&overlay));
    }
    AlexaSkill::new(
        Failing::new(stage.http(world.time), &world.plan),
        world.time,
        world.secrets.clone(),
        world.ledger.clone(),
        world.artifacts.clone(),
    )
}

fn event(more: &Value) -> Value {
    let mut wanted = parameters();
    for (name, value) in more.as_object().into_iter().flatten() {
        wanted[name] = value.clone();
    }
    let event = events::with_input(events::job(&wanted), "Skill", "store", "skill.zip");
    events::with_input(event, "Overlay", "store", "overlay.zip")
}

/// Plays on one host; nothing that comes out may hold a planted secret.
async fn play_in(world: &World, host: Host, stage: &Stage<Alexa>, event: &Value) -> Report {
    let action = action(world, stage);
    let report = world.play_on(host, &action, event).await;
    let told = format!("{:?} {report:?} {action:?}", world.reporter.inner.taken());
    assert!(!told.contains("planted"), "{told}");
    report
}

/// The same outcome on all hosts.
async fn everywhere(arrange: impl Fn(&Stage<Alexa>), more: Value) -> (Stage<Alexa>, Report) {
    let mut last: Option<(Stage<Alexa>, Report)> = None;
    for host in Host::ALL {
        let stage = Stage::default();
        arrange(&stage);
        let report = play_in(&World::new(Mode::Work), host, &stage, &event(&more)).await;
        if let Some((_, before)) = &last {
            assert_eq!(
                std::mem::discriminant(before),
                std::mem::discriminant(&report),
                "{host:?}: {report:?}"
            );
        }
        last = Some((stage, report));
    }
    last.expect("four hosts")
}

fn success(report: Report) -> (String, BTreeMap<String, String>) {
    match report {
        Report::Success { details, variables } => (details.summary.unwrap_or_default(), variables),
        report => unreachable!("{report:?}"),
    }
}

fn failure(report: Report) -> (FailureKind, String) {
    match report {
        Report::Failure { kind, message, .. } => (kind, message),
        report => unreachable!("{report:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_package_is_imported_with_the_overlay_on_top() {
    let (stage, report) = everywhere(|_| {}, json!({"certify": true})).await;
    let (summary, variables) = success(report);
    let shown = format!(
        "{SKILL}: imported; warnings: Manifest: the icon is small, submitted for certification"
    );
    assert_eq!(summary, shown);
    assert_eq!(variables["ImportStatus"], "SUCCEEDED");
    assert_eq!(variables["ETag"], "etag-1");
    assert_eq!(variables["Warnings"], "1");
    let (imports, submissions) = stage.with(|vendor| (vendor.imports.clone(), vendor.submissions));
    assert_eq!((imports.len(), submissions), (1, 1));
    assert_eq!(imports[0].if_match, None);
    let zip = Cursor::new(&imports[0].package);
    let mut files = names(zip.clone(), &Limits::DEFAULT).unwrap();
    files.sort();
    assert_eq!(
        files,
        [
            "assets/icon.png",
            "interactionModels/custom/en_US.json",
            "skill.json"
        ]
    );
    let model = read_one(zip, "interactionModels/custom/en_US.json", 100).unwrap();
    assert_eq!(model, b"{\"a\": 2}");
}

#[tokio::test(start_paused = true)]
async fn the_same_package_is_skipped_and_a_foreign_change_is_not_lost() {
    let stage: Stage<Alexa> = Stage::default();
    let world = World::new(Mode::Work);
    let run = async |number: u32, more: Value| {
        let mut event = event(&more);
        event["CodePipeline.job"]["id"] = json!(format!("aaaaaaaa-{number:04}"));
        play_in(&world, Host::Invoke, &stage, &event).await
    };
    success(run(1, json!({})).await);
    // Continuations of the second run would have ids of the first; it has none.
    let (summary, variables) = success({
        let mut event = event(&json!({}));
        event["CodePipeline.job"]["id"] = json!("bbbbbbbb-0001");
        play_in(&world, Host::Task, &stage, &event).await
    });
    assert!(summary.ends_with("nothing was done"), "{summary}");
    assert_eq!(variables["ImportStatus"], "UNCHANGED");
    assert_eq!(variables["ETag"], "etag-1");
    assert_eq!(stage.with(|vendor| vendor.imports.len()), 1);

    let other = events::zip_of(&[("skill.json", "{\"new\": 1}")]);
    world.artifacts.inner.set("store", "skill.zip", other);
    stage.with(Alexa::change);
    let mut machine = event(&json!({}));
    machine["CodePipeline.job"]["id"] = json!("cccccccc-0001");
    let again = World {
        ledger: world.ledger.clone(),
        artifacts: world.artifacts.clone(),
        ..World::new(Mode::Work)
    };
    let (kind, message) = failure(play_in(&again, Host::Invoke, &stage, &machine).await);
    assert_eq!(kind, FailureKind::JobFailed);
    assert_eq!(
        message,
        format!(
            "{SKILL} was changed since this pipeline's last import: take the change over into the package, or set \
             overwrite to true to lose it"
        )
    );
    let mut forced = event(&json!({"overwrite": true}));
    forced["CodePipeline.job"]["id"] = json!("dddddddd-0001");
    let last = World {
        ledger: world.ledger.clone(),
        artifacts: world.artifacts.clone(),
        ..World::new(Mode::Work)
    };
    success(play_in(&last, Host::Invoke, &stage, &forced).await);
    assert_eq!(stage.with(|vendor| vendor.imports.len()), 2);
}

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
            "did not end within 5 minutes and could not be stopped: Alexa has no call for that, the import goes on",
        ),
    ] {
        let arrange = |stage: &Stage<Alexa>| stage.with(|vendor| vendor.fate = fate.clone());
        let (_, report) = everywhere(arrange, json!({"timeoutMinutes": 5})).await;
        let (is, message) = failure(report);
        assert_eq!(is, kind, "{message}");
        assert!(message.contains(text), "{message}");
    }
    let down = |stage: &Stage<Alexa>| {
        stage.always("GET", "imports", Trick::status(503));
    };
    let (_, report) = everywhere(down, json!({"timeoutMinutes": 5})).await;
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

#[tokio::test(start_paused = true)]
async fn a_submission_whose_answer_is_lost_counts() {
    let lost = |stage: &Stage<Alexa>| {
        stage.trick("POST", "submit", 1, Trick::LostAnswer);
    };
    let (stage, report) = everywhere(lost, json!({"certify": true})).await;
    let (summary, _) = success(report);
    assert!(
        summary.ends_with("submitted for certification"),
        "{summary}"
    );
    assert_eq!(stage.count("POST", "submit"), 2);
    let refused = |stage: &Stage<Alexa>| {
        stage.always("POST", "submit", Trick::status(400));
    };
    let (_, report) = everywhere(refused, json!({"certify": true})).await;
    let (kind, message) = failure(report);
    assert_eq!(kind, FailureKind::ConfigurationError);
    assert!(
        message.contains("refused the submission for certification"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_for_less_than_an_hour() {
    let (stage, world) = (Stage::default(), World::new(Mode::Work));
    let action = action(&world, &stage);
    for (tokens, minutes) in [(1, 30), (1, 19), (2, 0)] {
        let package = events::zip_of(&[("skill.json", &format!("{minutes}"))]);
        world.artifacts.inner.set("store", "skill.zip", package);
        let report = world
            .play_on(Host::Task, &action, &event(&json!({"overwrite": true})))
            .await;
        // The same run again would be known.
        world
            .ledger
            .inner
            .forget("action-alexa-skill/run-of-the-machine");
        success(report);
        assert_eq!(stage.with(|vendor| vendor.tokens.len()), tokens);
        tokio::time::advance(std::time::Duration::from_secs(minutes * 60)).await;
    }
    assert_eq!(stage.with(|vendor| vendor.imports.len()), 3);
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let stage: std::sync::Mutex<Stage<Alexa>> = std::sync::Mutex::default();
    // One small file: it is packed hundreds of times.
    let event = events::with_input(events::job(&parameters()), "Skill", "store", "skill.zip");
    let skill = events::zip_of(&[("skill.json", "{}")]);
    repeat_and_fail(
        &event,
        |world| {
            let fresh = Stage::default();
            *stage.lock().unwrap() = fresh.clone();
            world
                .artifacts
                .inner
                .set("store", "skill.zip", skill.clone());
            action(world, &fresh)
        },
        |_, report, mode| {
            let imports = stage.lock().unwrap().with(|vendor| vendor.imports.clone());
            assert!(
                imports
                    .windows(2)
                    .all(|two| two[0].package == two[1].package),
                "{mode:?}"
            );
            assert!(imports.len() <= 2, "{mode:?}: {} imports", imports.len());
            if let Report::Success { .. } = report {
                assert!(!imports.is_empty(), "{mode:?}");
            }
            if mode == Mode::Work {
                assert_eq!(imports.len(), 1);
                assert!(matches!(report, Report::Success { .. }), "{report:?}");
            }
        },
    )
    .await;
}
