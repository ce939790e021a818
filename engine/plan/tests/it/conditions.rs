//! Stage conditions and their rules (`codepipeline.md` 3.6).

use engine_plan::{
    effect::Effect,
    event::RetryMode,
    gate::GateKind,
    state::{ActionStatus, ConditionRun, ConditionStatus, StageStatus},
};
use serde_json::{Value, json};

use crate::harness::{Desk, declared, pipeline, succeeded_with};

fn rule(name: &str, provider: &str, configuration: Value) -> Value {
    let id = json!({"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"});
    json!({"name": name, "ruleTypeId": id, "configuration": configuration})
}

fn check(name: &str, variable: &str, operator: &str, value: &str) -> Value {
    let configuration = json!({"Variable": variable, "Operator": operator, "Value": value});
    rule(name, "VariableCheck", configuration)
}

fn window(name: &str) -> Value {
    rule(name, "DeploymentWindow", json!({"Cron": "* * * * * ?"}))
}

fn condition(result: &str, rules: Value) -> Value {
    json!({"conditions": [{"result": result, "rules": rules}]})
}

/// Source `s`, then stage Build with the gates, then Deploy.
fn gated(gates: &[(&str, Value)]) -> Desk {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"]), ("Deploy", &["b2"])]);
    definition["variables"] = json!([{"name": "env", "defaultValue": "test"}]);
    for (gate, value) in gates {
        definition["stages"][1][*gate] = value.clone();
    }
    Desk::with(declared(definition))
}

fn last(desk: &Desk, execution: usize) -> &ConditionRun {
    let run = &desk.state.pipelines["p"].executions[execution];
    run.stages[1].conditions.last().unwrap()
}

fn stage_status(desk: &Desk, execution: usize) -> StageStatus {
    desk.state.pipelines["p"].executions[execution].stages[1].status
}

