//! The whole action over fakes: a site published, changed and cut off anywhere.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::{
    job::{FailureKind, Report},
    port::SiteHeaders,
};
use shared_testkit::{
    Failing, Mode, World, describes, events, failure,
    memory::{MemoryArtifacts, MemoryInvalidator, MemorySite},
    repeat_and_fail,
};

use crate::PublishSite;

type Publish =
    PublishSite<Failing<MemoryArtifacts>, Failing<MemorySite>, Failing<MemoryInvalidator>>;

const FILES: [(&str, &str); 4] = [
    ("index.html", "<h1>hello</h1>"),
    ("about/index.html", "<h1>about</h1>"),
    ("style.css", "h1{}"),
    ("app.3f2a9c01.js", "1"),
];

#[test]
fn the_description_agrees_with_the_parameters() {
    describes::<Publish>(&json!({"bucket": "live"}));
}

fn action(world: &World) -> Publish {
    PublishSite::new(
        world.artifacts.clone(),
        world.site.clone(),
        world.invalidator.clone(),
    )
}

fn event(more: &Value) -> Value {
    let mut parameters = json!({"bucket": "live"});
    for (name, value) in more.as_object().into_iter().flatten() {
        parameters[name] = value.clone();
    }
    events::with_input(events::job(&parameters), "Built", "store", "built.zip")
}

fn stock(world: &World, files: &[(&str, &str)]) {
    let zip = events::zip_of(files);
    world.artifacts.inner.set("store", "built.zip", zip);
}

async fn publish(world: &World, more: Value, files: &[(&str, &str)]) -> Report {
    stock(world, files);
    // A delivery of its own: other runs have other job ids.
    let mut event = event(&more);
    let number = world.reporter.inner.taken().len();
    event["CodePipeline.job"]["id"] = json!(format!("22222222-0000-0000-0000-{number:012}"));
    world.play(&action(world), &event).await
}

fn success(report: Report) -> BTreeMap<String, String> {
    match report {
        Report::Success { variables, .. } => variables,
        report => unreachable!("{report:?}"),
    }
}

fn bytes(world: &World) -> BTreeMap<String, String> {
    let objects = world.site.inner.objects("live").into_iter();
    objects
        .map(|(key, object)| (key, String::from_utf8(object.bytes).unwrap()))
        .collect()
}

fn tree(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files
        .iter()
        .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_site_is_put_then_only_what_changed() {
    let world = World::new(Mode::Work);
    let url = json!({"url": "http://site.example.com/"});
    let first = success(publish(&world, url.clone(), &FILES).await);
    assert_eq!(bytes(&world), tree(&FILES));
    let counts = |variables: &BTreeMap<String, String>| {
        ["Uploaded", "Unchanged", "Deleted"].map(|name| variables[name].clone())
    };
    assert_eq!(counts(&first), ["4", "0", "0"]);
    assert_eq!(first["Bytes"], "33");
    assert_eq!(first["Url"], "http://site.example.com/");

    let headers = |key: &str| world.site.inner.objects("live")[key].headers.clone();
    assert_eq!(headers("style.css").content_type, "text/css; charset=utf-8");
    let cache = headers("app.3f2a9c01.js").cache_control.unwrap();
    assert!(cache.ends_with("immutable"), "{cache}");

    let again = success(publish(&world, url.clone(), &FILES).await);
    assert_eq!(counts(&again), ["0", "4", "0"]);

    let changed = [("index.html", "<h1>bye</h1>"), FILES[2], FILES[3]];
    let third = success(publish(&world, url, &changed).await);
    assert_eq!(counts(&third), ["1", "2", "1"]);
    assert_eq!(bytes(&world), tree(&changed));
}

#[tokio::test(start_paused = true)]
async fn nothing_outside_the_prefix_is_touched_and_the_cdn_is_told() {
    let world = World::new(Mode::Work);
    for key in ["docs/old.html", "docs", "other/x.html"] {
        let site = &world.site.inner;
        site.set("live", key, SiteHeaders::default(), "old");
    }
    let more = json!({"prefix": "docs", "distribution": "E2EXAMPLE1OAB"});
    let variables = success(publish(&world, more, &[("index.html", "new")]).await);
    assert_eq!(variables["Deleted"], "1");
    assert_eq!(variables["InvalidationId"], "I0");
    let wanted = [
        ("docs", "old"),
        ("docs/index.html", "new"),
        ("other/x.html", "old"),
    ];
    assert_eq!(bytes(&world), tree(&wanted));
    assert_eq!(world.invalidator.inner.all()[0].paths, ["/docs/*"]);
}

#[tokio::test(start_paused = true)]
async fn removed_files_stay_when_told_so() {
    let world = World::new(Mode::Work);
    world
        .site
        .inner
        .set("live", "old", SiteHeaders::default(), "old");
    success(publish(&world, json!({"deleteRemoved": false}), &[("new", "new")]).await);
    assert_eq!(bytes(&world), tree(&[("old", "old"), ("new", "new")]));
}

#[tokio::test(start_paused = true)]
async fn bad_artifacts_change_nothing() {
    let world = World::new(Mode::Work);
    world
        .site
        .inner
        .set("live", "old", SiteHeaders::default(), "old");
    for (files, want) in [
        (
            &[][..],
            "the artifact Built holds no file: publishing it would empty the site",
        ),
        (&[("../up", "x")][..], "leads out of the archive"),
    ] {
        let (kind, message) = failure(publish(&world, json!({}), files).await);
        assert_eq!(kind, FailureKind::RevisionUnavailable, "{message}");
        assert!(message.contains(want), "{message}");
    }
    world.artifacts.inner.set("store", "built.zip", "no zip");
    let mut event = event(&json!({}));
    event["CodePipeline.job"]["id"] = json!("33333333-0000-0000-0000-000000000000");
    let (_, message) = failure(world.play(&action(&world), &event).await);
    assert!(message.contains("it is not a zip archive"), "{message}");
    assert_eq!(bytes(&world), tree(&[("old", "old")]));
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let event = event(&json!({"distribution": "E2EXAMPLE1OAB"}));
    let calls = repeat_and_fail(
        &event,
        |world| {
            stock(world, &FILES);
            let site = &world.site.inner;
            site.set("live", "gone.html", SiteHeaders::default(), "old");
            site.set("live", "index.html", SiteHeaders::default(), FILES[0].1);
            action(world)
        },
        |world, report, mode| match report {
            Report::Success { .. } => {
                assert_eq!(bytes(world), tree(&FILES), "{mode:?}");
                assert_eq!(world.invalidator.inner.all().len(), 1, "{mode:?}");
            }
            Report::Failure { kind, .. } => {
                assert_ne!(mode, Mode::Work);
                assert_eq!(*kind, FailureKind::SystemUnavailable, "{mode:?}");
                // Whatever was cut off: no page without its assets, nothing deleted before all is there.
                let there = bytes(world);
                let pages = there.contains_key("about/index.html");
                assert!(!pages || there.contains_key("style.css"), "{mode:?}");
                assert!(there.contains_key("gone.html") || pages, "{mode:?}");
            }
            Report::Continue { .. } => unreachable!("{mode:?}"),
        },
    )
    .await;
    for call in [
        "site list",
        "site head",
        "site put",
        "site delete",
        "invalidate",
    ] {
        assert!(calls.contains(&call), "{calls:?}");
    }
}
