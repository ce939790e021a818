//! LambdaInvoke rules: the same job callbacks as an action's (`codepipeline.md` 3.6 and 4).

use engine_plan::{
    effect::Effect,
    event::{Event, RetryMode, Settings},
    gate::GateKind,
    state::{ActionStatus, ConditionRun, ConditionStatus, JobStatus, RuleRun},
};
use serde_json::{Value, json};

use crate::harness::{Desk, declared, job_failed, job_succeeded, pipeline};

/// Source `s`, then stage Build with a LambdaInvoke rule `r` at that gate, then Deploy; the rule is due next.
fn asked(gate: &str, result: &str) -> Desk {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"]), ("Deploy", &["b2"])]);
    let id =
        json!({"category": "Rule", "owner": "AWS", "provider": "LambdaInvoke", "version": "1"});
    let configuration = json!({"FunctionName": "f", "UserParameters": "#{sV.Branch}"});
    let rule = json!({"name": "r", "ruleTypeId": id, "configuration": configuration, "inputArtifacts": [{"name": "s"}]});
    definition["stages"][1][gate] = json!({"conditions": [{"result": result, "rules": [rule]}]});
    let mut desk = Desk::with(declared(definition));
    desk.tell(Event::Configured {
        settings: Settings::default(),
    });
    desk
}

fn entered() -> Desk {
    let mut desk = asked("beforeEntry", "FAIL");
    desk.start();
    let source = desk.task("s");
    desk.tell(crate::harness::succeeded_with(
        &source.action_execution,
        &[("Branch", "main")],
    ));
    desk
}

fn condition(desk: &Desk) -> &ConditionRun {
    let run = desk.state.pipelines["p"].executions.last().unwrap();
    run.stages[1].conditions.last().unwrap()
}

fn rule(desk: &Desk) -> &RuleRun {
    &condition(desk).rules[0]
}

fn code(rule: &RuleRun) -> &str {
    rule.error.as_ref().map_or("", |it| it.code.as_str())
}