#[test]
fn s3_6_variable_checks_are_decided_at_once() {
    for (rules, condition_ends, execution) in [
        (
            json!([check("r", "#{sV.Branch}", "EQ", "main")]),
            ConditionStatus::Succeeded,
            "InProgress",
        ),
        (
            json!([
                check("r", "#{variables.env}", "MATCHES", "te.*"),
                check("r2", "x", "NE", "x")
            ]),
            ConditionStatus::Failed,
            "Failed",
        ),
        (
            json!([check("r", "#{sV.Nothing}", "EQ", "main")]),
            ConditionStatus::Errored,
            "Failed",
        ),
        (
            json!([check("r", "x", "MATCHES", "(")]),
            ConditionStatus::Errored,
            "Failed",
        ),
    ] {
        let mut desk = gated(&[("beforeEntry", condition("FAIL", rules))]);
        desk.start();
        let source = desk.task("s");
        desk.events();
        desk.tell(succeeded_with(
            &source.action_execution,
            &[("Branch", "main")],
        ));
        assert_eq!(last(&desk, 0).status, condition_ends);
        assert_eq!(desk.statuses(), execution);
        let enters = condition_ends == ConditionStatus::Succeeded;
        assert_eq!(desk.running(), if enters { "b" } else { "" });
        if !enters {
            let ended = [
                "stage Build STARTED",
                "stage Build FAILED",
                "pipeline FAILED",
            ];
            assert_eq!(desk.events()[2..], ended);
        }
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn s3_6_all_rules_must_succeed_and_all_are_waited_for() {
    let rules = json!([window("r"), window("r2"), check("r3", "a", "EQ", "a")]);
    let mut desk = gated(&[("beforeEntry", condition("FAIL", rules))]);
    let id = desk.start();
    desk.succeed("s");
    assert_eq!(desk.running(), "r r2");
    let task = desk.fail("r");
    assert_eq!(task.action_type.category, "Rule");
    assert_eq!(task.action_type.provider, "DeploymentWindow");
    assert_eq!(task.configuration["Cron"], "* * * * * ?");
    assert_eq!(desk.statuses(), "InProgress");
    // after a restart the one that runs is performed again
    let [Effect::Perform(again)] = &desk.state.outstanding()[..] else {
        panic!()
    };
    assert_eq!(again.action, "r2");
    desk.succeed("r2");
    assert_eq!(desk.statuses(), "Failed");
    let rules: Vec<_> = last(&desk, 0).rules.iter().map(|it| it.status).collect();
    let (yes, no) = (ActionStatus::Succeeded, ActionStatus::Failed);
    assert_eq!(rules, [no, yes, yes]);
    // a retry evaluates it again
    desk.retry("Build", &id, RetryMode::FailedActions).unwrap();
    assert_eq!(desk.running(), "r r2");
    desk.succeed("r");
    desk.succeed("r2");
    desk.fail("b");
    // and not once it has let the stage in
    desk.retry("Build", &id, RetryMode::FailedActions).unwrap();
    assert_eq!(desk.running(), "b");
    desk.fail("b");
    desk.retry("Build", &id, RetryMode::AllActions).unwrap();
    assert_eq!(desk.running(), "r r2");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s3_6_a_rule_times_out() {
    let mut short = window("r");
    short["timeoutInMinutes"] = json!(5);
    let mut desk = gated(&[("beforeEntry", condition("FAIL", json!([short])))]);
    desk.start();
    desk.succeed("s");
    desk.pass(299);
    assert_eq!(desk.statuses(), "InProgress");
    desk.pass(1);
    assert_eq!(desk.statuses(), "Failed");
    let rule = &last(&desk, 0).rules[0];
    assert_eq!(rule.error.as_ref().unwrap().code, "RuleTimedOut");
    assert_eq!(desk.cancelled, std::slice::from_ref(&rule.id));
    assert_eq!(desk.state.next_due(), None);
}

#[test]
fn s3_6_skip_passes_over_the_stage() {
    let rules = json!([check("r", "#{variables.env}", "EQ", "live")]);
    let mut desk = gated(&[("beforeEntry", condition("SKIP", rules))]);
    let id = desk.start();
    desk.succeed("s");
    assert_eq!(stage_status(&desk, 0), StageStatus::Skipped);
    assert_eq!(desk.running(), "b2");
    let refusal = desk
        .override_condition("Build", &id, GateKind::BeforeEntry)
        .unwrap_err();
    assert_eq!(refusal.exception, "ConditionNotOverridableException");
    let refusal = desk.retry("Build", &id, RetryMode::AllActions).unwrap_err();
    assert_eq!(refusal.exception, "StageNotRetryableException");
    desk.succeed("b2");
    assert_eq!(desk.statuses(), "Succeeded");
    let refusal = desk.rollback("Build", &id).unwrap_err();
    assert_eq!(refusal.exception, "UnableToRollbackStageException");
}

#[test]
fn s3_6_on_success_applies_its_result_when_it_fails() {
    for (result, statuses) in [
        ("FAIL", "Succeeded Failed"),
        ("ROLLBACK", "Succeeded Failed InProgress"),
    ] {
        let mut desk = gated(&[("onSuccess", condition(result, json!([window("r")])))]);
        desk.start();
        for action in ["s", "b", "r", "b2"] {
            desk.succeed(action);
        }
        let id = desk.start();
        desk.succeed("s");
        desk.succeed("b");
        assert_eq!(desk.running(), "r");
        desk.fail("r");
        assert_eq!(desk.statuses(), statuses);
        if result == "FAIL" {
            let refusal = desk
                .retry("Build", &id, RetryMode::FailedActions)
                .unwrap_err();
            assert!(
                refusal.message.contains("all actions have succeeded"),
                "{refusal}"
            );
            desk.retry("Build", &id, RetryMode::AllActions).unwrap();
            for action in ["b", "r", "b2"] {
                desk.succeed(action);
            }
            assert_eq!(desk.statuses(), "Succeeded Succeeded");
        } else {
            // the rollback has the same gate, and is not rolled back itself
            desk.succeed("b");
            desk.fail("r");
            assert_eq!(desk.statuses(), "Succeeded Failed Failed");
        }
    }
}

#[test]
fn s3_6_on_failure_rolls_back_when_its_criteria_are_met() {
    for (met, statuses) in [
        (true, "Succeeded Failed InProgress"),
        (false, "Succeeded Failed"),
    ] {
        let mut desk = gated(&[("onFailure", condition("ROLLBACK", json!([window("r")])))]);
        desk.start();
        for action in ["s", "b", "b2"] {
            desk.succeed(action);
        }
        desk.start();
        desk.succeed("s");
        desk.fail("b");
        assert_eq!(desk.running(), "r");
        if met {
            desk.succeed("r");
        } else {
            desk.fail("r");
        }
        assert_eq!(desk.statuses(), statuses);
    }
}

#[test]
fn s3_6_conditions_are_overridden() {
    let rules = || condition("FAIL", json!([window("r"), check("r2", "a", "EQ", "b")]));
    let mut desk = gated(&[("beforeEntry", rules()), ("onSuccess", rules())]);
    let id = desk.start();
    for (stage, execution, gate, exception) in [
        (
            "Nope",
            id.as_str(),
            GateKind::BeforeEntry,
            "StageNotFoundException",
        ),
        (
            "Build",
            &id,
            GateKind::BeforeEntry,
            "NotLatestPipelineExecutionException",
        ),
        (
            "Source",
            &id,
            GateKind::BeforeEntry,
            "ConditionNotOverridableException",
        ),
    ] {
        let refusal = desk.override_condition(stage, execution, gate).unwrap_err();
        assert_eq!(refusal.exception, exception, "{refusal}");
    }
    desk.succeed("s");
    let open = desk.task("r").action_execution;
    // while it runs
    let refusal = desk
        .override_condition("Build", &id, GateKind::OnSuccess)
        .unwrap_err();
    assert_eq!(refusal.exception, "ConditionNotOverridableException");
    desk.override_condition("Build", &id, GateKind::BeforeEntry)
        .unwrap();
    assert_eq!(last(&desk, 0).status, ConditionStatus::Overridden);
    assert_eq!(last(&desk, 0).rules[0].status, ActionStatus::Abandoned);
    assert_eq!(desk.cancelled, [open]);
    assert_eq!(desk.running(), "b");
    // after it failed
    desk.succeed("b");
    desk.succeed("r");
    assert_eq!(desk.statuses(), "Failed");
    desk.events();
    desk.override_condition("Build", &id, GateKind::OnSuccess)
        .unwrap();
    assert_eq!(
        desk.events()[..3],
        [
            "pipeline RESUMED",
            "stage Build RESUMED",
            "stage Build SUCCEEDED"
        ]
    );
    desk.succeed("b2");
    assert_eq!(desk.statuses(), "Succeeded");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s3_4_a_stop_waits_for_rules_or_abandons_them() {
    for abandon in [false, true] {
        let mut desk = gated(&[("beforeEntry", condition("FAIL", json!([window("r")])))]);
        let id = desk.start();
        desk.succeed("s");
        desk.stop(&id, abandon).unwrap();
        if !abandon {
            assert_eq!(desk.statuses(), "Stopping");
            desk.succeed("r");
        }
        assert_eq!(desk.statuses(), "Stopped");
        let expected = if abandon {
            ConditionStatus::Abandoned
        } else {
            ConditionStatus::Succeeded
        };
        assert_eq!(last(&desk, 0).status, expected);
        assert_eq!(desk.state.next_due(), None);
    }
}
