//! State machines that wait with a token: told once, told of a deadline, told nothing once they have gone on.

use shared::{
    approval::{
        request::{State, Verdict},
        task_answer::{EXPIRED, TaskAnswer},
    },
    port::Clock,
};
use shared_testkit::{Fate, FixedClock, Mode, Plan, approval::sample_task};

use super::scene::{Scene, simple};
use crate::event::Woken;

fn scene() -> Scene {
    let clock = FixedClock::default();
    let request = sample_task(clock.now());
    Scene::with(request, simple(1, &["dana@example.com"]), clock)
}

fn told(scene: &Scene) -> Vec<TaskAnswer> {
    scene.world.told_tasks()
}

#[tokio::test]
async fn a_vote_resumes_the_machine_with_decision_voters_and_summary() {
    let scene = scene();
    scene.vote(0, Verdict::Approve).await;
    let [TaskAnswer::Success(output)] = &told(&scene)[..] else {
        panic!("{:?}", told(&scene));
    };
    let output: serde_json::Value = serde_json::from_str(output).unwrap();
    assert_eq!(output["decision"], "Approved");
    assert_eq!(output["votes"][0]["address"], "dana@example.com");
    assert_eq!(output["votes"][0]["comment"], "as agreed");
    let id = output["decisionId"].as_str().unwrap();
    assert!(output["summary"].as_str().unwrap().contains(id));
    scene.step(60);
    scene.sweep().await;
    assert_eq!(told(&scene).len(), 1);
    assert!(
        scene
            .world
            .audit()
            .contains("\"machineExecution\":\"arn:aws:states:")
    );
    assert!(!scene.world.audit().contains("planted-task-token"));
}

#[tokio::test]
async fn nobody_in_time_fails_the_task_by_name() {
    let scene = scene();
    // The sample waits for 48 hours.
    scene.step(48 * 60 - 1);
    scene.sweep().await;
    assert_eq!((told(&scene).len(), scene.record().state), (0, State::Open));
    scene.step(1);
    scene.sweep().await;
    let [TaskAnswer::Failure { error, cause }] = &told(&scene)[..] else {
        panic!("{:?}", told(&scene));
    };
    assert_eq!(*error, EXPIRED);
    assert!(cause.contains(scene.request.id.as_str()), "{cause}");
    assert!(matches!(scene.record().state, State::Expired { .. }));
    let refused = scene.vote(0, Verdict::Approve).await;
    assert_eq!(told(&scene).len(), 1, "{refused:?}");
}

/// Whatever call fails or hangs, the rounds after it tell the machine once.
#[tokio::test]
async fn a_crash_at_any_call_of_the_last_round_tells_the_machine_once() {
    let mut reached = 0;
    for fate in Fate::BAD {
        for at in 0..8 {
            let scene = scene();
            scene.step(48 * 60);
            let plan = Plan::new(Mode::At(at, fate));
            let broken = scene.sweep_of(&scene.world.under(&plan));
            let work = broken.handle(Woken::Minute, jiff::Timestamp::MAX);
            let cut = std::time::Duration::from_millis(20);
            drop(tokio::time::timeout(cut, work).await);
            reached = reached.max(plan.calls().len());
            scene.step(1);
            scene.sweep().await;
            let ended = matches!(scene.record().state, State::Expired { .. });
            assert!(ended, "{fate:?} at {at}: {:?}", scene.record().state);
            let untold = told(&scene).is_empty();
            assert!(
                !untold && told(&scene).len() == 1,
                "{fate:?} at {at}: {:?}",
                told(&scene)
            );
        }
    }
    assert!(
        reached >= 5,
        "list, load, look, give up, replace: {reached}"
    );
}

#[tokio::test]
async fn a_machine_that_went_on_closes_its_request() {
    let scene = scene();
    scene.world.ends(&scene.request.token);
    scene.sweep().await;
    assert!(matches!(scene.record().state, State::Superseded { .. }));
    assert_eq!(told(&scene).len(), 0);
}
