//! A state machine asks.

use serde_json::{Value, json};
use shared::{approval::request::State, wire::approval_task::asked};

use shared_testkit::{Fate, Mode, Plan};

use super::*;

const SECRET: &str = "planted-task-token";

fn event(approval: Value) -> Value {
    json!({
        "taskToken": SECRET, "execution": "arn:aws:states:eu-west-1:123456789012:execution:shop-release:v42",
        "approval": approval,
    })
}

fn usual() -> Value {
    event(json!({
        "stage": "Release", "subject": "Release version 42 of the shop", "seconds": 3600,
        "note": "The old prices stay until Monday.", "startedBy": "lee", "authors": ["dana"],
    }))
}

async fn ask(
    world: &ApprovalWorld,
    clock: &FixedClock,
    event: &Value,
) -> Result<Value, NotifyError> {
    let task = asked(event).unwrap().unwrap();
    function(world, clock).ask_for(task).await
}

#[tokio::test]
async fn a_machines_question_is_mailed_once_and_shows_what_it_says() {
    let (world, clock) = (ApprovalWorld::new(1), FixedClock::default());
    for _ in 0..2 {
        let answer = ask(&world, &clock, &usual()).await.unwrap();
        assert_eq!(answer["outcome"], "WAITING");
    }
    let (mails, records) = (world.mails(), world.records());
    assert_eq!((mails.len(), records.len()), (2, 1));
    assert_eq!(
        mails[0].subject,
        "[Release] Approve shop-release? \"Release version 42 of the shop\", until Fri 04:04 UTC"
    );
    let (claims, _) = read(&world, &mails[0], BEGINNING);
    assert_eq!(claims.approval, records[0].request.id);
    for part in [mails[0].text.reveal(), mails[0].html.reveal()] {
        for fact in [
            "state machine",
            "Release version 42 of the shop",
            "The old prices stay until Monday.",
            "eu-west-1 in account 123456789012",
            "v42",
            "lee",
        ] {
            assert!(part.contains(fact), "{fact}: {part}");
        }
        assert!(
            !part.contains(SECRET) && !part.contains("pipeline"),
            "{part}"
        );
    }
    let facts = &records[0].request.facts;
    assert_eq!(facts.trigger, Actor::Named(vec!["lee".to_owned()]));
    assert_eq!(facts.authors, [Actor::Named(vec!["dana".to_owned()])]);
    assert!(!format!("{records:?}").contains(SECRET));
}

#[tokio::test]
async fn without_names_it_is_not_known_who_did_it() {
    let (world, clock) = (ApprovalWorld::new(1), FixedClock::default());
    let revisions =
        json!([{"name": "Shop", "id": "4be2f8c0"}, {"name": "Schema", "id": "1", "author": "kim"}]);
    let unsaid = event(json!({"stage": "Release", "revisions": revisions}));
    ask(&world, &clock, &unsaid).await.unwrap();
    let facts = world.records().remove(0).request.facts;
    assert_eq!(facts.trigger, Actor::Unknown);
    assert_eq!(
        facts.authors,
        [Actor::Unknown, Actor::Named(vec!["kim".to_owned()])]
    );
}

#[tokio::test]
async fn what_cannot_be_asked_fails_the_task_by_name() {
    let (world, clock) = (ApprovalWorld::new(1), FixedClock::default());
    let late = event(json!({"stage": "Release", "until": "2026-01-02T03:04:05Z"}));
    let error = ask(&world, &clock, &late).await.unwrap_err();
    assert_eq!(error.name(), "ApprovalInput");
    let mut strict = function(&world, &clock);
    strict.settings.rules = rules("Prod*");
    let task = asked(&usual()).unwrap().unwrap();
    let error = strict.ask_for(task).await.unwrap_err();
    assert_eq!(error.name(), "ApprovalNoRule");
    assert_eq!((world.mails().len(), world.records().len()), (0, 0));
}

/// Lambda is called once for a task: what is stored is asked, whatever else fails, and the sweep mails the rest.
#[tokio::test]
async fn a_failure_fails_the_task_only_where_nothing_is_stored() {
    for at in 0..12 {
        let (world, clock) = (ApprovalWorld::new(1), FixedClock::default());
        let plan = Plan::new(Mode::At(at, Fate::FailBefore));
        let answer = ask(&world.under(&plan), &clock, &usual()).await;
        let stored = world.records();
        assert_eq!(answer.is_ok(), !stored.is_empty(), "{at}: {answer:?}");
        for record in stored {
            clock.step(Duration::from_secs(60));
            let id = record.request.id.clone();
            function(&world, &clock).send_due(&id).await.unwrap();
            assert!(
                world.records()[0]
                    .recipients
                    .iter()
                    .all(|r| r.mailed_at.is_some())
            );
        }
    }
}

/// Only the sweep ends it: the machine must be told first.
#[tokio::test]
async fn a_machines_deadline_is_left_to_the_sweep() {
    let (world, clock) = (ApprovalWorld::new(1), FixedClock::default());
    ask(&world, &clock, &usual()).await.unwrap();
    clock.step(Duration::from_secs(3601));
    let id = world.records()[0].request.id.clone();
    function(&world, &clock).send_due(&id).await.unwrap();
    assert_eq!(world.records()[0].state, State::Open);
}
