//! Jobs and approvals: who reports, when, and what is refused.

use std::collections::BTreeMap;

use engine_plan::{
    definition::ActionTypeId,
    event::{Event, ExecutionDetails, Settings},
    state::JobStatus,
    step::Answer,
};
use serde_json::json;

use crate::harness::{Desk, approval, declared, job_failed, job_succeeded, pipeline};

fn lambda() -> Desk {
    let mut desk = Desk::with(declared(pipeline(&[
        ("Source", &["s"]),
        ("Deploy", &["l", "b@2"]),
    ])));
    desk.tell(Event::Configured {
        settings: Settings {
            continuation_seconds: 30,
            ..Settings::default()
        },
    });
    desk.start();
    desk.succeed("s");
    desk
}

#[test]
fn a_function_continues_and_ends() {
    let mut desk = lambda();
    let first = desk.task("l");
    let job = first.job.unwrap();
    assert_eq!(job.continuation_token, None);
    desk.pass(60);
    desk.tell(job_succeeded(&job.id, Some("half")));
    assert!(
        desk.refused(job_succeeded(&job.id, None))
            .starts_with("InvalidJobStateException")
    );
    assert_eq!(desk.state.jobs[&job.id].status, JobStatus::Succeeded);
    desk.pass(29);
    assert_eq!(desk.running(), "");
    desk.pass(1);
    let second = desk.task("l");
    assert_eq!(second.action_execution, first.action_execution);
    let next = second.job.unwrap();
    assert_ne!(next.id, job.id);
    assert_eq!(next.continuation_token.as_deref(), Some("half"));
    let before = desk.state.clone();
    assert!(
        desk.refused(job_failed(&job.id))
            .starts_with("InvalidJobStateException")
    );
    assert!(before == desk.state);
    desk.tell(Event::JobSucceeded {
        job: next.id.clone(),
        continuation: None,
        variables: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        details: ExecutionDetails {
            summary: Some("all well".to_owned()),
            ..ExecutionDetails::default()
        },
        revision: None,
    });
    assert_eq!(desk.running(), "b");
    let execution = &desk.state.pipelines["p"].executions[0];
    assert_eq!(execution.namespaces["lV"]["k"], "v");
    let run = execution.stages[1].latest("l").unwrap();
    assert_eq!(run.details.summary.as_deref(), Some("all well"));
    assert!(
        desk.refused(job_succeeded("nothing", None))
            .starts_with("JobNotFoundException")
    );
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_silent_function_fails_after_twenty_minutes() {
    let mut desk = lambda();
    let task = desk.task("l");
    let job = task.job.unwrap();
    desk.pass(20 * 60 - 1);
    assert_eq!(desk.statuses(), "InProgress");
    desk.pass(1);
    assert_eq!(desk.statuses(), "Failed");
    assert_eq!(desk.cancelled, [task.action_execution]);
    assert_eq!(desk.state.jobs[&job.id].status, JobStatus::TimedOut);
    assert!(
        desk.refused(job_succeeded(&job.id, None))
            .starts_with("InvalidJobStateException")
    );
    let (_, run) = desk.state.pipelines["p"].latest_run("Deploy", "l").unwrap();
    let error = run.error.as_ref().unwrap();
    assert!(
        error
            .message
            .starts_with("The AWS Lambda function f failed to return a result"),
        "{error:?}"
    );
}

#[test]
fn silence_while_the_engine_was_down_does_not_count() {
    let mut desk = lambda();
    let job = desk.task("l").job.unwrap();
    desk.now += jiff::SignedDuration::from_hours(2);
    desk.tell(Event::Resumed);
    desk.pass(20 * 60 - 1);
    assert_eq!(desk.statuses(), "InProgress");
    desk.tell(job_succeeded(&job.id, Some("half")));
    // the continuation and the whole timeout are both over: no further job
    desk.now += jiff::SignedDuration::from_hours(48);
    desk.tell(Event::Resumed);
    desk.pass(0);
    assert_eq!(desk.statuses(), "Failed");
    assert_eq!(desk.running(), "");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn continuations_end_after_a_day() {
    let mut desk = lambda();
    for _ in 0..24 * 6 - 1 {
        let job = desk.task("l").job.unwrap();
        desk.pass(10 * 60 - 30);
        desk.tell(job_succeeded(&job.id, Some("more")));
        desk.pass(30);
    }
    desk.task("l");
    assert_eq!(desk.statuses(), "InProgress");
    desk.pass(10 * 60);
    assert_eq!(desk.statuses(), "Failed");
    let (_, run) = desk.state.pipelines["p"].latest_run("Deploy", "l").unwrap();
    assert_eq!(
        run.error.as_ref().unwrap().message,
        "The action did not end within its timeout of 1440 minutes."
    );
}

#[test]
fn job_results_are_checked() {
    let mut desk = lambda();
    let job = desk.task("l").job.unwrap();
    let with = |variables: &[(&str, String)], continuation: Option<&str>| Event::JobSucceeded {
        job: job.id.clone(),
        continuation: continuation.map(str::to_owned),
        variables: variables
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.clone()))
            .collect(),
        details: ExecutionDetails::default(),
        revision: None,
    };
    for (event, exception) in [
        (
            with(&[("k", "x".repeat(122_880))], None),
            "OutputVariablesSizeExceededException",
        ),
        (with(&[("a b", String::new())], None), "ValidationException"),
        (
            with(&[("k", String::new())], Some("t")),
            "ValidationException",
        ),
    ] {
        let refusal = desk.refused(event);
        assert!(refusal.starts_with(exception), "{refusal}");
    }
    desk.tell(job_failed(&job.id));
    let (_, run) = desk.state.pipelines["p"].latest_run("Deploy", "l").unwrap();
    assert_eq!(run.error.as_ref().unwrap().code, "PermissionError");
}