#[test]
fn s3_6_a_rules_function_continues_and_ends() {
    let mut desk = entered();
    let first = desk.task("r");
    assert_eq!(first.configuration["UserParameters"], "main");
    assert_eq!(first.inputs[0].name, "s");
    let job = first.job.unwrap();
    let [Effect::Perform(again)] = &desk.state.outstanding()[..] else {
        panic!()
    };
    assert_eq!(again.job.as_ref(), Some(&job));
    let seen = desk.state.task_of_job(&job.id).unwrap();
    assert_eq!((seen.stage.as_str(), seen.action.as_str()), ("Build", "r"));
    desk.pass(19 * 60);
    desk.tell(job_succeeded(&job.id, Some("half")));
    assert!(desk.state.outstanding().is_empty(), "between two jobs");
    desk.pass(29);
    assert_eq!(desk.running(), "");
    desk.pass(1);
    let second = desk.task("r");
    assert_eq!(second.action_execution, first.action_execution);
    let next = second.job.unwrap();
    assert_ne!(next.id, job.id);
    assert_eq!(next.continuation_token.as_deref(), Some("half"));
    for late in [job_succeeded(&job.id, None), job_failed(&job.id)] {
        let refused = desk.refused(late);
        assert!(refused.starts_with("InvalidJobState"), "{refused}");
    }
    desk.tell(job_succeeded(&next.id, None));
    assert_eq!(condition(&desk).status, ConditionStatus::Succeeded);
    assert_eq!(desk.running(), "b");
    assert_eq!(desk.state.jobs[&next.id].status, JobStatus::Succeeded);
    assert_eq!(desk.state.ended_jobs.len(), 2);
    assert!(desk.state.task_of_job(&next.id).is_some());
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s3_6_a_rules_function_says_no_or_nothing() {
    type Act = fn(&mut Desk, &str);
    let cases: [(&str, Act, &str, ConditionStatus, JobStatus); 5] = [
        (
            "no",
            |desk, job| _ = desk.tell(job_failed(job)),
            "PermissionError",
            ConditionStatus::Failed,
            JobStatus::Failed,
        ),
        (
            "wrong configuration",
            |desk, job| {
                desk.tell(Event::JobFailed {
                    job: job.to_owned(),
                    kind: "ConfigurationError".to_owned(),
                    message: "no such table".to_owned(),
                    external_id: None,
                });
            },
            "ConfigurationError",
            ConditionStatus::Errored,
            JobStatus::Failed,
        ),
        (
            "silence",
            |desk, _| desk.pass(20 * 60),
            "JobFailed",
            ConditionStatus::Failed,
            JobStatus::TimedOut,
        ),
        (
            "a stop",
            |desk, _| {
                let id = desk.state.pipelines["p"].executions[0].id.clone();
                desk.stop(&id, true).unwrap();
            },
            "",
            ConditionStatus::Abandoned,
            JobStatus::Failed,
        ),
        (
            "an override",
            |desk, _| {
                let id = desk.state.pipelines["p"].executions[0].id.clone();
                desk.override_condition("Build", &id, GateKind::BeforeEntry)
                    .unwrap();
            },
            "",
            ConditionStatus::Overridden,
            JobStatus::Failed,
        ),
    ];
    for (name, act, says, ends, job_ends) in cases {
        let mut desk = entered();
        let job = desk.task("r").job.unwrap();
        act(&mut desk, &job.id);
        assert_eq!(code(rule(&desk)), says, "{name}");
        assert_eq!(condition(&desk).status, ends, "{name}");
        assert_eq!(desk.state.jobs[&job.id].status, job_ends, "{name}");
        assert_eq!(desk.state.ended_jobs.len(), 1, "{name}");
        assert!(desk.state.running_rules.is_empty(), "{name}");
        let refused = desk.refused(job_succeeded(&job.id, None));
        assert!(refused.starts_with("InvalidJobState"), "{name}: {refused}");
        if ends == ConditionStatus::Failed {
            // each evaluation has its own job
            let id = desk.state.pipelines["p"].executions[0].id.clone();
            desk.retry("Build", &id, RetryMode::FailedActions).unwrap();
            assert_ne!(desk.task("r").job.unwrap().id, job.id);
        }
        assert!(desk.replayed() == desk.state, "{name}");
    }
}

#[test]
fn s3_6_continuations_of_a_rule_end_with_its_timeout() {
    let mut desk = entered();
    for _ in 0..5 {
        let job = desk.task("r").job.unwrap();
        desk.pass(10 * 60 - 30);
        desk.tell(job_succeeded(&job.id, Some("more")));
        desk.pass(30);
    }
    desk.task("r");
    desk.pass(10 * 60 - 1);
    assert_eq!(desk.statuses(), "InProgress");
    desk.pass(1);
    assert_eq!(code(rule(&desk)), "RuleTimedOut");
    assert_eq!(desk.statuses(), "Failed");
}

#[test]
fn s3_6_silence_of_a_rules_function_while_the_engine_was_down_does_not_count() {
    let mut desk = entered();
    let job = desk.task("r").job.unwrap();
    desk.now += jiff::SignedDuration::from_mins(19);
    desk.tell(Event::Resumed);
    desk.pass(19 * 60);
    desk.tell(job_succeeded(&job.id, None));
    assert_eq!(desk.running(), "b");
}

/// Of a failure condition an alarm that rings and a function that fails meet the criteria.
#[test]
fn s3_6_on_failure_a_function_that_fails_meets_the_criteria() {
    let cases: [(Value, &str, ActionStatus); 3] = [
        (
            json!("fails"),
            "Succeeded Failed InProgress",
            ActionStatus::Succeeded,
        ),
        (json!("succeeds"), "Succeeded Failed", ActionStatus::Failed),
        (json!("times out"), "Succeeded Failed", ActionStatus::Failed),
    ];
    for (what, statuses, ends) in cases {
        let mut desk = asked("onFailure", "ROLLBACK");
        desk.start();
        for action in ["s", "b", "b2"] {
            desk.succeed(action);
        }
        desk.start();
        let source = desk.task("s");
        desk.tell(crate::harness::succeeded_with(
            &source.action_execution,
            &[("Branch", "main")],
        ));
        desk.fail("b");
        let job = desk.task("r").job.unwrap();
        match what.as_str().unwrap() {
            "fails" => _ = desk.tell(job_failed(&job.id)),
            "succeeds" => _ = desk.tell(job_succeeded(&job.id, None)),
            _ => desk.pass(3600),
        }
        assert_eq!(desk.statuses(), statuses, "{what}");
        let run = &desk.state.pipelines["p"].executions[1].stages[1];
        let rule = &run.conditions[0].rules[0];
        assert_eq!(rule.status, ends, "{what}: {rule:?}");
    }
}
