//! Events that arrive, once where once matters; targets that do not answer.

use engine_events::{
    book::Wanted,
    route::{DEFAULT_BUS, Delivery},
    target::{InputTransformer, Target},
};
use engine_plan::state::Execution;
use serde_json::{Value, json};

use super::*;
use crate::{
    assemble::{Engine, Options, start as assemble},
    config::Config,
    desk::scripted::{Scripted, create, until},
    journal::Journal,
};

const PIPELINE: &str = "arn:aws:codepipeline:eu-west-1:123456789012:shop";

async fn engine() -> (Engine, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(Config::default(), folder.path());
    let Ok((engine, _)) = assemble(options).await else {
        panic!("the engine did not start");
    };
    Scripted::attach(&engine.app.desk);
    start(&engine.app);
    create(&engine.app.desk).await;
    (engine, folder)
}

fn rule(app: &App, name: &str, targets: Vec<Target>) {
    let wanted = Wanted {
        name: name.to_owned(),
        pattern: Some(r#"{"source":["test"]}"#.to_owned()),
        ..Wanted::default()
    };
    let change = app.rules.change(|book, now| {
        book.put_rule(DEFAULT_BUS, wanted, now)?;
        book.put_targets(DEFAULT_BUS, name, targets)
    });
    change.unwrap();
}

fn target(id: &str, arn: &str) -> Target {
    Target {
        id: id.to_owned(),
        arn: arn.to_owned(),
        ..Target::default()
    }
}

fn event(id: &str) -> Value {
    json!({"id": id, "source": "test", "detail": {"commit": "abc"}})
}

fn executions(app: &App) -> Vec<Execution> {
    app.desk
        .read(|state| state.pipelines["shop"].executions.iter().cloned().collect())
}

#[tokio::test]
async fn an_event_starts_its_pipeline_once_however_often_it_is_delivered() {
    let (engine, _folder) = engine().await;
    let app = &engine.app;
    let with_revision = Target {
        input_transformer: Some(InputTransformer {
            input_paths_map: Some([("c".to_owned(), "$.detail.commit".to_owned())].into()),
            input_template: r#"{"sourceRevisions":[{"actionName":"Code","revisionType":"S3_OBJECT_VERSION_ID","revisionValue":<c>}]}"#.to_owned(),
        }),
        ..target("p", PIPELINE)
    };
    rule(app, "changes", vec![with_revision.clone()]);
    app.desk
        .publish(DEFAULT_BUS, vec![event("1")])
        .await
        .unwrap();
    until(&app.desk, |state| {
        (state.pipelines["shop"].executions.len() == 1).then_some(())
    })
    .await;
    let delivery = Delivery {
        rule_arn: "arn:aws:events:eu-west-1:123456789012:rule/changes".to_owned(),
        rule: "changes".to_owned(),
        target: with_revision,
        event: event("1"),
    };
    let again = pipeline::start(app, "shop", &delivery, "{}", app.clock.busy()).await;
    assert!(matches!(again, deliver::End::Over));
    let first = &executions(app)[0];
    assert_eq!(executions(app).len(), 1, "the same event");
    assert_eq!(first.trigger.trigger_type, "CloudWatchEvent");
    assert_eq!(first.trigger.trigger_detail, delivery.rule_arn);
    assert_eq!(first.source_revisions[0].revision_value, "abc");

    app.desk
        .publish(DEFAULT_BUS, vec![event("2")])
        .await
        .unwrap();
    until(&app.desk, |state| {
        (state.pipelines["shop"].executions.len() == 2).then_some(())
    })
    .await;
    engine.shut_down().await;
}

#[tokio::test]
async fn a_target_that_cannot_be_reached_is_told_and_given_up() {
    let (engine, folder) = engine().await;
    let app = &engine.app;
    let mut notices = app.logs.follow_notices();
    let topic = "arn:aws:sns:eu-west-1:123456789012:gone";
    let input = Target {
        input: Some(r#""no object""#.to_owned()),
        ..target("input", PIPELINE)
    };
    let pipeline = PIPELINE.replace("shop", "gone");
    rule(
        app,
        "dead",
        vec![
            target("f", "gone"),
            target("t", topic),
            target("p", &pipeline),
            input,
        ],
    );
    app.desk
        .publish(DEFAULT_BUS, vec![event("1")])
        .await
        .unwrap();
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(notices.next().await.item.to_string());
    }
    told.sort();
    for (line, reason) in told.iter().zip([
        "target arn:aws:codepipeline:eu-west-1:123456789012:gone: PipelineNotFoundException: ",
        "target arn:aws:codepipeline:eu-west-1:123456789012:shop: the input of a pipeline holds",
        "target arn:aws:sns:eu-west-1:123456789012:gone: NotFound: ",
        "target gone: function gone is not known",
    ]) {
        let expected = format!("an event of rule dead did not reach its {reason}");
        assert!(line.starts_with(&expected), "{line}");
    }
    engine.shut_down().await;
    let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    assert_eq!(journal.outbox().unwrap(), []);
}

#[tokio::test]
async fn rules_are_there_again_and_what_cannot_be_read_is_refused() {
    let (engine, folder) = engine().await;
    rule(&engine.app, "kept", vec![target("t", "t")]);
    let before = engine.app.rules.read(Clone::clone);
    let home = engine.app.rules.home().clone();
    engine.shut_down().await;
    let rules = folder.path().join("rules");
    let bus = Bus::new();
    let again = EventRules::open(&rules, home.clone(), bus.clone(), Clock::real()).unwrap();
    assert_eq!(again.read(Clone::clone), before);
    assert_eq!(bus.wanted(DEFAULT_BUS, &event("1")).len(), 1);
    fs::write(rules.join("rules.json"), "{").unwrap();
    let error = EventRules::open(&rules, home, bus, Clock::real()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("rules.json is not a file of rules"),
        "{error}"
    );
}

#[tokio::test]
async fn a_schedule_fires_on_the_engines_clock() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        fast_clock: true,
        ..Options::new(Config::default(), folder.path())
    };
    let Ok((engine, _)) = assemble(options).await else {
        panic!("the engine did not start");
    };
    let app = &engine.app;
    Scripted::attach(&app.desk);
    start(app);
    create(&app.desk).await;
    let wanted = Wanted {
        name: "hourly".to_owned(),
        schedule: Some("rate(1 hour)".to_owned()),
        ..Wanted::default()
    };
    let began = app.clock.now();
    let put = app.rules.change(|book, now| {
        book.put_rule(DEFAULT_BUS, wanted, now)?;
        book.put_targets(DEFAULT_BUS, "hourly", vec![target("p", PIPELINE)])
    });
    put.unwrap();
    let second = until(&app.desk, |state| {
        let executions = &state.pipelines["shop"].executions;
        executions.get(1).map(|execution| execution.started)
    });
    let passed = second.await.duration_since(began);
    assert!(passed >= jiff::SignedDuration::from_hours(2), "{passed}");
    engine.shut_down().await;
}
