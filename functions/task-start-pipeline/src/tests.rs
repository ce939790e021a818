//! Started once and resumed once, whatever goes wrong.

use serde_json::{Value, json};
use shared::{approval::task_answer::TaskAnswer, resume::End};
use shared_testkit::{
    failing::{Failing, Fate, Mode, Plan},
    memory::MemoryResume,
};

use super::*;

type World = StartPipeline<Failing<MemoryResume>, Failing<MemoryResume>, Failing<MemoryResume>>;

fn world(mode: Mode) -> (MemoryResume, Plan, World) {
    let (memory, plan) = (MemoryResume::default(), Plan::new(mode));
    let port = || Failing::new(memory.clone(), &plan);
    let world = StartPipeline {
        pipelines: port(),
        waiters: port(),
        tasks: port(),
    };
    (memory.clone(), plan, world)
}

fn input(token: &str) -> Value {
    json!({"taskToken": token, "pipeline": "site", "run": "execution/state/time", "variables": {"colour": "red"}})
}

#[tokio::test]
async fn a_start_is_kept_and_answered_with_its_execution() {
    let (memory, _, world) = world(Mode::Work);
    let told = world.take(input("t1")).await.unwrap();
    let [execution] = memory.started().try_into().unwrap();
    assert_eq!(told["pipelineExecutionId"], execution.as_str());
    assert_eq!(memory.waiter(&execution).as_deref(), Some("t1"));
    assert_eq!(memory.answer_of("t1"), None);
}

#[tokio::test]
async fn what_ended_before_its_token_was_kept_is_answered_at_once() {
    let (memory, _, world) = world(Mode::Work);
    memory.end_all(End::Superseded);
    world.take(input("t1")).await.unwrap();
    let [execution] = memory.started().try_into().unwrap();
    assert!(matches!(
        memory.answer_of("t1"),
        Some(TaskAnswer::Failure {
            error: "PipelineSuperseded",
            ..
        })
    ));
    assert_eq!(memory.waiter(&execution), None);
}

#[tokio::test]
async fn a_token_that_expired_meanwhile_is_forgotten_and_the_pipeline_goes_on() {
    let (memory, _, world) = world(Mode::Work);
    memory.end_all(End::Succeeded);
    memory.close("t1");
    world.take(input("t1")).await.unwrap();
    let [execution] = memory.started().try_into().unwrap();
    assert_eq!(memory.waiter(&execution), None);
    assert_eq!(memory.answer_of("t1"), None);
}

#[tokio::test]
async fn what_cannot_be_read_starts_nothing() {
    let (memory, _, world) = world(Mode::Work);
    for bad in [json!({}), json!({"taskToken": "t1", "pipeline": "no name"})] {
        let refused = world.take(bad).await.unwrap_err();
        assert!(matches!(refused, StartError::Input(_)), "{refused}");
    }
    assert_eq!(memory.started(), []);
}

#[tokio::test]
async fn a_start_that_fails_keeps_no_token() {
    let (memory, _, world) = world(Mode::At(0, Fate::FailBefore));
    let refused = world.take(input("t1")).await.unwrap_err();
    assert!(matches!(refused, StartError::Start(_)), "{refused}");
    assert_eq!(memory.started(), []);
}

#[tokio::test]
async fn a_state_that_is_tried_again_starts_nothing_more() {
    for at in 0..5 {
        for fate in [Fate::FailBefore, Fate::FailAfter] {
            let (memory, _, world) = world(Mode::At(at, fate));
            memory.end_all(End::Succeeded);
            // The first attempt may fail; the machine tries the state again with a new token.
            let first = world.take(input("t1")).await;
            if first.is_err() {
                world.take(input("t2")).await.unwrap();
            }
            assert_eq!(memory.started().len(), 1, "{at} {fate:?}");
            let last = if first.is_err() { "t2" } else { "t1" };
            assert!(memory.answer_of(last).is_some(), "{at} {fate:?}");
            let [execution] = memory.started().try_into().unwrap();
            assert_eq!(memory.waiter(&execution), None, "{at} {fate:?}");
        }
    }
}
