//! Resumed once at the end, kept alive until then, whatever goes wrong.

use serde_json::{Value, json};
use shared::{approval::task_answer::TaskAnswer, id::ExecutionId, secret::Secret};
use shared_testkit::{
    failing::{Failing, Fate, Mode, Plan},
    memory::MemoryResume,
};

use super::*;

const EXECUTION: &str = "12345678-1234-5678-abcd-12345678abcd";

fn event(kind: &str, state: &str) -> Value {
    json!({
        "version": "0", "id": "e-1", "detail-type": format!("CodePipeline {kind} Execution State Change"),
        "source": "aws.codepipeline", "account": "123456789012", "time": "2026-11-23T10:00:00Z",
        "region": "eu-west-1", "resources": [],
        "detail": {"pipeline": "site", "execution-id": EXECUTION, "state": state, "version": 1, "stage": "Build"}
    })
}

async fn world(
    mode: Mode,
) -> (
    MemoryResume,
    Resume<Failing<MemoryResume>, Failing<MemoryResume>>,
) {
    let (memory, plan) = (MemoryResume::default(), Plan::new(mode));
    let execution: ExecutionId = EXECUTION.parse().unwrap();
    memory
        .keep(&execution, &Secret::new("t".to_owned()))
        .await
        .unwrap();
    let port = || Failing::new(memory.clone(), &plan);
    let resume = Resume {
        waiters: port(),
        tasks: port(),
    };
    (memory.clone(), resume)
}

fn kept(memory: &MemoryResume) -> bool {
    memory.waiter(&EXECUTION.parse().unwrap()).is_some()
}

#[tokio::test]
async fn each_end_resumes_the_task_and_nothing_else_does() {
    for (state, wanted) in [
        ("SUCCEEDED", "Succeeded"),
        ("FAILED", "PipelineFailed"),
        ("STOPPED", "PipelineStopped"),
        ("SUPERSEDED", "PipelineSuperseded"),
        ("CANCELED", "PipelineCancelled"),
    ] {
        let (memory, resume) = world(Mode::Work).await;
        resume.take(event("Stage", state)).await.unwrap();
        assert_eq!(
            (memory.answer_of("t"), memory.beats()),
            (None, 1),
            "{state}"
        );
        resume.take(event("Pipeline", "STOPPING")).await.unwrap();
        assert_eq!(memory.beats(), 2);
        for _ in 0..2 {
            resume.take(event("Pipeline", state)).await.unwrap();
        }
        let told = match memory.answer_of("t").expect("an answer") {
            TaskAnswer::Success(output) => output,
            TaskAnswer::Failure { error, .. } => error.to_owned(),
        };
        assert!(told.contains(wanted), "{state}: {told}");
        assert!(!kept(&memory), "{state}");
    }
}

#[tokio::test]
async fn a_closed_token_is_forgotten() {
    for kind in [("Stage", "STARTED"), ("Pipeline", "SUCCEEDED")] {
        let (memory, resume) = world(Mode::Work).await;
        memory.close("t");
        resume.take(event(kind.0, kind.1)).await.unwrap();
        assert!(!kept(&memory), "{kind:?}");
        assert_eq!(memory.answer_of("t"), None);
    }
}

#[tokio::test]
async fn a_lost_answer_is_sent_again_and_taken_once() {
    for at in 0..3 {
        for fate in [Fate::FailBefore, Fate::FailAfter, Fate::Throttle] {
            let (memory, resume) = world(Mode::At(at, fate)).await;
            let mut tries = 1;
            while resume.take(event("Pipeline", "FAILED")).await.is_err() {
                tries += 1;
                assert!(tries < 5, "{at} {fate:?}");
            }
            assert!(tries > 1, "{at} {fate:?}: nothing failed");
            assert!(
                memory.answer_of("t").is_some() && !kept(&memory),
                "{at} {fate:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_lost_heartbeat_is_sent_again_and_the_token_stays() {
    for at in 0..2 {
        for fate in [Fate::FailBefore, Fate::FailAfter, Fate::Throttle] {
            let (memory, resume) = world(Mode::At(at, fate)).await;
            let mut tries = 1;
            while resume.take(event("Stage", "STARTED")).await.is_err() {
                tries += 1;
                assert!(tries < 5, "{at} {fate:?}");
            }
            assert!(tries > 1, "{at} {fate:?}: nothing failed");
            assert!(memory.beats() > 0 && kept(&memory), "{at} {fate:?}");
            assert_eq!(memory.answer_of("t"), None, "{at} {fate:?}");
        }
    }
}

#[tokio::test]
async fn what_nobody_waits_for_is_no_failure() {
    let memory = MemoryResume::default();
    let resume = Resume {
        waiters: memory.clone(),
        tasks: memory.clone(),
    };
    for (kind, state) in [("Pipeline", "SUCCEEDED"), ("Stage", "FAILED")] {
        resume.take(event(kind, state)).await.unwrap();
    }
    assert_eq!(memory.beats(), 0);
}

#[tokio::test]
async fn what_is_no_event_of_a_pipeline_fails() {
    let (_, resume) = world(Mode::Work).await;
    let refused = resume.take(json!({"source": "aws.s3"})).await.unwrap_err();
    assert!(matches!(refused, ResumeError::Event(_)));
}
