//! The whole action over fakes: every outcome, and every call failed, lost, cut off and repeated.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::job::{FailureKind, Report};
use shared_testkit::{
    Failing, Mode, World, describes, events, failure,
    memory::{MemoryFiles, MemoryPages, Page},
    repeat_and_fail,
};

use crate::HttpCheck;

const URL: &str = "http://site.example.com/?token=planted";
const SHOWN: &str = "http://site.example.com/";

type Check = HttpCheck<Failing<MemoryPages>, Failing<MemoryFiles>>;

#[test]
fn the_description_agrees_with_the_parameters() {
    describes::<Check>(&json!({"url": URL}));
}

fn action(world: &World) -> Check {
    HttpCheck::new(world.pages.clone(), world.files.clone())
}

fn event(more: &Value) -> Value {
    let mut parameters = json!({"url": URL});
    for (name, value) in more.as_object().into_iter().flatten() {
        parameters[name] = value.clone();
    }
    events::with_input(events::job(&parameters), "Built", "store", "built.zip")
}

async fn play(more: Value, pages: &[Page], files: &[(&str, &str)]) -> Report {
    let world = World::new(Mode::Work);
    world.pages.inner.set(URL, pages.iter().cloned());
    world
        .artifacts
        .inner
        .set("store", "built.zip", events::zip_of(files));
    let report = world.play(&action(&world), &event(&more)).await;
    let text = format!("{:?}", world.reporter.inner.taken());
    assert!(!text.contains("planted"), "{text}");
    report
}

fn success(report: Report) -> BTreeMap<String, String> {
    match report {
        Report::Success { variables, .. } => variables,
        report => unreachable!("{report:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_site_that_comes_up_is_waited_for() {
    let pages = [
        Page::Down,
        Page::Answers(404, vec![]),
        Page::Answers(503, vec![]),
        Page::ok("hello"),
    ];
    let variables = success(play(json!({"expectText": "ell"}), &pages, &[]).await);
    assert_eq!(variables["Checks"], "4");
    assert_eq!(variables["StatusCode"], "200");
    assert_eq!(variables["Url"], SHOWN);
    assert_eq!(
        variables["BodySha256"],
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_equal_to_the_artifacts_file_is_good_and_another_is_not() {
    let wanted = json!({"matchArtifactFile": "out/index.html"});
    let files = [("out/index.html", "hello")];
    let good = play(wanted.clone(), &[Page::Down, Page::ok("hello")], &files).await;
    assert_eq!(success(good)["Checks"], "2");

    let (kind, message) = failure(play(wanted, &[Page::ok("hell0")], &files).await);
    assert_eq!(kind, FailureKind::JobFailed);
    assert!(
        message.contains("the page differs from the artifact's file: 5 bytes"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn every_failure_says_what_was_seen() {
    use FailureKind::{ConfigurationError, JobFailed, RevisionUnavailable};
    let absent = json!({"matchArtifactFile": "absent.html"});
    for (more, page, kind, want) in [
        (
            json!({}),
            Page::Answers(403, vec![]),
            JobFailed,
            "http://site.example.com/ answered wrongly: status 403 where 200 is expected",
        ),
        (
            json!({"timeoutSeconds": 0}),
            Page::Down,
            JobFailed,
            "http://site.example.com/ did not come up within 0 s; last seen: no answer (nothing within 10 s)",
        ),
        (
            json!({"expectText": "there"}),
            Page::ok("hello"),
            JobFailed,
            "the expected text is not in the page",
        ),
        (
            absent,
            Page::ok("hello"),
            RevisionUnavailable,
            r#"matchArtifactFile: the archive has no entry "absent.html""#,
        ),
        (
            json!({"expectStatu": 200}),
            Page::ok("hello"),
            ConfigurationError,
            "unknown field `expectStatu`",
        ),
    ] {
        let (is, message) = failure(play(more, &[page], &[("a", "b")]).await);
        assert_eq!(is, kind, "{message}");
        assert!(message.contains(want), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let event = event(&json!({"matchArtifactFile": "index.html"}));
    let calls = repeat_and_fail(
        &event,
        |world| {
            world.pages.inner.set(URL, [Page::Down, Page::ok("hello")]);
            let zip = events::zip_of(&[("index.html", "hello")]);
            world.artifacts.inner.set("store", "built.zip", zip);
            action(world)
        },
        |_, report, mode| match report {
            Report::Success { variables, .. } => assert_eq!(variables["StatusCode"], "200"),
            // The one read of the artifact is not asked again within a step.
            Report::Failure { kind, .. } => {
                assert_ne!(mode, Mode::Work);
                assert_eq!(*kind, FailureKind::SystemUnavailable, "{mode:?}");
            }
            Report::Continue { .. } => unreachable!("{mode:?}"),
        },
    )
    .await;
    assert!(calls.contains(&"artifact file"), "{calls:?}");
    assert_eq!(calls.iter().filter(|call| **call == "page get").count(), 2);
}