#[test]
fn a_worker_polls_acknowledges_and_reports() {
    let mut desk = Desk::with_worker(declared(pipeline(&[
        ("Source", &["s"]),
        ("Deploy", &["w"]),
    ])));
    desk.start();
    desk.succeed("s");
    let kind = ActionTypeId {
        category: "Test".to_owned(),
        owner: "Custom".to_owned(),
        provider: "Worker".to_owned(),
        version: "1".to_owned(),
    };
    let queued = |desk: &Desk| -> Vec<String> {
        desk.state
            .queued_jobs(&kind)
            .map(|job| job.id.clone())
            .collect()
    };
    let first = desk.task("w").job.unwrap();
    assert_eq!(queued(&desk), std::slice::from_ref(&first.id));
    let task = desk.state.task_of_job(&first.id).unwrap();
    assert_eq!(task.configuration["Job"], task.execution);
    desk.tell(Event::JobsPolled {
        jobs: vec![first.id.clone()],
    });
    assert_eq!(queued(&desk), [""; 0]);
    assert!(
        desk.refused(job_succeeded(&first.id, None))
            .starts_with("InvalidJobStateException")
    );
    let acknowledge = |nonce: &str| Event::JobAcknowledged {
        job: first.id.clone(),
        nonce: nonce.to_owned(),
    };
    assert!(
        desk.refused(acknowledge("wrong"))
            .starts_with("InvalidNonceException")
    );
    assert_eq!(
        desk.tell(acknowledge(&first.nonce)),
        Answer::Job(JobStatus::InProgress)
    );
    assert!(
        desk.refused(acknowledge(&first.nonce))
            .starts_with("InvalidNonceException")
    );
    desk.tell(job_succeeded(&first.id, Some("more")));
    let next = desk.task("w").job.unwrap();
    assert_eq!(queued(&desk), std::slice::from_ref(&next.id));
    desk.tell(Event::JobsPolled {
        jobs: vec![next.id.clone()],
    });
    desk.tell(Event::JobAcknowledged {
        job: next.id.clone(),
        nonce: next.nonce,
    });
    desk.tell(job_succeeded(&next.id, None));
    assert_eq!(desk.statuses(), "Succeeded");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn approvals_are_answered_once_and_in_time() {
    for approved in [true, false] {
        let mut desk = Desk::with(declared(pipeline(&[
            ("Source", &["s"]),
            ("Deploy", &["a"]),
        ])));
        desk.start();
        desk.succeed("s");
        let token = desk.task("a").approval.unwrap().token;
        let other = String::from("00000000-0000-4000-8000-000000000000").into();
        assert!(
            desk.refused(approval("a", &other, true))
                .starts_with("InvalidApprovalTokenException")
        );
        assert!(
            desk.refused(approval("b", &token, true))
                .starts_with("ActionNotFoundException")
        );
        assert_eq!(
            desk.tell(approval("a", &token, approved)),
            Answer::ApprovedAt(desk.now)
        );
        assert_eq!(
            desk.statuses(),
            if approved { "Succeeded" } else { "Failed" }
        );
        let (_, run) = desk.state.pipelines["p"].latest_run("Deploy", "a").unwrap();
        assert_eq!(run.details.summary.as_deref(), Some("because"));
        assert_eq!(
            run.updated_by.as_deref(),
            Some("arn:aws:iam::123456789012:user/dana")
        );
        assert!(
            desk.refused(approval("a", &token, approved))
                .starts_with("ApprovalAlreadyCompletedException")
        );
        assert!(desk.state.approvals.is_empty());
    }
}

#[test]
fn approvals_expire_and_are_asked_anew() {
    let mut definition = pipeline(&[("Source", &["s"]), ("Deploy", &["a"])]);
    definition["stages"][1]["actions"][0]["timeoutInMinutes"] = json!(5);
    let mut desk = Desk::with(declared(definition));
    let id = desk.start();
    desk.succeed("s");
    let old = desk.task("a").approval.unwrap().token;
    desk.pass(5 * 60);
    assert_eq!(desk.statuses(), "Failed");
    assert!(
        desk.refused(approval("a", &old, true))
            .starts_with("InvalidApprovalTokenException")
    );
    desk.retry("Deploy", &id, engine_plan::event::RetryMode::FailedActions)
        .unwrap();
    let new = desk.task("a").approval.unwrap().token;
    assert_ne!(old, new);
    assert!(
        desk.refused(approval("a", &old, true))
            .starts_with("InvalidApprovalTokenException")
    );
    desk.tell(approval("a", &new, true));
    assert_eq!(desk.statuses(), "Succeeded");
}
