//! The example release pipeline through the engine's library: no process of `stagewright`, the same functions.

use std::{collections::BTreeMap, path::Path};

use engine::{
    app::App,
    assemble::{self, Engine, Options},
    cli::load::{Choice, load},
    config::Config,
};
use engine_plan::{
    event::{Event, Trigger},
    state::{ActionStatus, ExecutionStatus},
    step::Answer,
};
use harness::{example::Example, workspace::stagewright};

const PIPELINE: &str = "site-release";

async fn start(example: &Example) -> Engine {
    let options = Options {
        binaries: stagewright().parent().map(Path::to_owned),
        ..Options::new(
            Config::load(None, &example.folder()).expect("the example's configuration"),
            assemble::state_dir(&example.state()).expect("a state folder"),
        )
    };
    let (engine, _) = assemble::start(options).await.expect("an engine");
    engine.perform();
    engine
}

async fn begin(app: &App, example: &Example) -> String {
    let choice = Choice::default();
    let definition =
        load(Path::new(&example.pipeline()), &choice).expect("the example's definition");
    let create = Event::CreatePipeline {
        definition,
        tags: BTreeMap::new(),
        start: false,
    };
    app.desk.submit(create).await.expect("created");
    let site = |bucket: &str| format!("{}/_stagewright/site/corner-bakery-{bucket}/", app.base_url);
    let variables = BTreeMap::from([
        ("PreviewUrl".to_owned(), site("preview")),
        ("SiteUrl".to_owned(), site("live")),
    ]);
    let start = Event::Start {
        pipeline: PIPELINE.to_owned(),
        trigger: Trigger {
            trigger_type: "StartPipelineExecution".to_owned(),
            trigger_detail: "test".to_owned(),
            reference: None,
        },
        variables,
        source_revisions: Vec::new(),
        client_token: None,
    };
    match app.desk.submit(start).await.expect("started") {
        Answer::Execution(id) => id,
        other => panic!("an execution, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_runs_in_process() {
    let example = Example::new();
    let engine = start(&example).await;
    let app = engine.app.clone();
    let execution = begin(&app, &example).await;

    let token = app.desk.wait_until(|state| {
        let run = state.pipelines.get(PIPELINE)?.execution(&execution)?;
        if run.has_ended() {
            return Some(None);
        }
        let action = run.stage("Approve")?.latest("Release")?;
        Some(action.approval_token.clone())
    });
    let token = token.await.flatten().expect("an open approval");
    app.desk
        .submit(Event::Approval {
            pipeline: PIPELINE.to_owned(),
            stage: "Approve".to_owned(),
            action: "Release".to_owned(),
            token,
            approved: true,
            summary: "read".to_owned(),
            by: "arn:aws:iam::123456789012:user/test".to_owned(),
        })
        .await
        .expect("approved");

    let ended = app.desk.wait_until(|state| {
        let run = state.pipelines.get(PIPELINE)?.execution(&execution)?;
        run.has_ended().then(|| run.clone())
    });
    let ended = ended.await.expect("it ends");
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:#?}");
    let actions: Vec<_> = ended.stages.iter().flat_map(|s| &s.actions).collect();
    assert_eq!(actions.len(), 7);
    assert!(actions.iter().all(|a| a.status == ActionStatus::Succeeded));
    assert_eq!(ended.namespaces["Publish"]["Uploaded"], "4");
    assert_eq!(ended.namespaces["Source"]["AuthorName"], "Dana Example");

    let (info, _) = app
        .objects
        .get("corner-bakery-live", "index.html", None)
        .await
        .expect("published");
    let kind = &info.headers.content_type;
    assert!(
        kind.as_deref().is_some_and(|k| k.starts_with("text/html")),
        "{kind:?}"
    );
    engine.shut_down().await;
}
