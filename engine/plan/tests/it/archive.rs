//! Executions that have left memory: what still can be asked of them (`codepipeline.md` 3.4, 3.5; limits of 10).

use engine_plan::{
    event::{Event, RetryMode},
    limit::{ENDED_EXECUTIONS_AT_MOST, ENDED_EXECUTIONS_KEPT},
    step::Answer,
};
use serde_json::json;

use crate::harness::{Desk, declared, pipeline, start};

fn desk(mode: &str) -> Desk {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"])]);
    definition["executionMode"] = json!(mode);
    Desk::with(declared(definition))
}

/// One execution that ends well, or fails in its last stage.
fn ended(desk: &mut Desk, well: bool) -> String {
    let id = desk.start();
    desk.succeed("s");
    if well {
        desk.succeed("b");
    } else {
        desk.fail("b");
    }
    id
}

/// So many executions later nothing shows the first one.
fn crowd(desk: &mut Desk) {
    for _ in 0..=ENDED_EXECUTIONS_AT_MOST {
        ended(desk, true);
    }
}

fn is_archived(desk: &Desk, id: &str) -> bool {
    desk.archive.0.values().any(|it| it.execution.id == id)
}

#[test]
fn the_newest_and_what_stages_show_stay_in_memory() {
    let mut desk = desk("SUPERSEDED");
    let shown = ended(&mut desk, true);
    desk.transition("Build", true, false);
    for _ in 0..3 * ENDED_EXECUTIONS_AT_MOST {
        desk.start();
        desk.succeed("s");
    }
    assert!(!is_archived(&desk, &shown), "Build shows it");
    let known = &desk.state.pipelines["p"];
    assert_eq!(
        known.executions.started(),
        known.executions.len() + desk.archive.0.len()
    );
    assert!(known.executions.len() <= ENDED_EXECUTIONS_AT_MOST + 3);
    let newest: Vec<usize> = known.executions.numbered().map(|(n, _)| n).collect();
    let started = known.executions.started();
    assert!((started - ENDED_EXECUTIONS_KEPT..started).all(|n| newest.contains(&n)));
}

#[test]
fn s3_5_a_stage_goes_back_to_an_archived_execution() {
    let mut desk = desk("SUPERSEDED");
    let target = ended(&mut desk, true);
    crowd(&mut desk);
    assert!(is_archived(&desk, &target));
    let before = desk.archive.clone();
    let refused = desk.rollback("Source", &target).unwrap_err();
    assert_eq!(refused.exception, "UnableToRollbackStageException");
    assert!(desk.archive == before, "a refusal changes nothing");
    let Answer::Execution(id) = desk.rollback("Build", &target).unwrap() else {
        panic!("no execution")
    };
    let run = desk.state.pipelines["p"].execution(&id).unwrap();
    assert_eq!(run.rollback_of.as_ref(), Some(&target));
    assert_eq!(desk.task("b").inputs.len(), 1);
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s3_5_the_last_success_of_a_stage_stays_at_hand() {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"])]);
    definition["stages"][1]["onFailure"] = json!({"result": "ROLLBACK"});
    let mut desk = Desk::with(declared(definition));
    let good = ended(&mut desk, true);
    for _ in 0..ENDED_EXECUTIONS_AT_MOST {
        ended(&mut desk, false);
        desk.succeed("b");
        let back = desk.state.pipelines["p"].executions.last().unwrap();
        assert_eq!(back.rollback_of.as_ref(), Some(&good));
    }
}

#[test]
fn s3_4_an_archived_parallel_execution_is_retried() {
    let mut desk = desk("PARALLEL");
    let failed = ended(&mut desk, false);
    crowd(&mut desk);
    assert!(is_archived(&desk, &failed));
    desk.retry("Build", &failed, RetryMode::FailedActions)
        .unwrap();
    assert!(!is_archived(&desk, &failed));
    desk.succeed("b");
    crowd(&mut desk);
    let kept = desk.archive.0.values().find(|it| it.execution.id == failed);
    assert_eq!(kept.unwrap().execution.attempt, 2);
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s3_4_requests_about_archived_executions_are_refused_as_before() {
    let mut desk = desk("SUPERSEDED");
    let first = ended(&mut desk, false);
    ended(&mut desk, true);
    let asked = |desk: &mut Desk| {
        let retry = desk.retry("Build", &first, RetryMode::AllActions);
        let stop = desk.stop(&first, true);
        [retry, stop].map(|answer| answer.unwrap_err().to_string())
    };
    let before = asked(&mut desk);
    crowd(&mut desk);
    assert!(is_archived(&desk, &first));
    assert_eq!(asked(&mut desk), before);
}

#[test]
fn a_client_token_outlives_its_execution_in_memory() {
    let mut desk = desk("SUPERSEDED");
    let mut once = start("p");
    if let Event::Start { client_token, .. } = &mut once {
        *client_token = Some("once".to_owned());
    }
    let first = desk.tell(once.clone());
    desk.succeed("s");
    desk.succeed("b");
    crowd(&mut desk);
    assert_eq!(desk.tell(once), first);
    assert_eq!(desk.running(), "");
}

#[test]
fn a_deleted_pipeline_leaves_nothing_behind() {
    let mut desk = desk("SUPERSEDED");
    crowd(&mut desk);
    assert!(!desk.archive.0.is_empty());
    desk.tell(Event::DeletePipeline {
        name: "p".to_owned(),
    });
    assert!(desk.archive.0.is_empty());
}
