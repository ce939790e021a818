//! Pages of the example's machines as they run.

use std::path::Path;

use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use crate::{
    app::App,
    assemble::{self, Engine, Options},
    config::Config,
    face,
    states::{Begun, RECORD_VERSION},
};

async fn engine(folder: &Path, machine: &str) -> Engine {
    let file = folder.join("m.asl.json");
    std::fs::write(&file, machine).unwrap();
    std::fs::write(
        folder.join("stagewright.toml"),
        "[state-machine.m]\ndefinition = \"m.asl.json\"\n",
    )
    .unwrap();
    let mut options = Options::new(Config::load(None, folder).unwrap(), folder.join("state"));
    options.fast_clock = true;
    let (engine, _) = assemble::start(options).await.unwrap();
    engine.perform();
    engine
}

async fn get(app: &App, path: &str) -> (StatusCode, String) {
    let request = Request::get(path)
        .header(header::HOST, "localhost")
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = face::router(app.clone()).oneshot(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn begin(app: &App, name: &str, input: serde_json::Value) -> String {
    let chosen = app
        .workflows
        .read(|book| book.choose(&app.workflows.arn("stateMachine", "m"), 0))
        .unwrap();
    let arn = app.workflows.arn("execution", &format!("m:{name}"));
    let begun = Begun {
        version: RECORD_VERSION,
        kind: chosen.kind,
        identity: engine_states::machine::Identity {
            arn: arn.clone(),
            name: name.to_owned(),
            machine_arn: chosen.arn,
            machine_name: "m".to_owned(),
            role_arn: chosen.role,
        },
        definition: chosen.definition,
        input,
        at: app.clock.now(),
        seed: 7,
        machine_version: None,
        machine_alias: None,
        origin: None,
    };
    app.workflows.begin(app, begun).unwrap();
    arn
}

/// The class of a state's group in the picture.
fn class<'a>(page: &'a str, state: &str) -> &'a str {
    let at = page
        .find(&format!("<title>{state}: "))
        .unwrap_or_else(|| panic!("no {state} in {page}"));
    let from = page[..at].rfind("class=\"").unwrap() + 7;
    &page[from..from + page[from..].find('"').unwrap()]
}

#[tokio::test]
async fn each_state_is_drawn_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let definition = json!({"StartAt": "<Both>", "States": {
        "<Both>": {"Type": "Parallel", "Next": "Wait", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}], "Branches": [
            {"StartAt": "Lists", "States": {"Lists": {"Type": "Map", "ItemsPath": "$.items", "End": true,
                "ItemProcessor": {"StartAt": "Item", "States": {"Item": {"Type": "Pass", "End": true}}}}}},
            {"StartAt": "Bad?", "States": {"Bad?": {"Type": "Choice", "Default": "Good",
                "Choices": [{"Variable": "$.bad", "IsPresent": true, "Next": "Bad"}]},
                "Good": {"Type": "Pass", "End": true}, "Bad": {"Type": "Fail", "Error": "Wrong", "Cause": "<very>"}}}]},
        "Wait": {"Type": "Task", "Resource": "arn:aws:states:eu-west-1:123456789012:activity:nobody", "TimeoutSeconds": 60, "End": true},
        "Caught": {"Type": "Fail", "Error": "Given up"}}});
    let engine = engine(folder.path(), &definition.to_string()).await;
    let app = &engine.app;

    let (status, empty) = get(app, "/_stagewright/machine/m").await;
    assert!(
        status.is_success() && empty.contains("It has not run yet"),
        "{empty}"
    );
    assert_eq!(class(&empty, "Wait"), "state idle last");
    assert_eq!(
        get(app, "/_stagewright/machine/none").await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        get(app, "/_stagewright/machine/m/none").await.0,
        StatusCode::NOT_FOUND
    );

    let busy = app.clock.busy();
    let waits = begin(app, "waits", json!({"items": [1, 2, 3]}));
    let (_, page) = get(app, "/_stagewright/machine/m").await;
    for (state, wanted) in [
        ("&lt;Both&gt;", "state succeeded nest"),
        ("Lists", "state succeeded nest last"),
        ("Item", "state succeeded last"),
        ("Good", "state succeeded last"),
        ("Bad", "state idle last"),
        ("Wait", "state waiting last"),
        ("Caught", "state idle last"),
    ] {
        assert_eq!(class(&page, state), wanted, "{state}");
    }
    assert!(
        page.contains("3 times") && page.contains("Waits for an answer"),
        "{page}"
    );
    assert!(!page.contains("<Both>"), "names are text");
    drop(busy);
    app.workflows.wait(&waits).await.unwrap();
    let (_, page) = get(app, "/_stagewright/machine/m/waits").await;
    assert_eq!(class(&page, "Wait"), "state failed last");
    assert!(page.contains("States.Timeout"), "{page}");

    let bad = begin(app, "bad", json!({"items": [], "bad": true}));
    app.workflows.wait(&bad).await.unwrap();
    let (_, page) = get(app, "/_stagewright/machine/m/bad").await;
    assert_eq!(class(&page, "&lt;Both&gt;"), "state waiting nest");
    assert_eq!(class(&page, "Caught"), "state failed last");
    assert!(
        page.contains("Caught an error") && page.contains("Given up"),
        "{page}"
    );

    let (_, all) = get(app, "/_stagewright/machines").await;
    assert!(
        all.contains("2 executions") && all.contains("badge failed"),
        "{all}"
    );
    engine.shut_down().await;
}
