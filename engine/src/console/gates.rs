//! The conditions around a stage's actions, as the picture shows them. Pure.

use engine_plan::{
    definition::StageDeclaration,
    gate::{GateKind, GateResult, Rule},
    state::{ActionStatus, ConditionRun, ConditionStatus, Execution, RuleRun, StageRun},
};
use jiff::Timestamp;

use super::model::{ActionBox, Look, Notice, StageBox, is_web};
use crate::cli::{elapsed, view};

/// One gate of a stage.
#[derive(Debug)]
pub struct GateBox {
    /// `beforeEntry`, `onSuccess`, `onFailure`, as definitions name it.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    pub status: Look,
    /// What it does, or did.
    pub text: String,
    pub rules: Vec<ActionBox>,
}

/// The gate before the actions, if the stage declares one.
pub fn before(
    pipeline: &str,
    execution: Option<&Execution>,
    stage: &StageDeclaration,
    run: Option<&StageRun>,
    now: Timestamp,
) -> Option<GateBox> {
    gate_box(GateKind::BeforeEntry, pipeline, execution, stage, run, now)
}

/// The gates after the actions, if the stage declares any.
pub fn after(
    pipeline: &str,
    execution: Option<&Execution>,
    stage: &StageDeclaration,
    run: Option<&StageRun>,
    now: Timestamp,
) -> Vec<GateBox> {
    let gates = [GateKind::OnSuccess, GateKind::OnFailure];
    let gates = gates.map(|gate| gate_box(gate, pipeline, execution, stage, run, now));
    gates
        .into_iter()
        .flatten()
        .chain(plain(stage, run))
        .collect()
}

/// Conditions that stand in the way, with the log of the rule that says why.
pub fn notices(stages: &[StageBox]) -> Vec<Notice> {
    let gates = stages.iter().flat_map(|stage| {
        stage
            .before
            .iter()
            .chain(&stage.after)
            .map(move |gate| (stage, gate))
    });
    gates
        .filter(|(_, gate)| gate.status == Look::Failed)
        .filter_map(|(stage, gate)| {
            let rule = gate.rules.iter().find(|rule| rule.status == Look::Failed)?;
            Some(Notice {
                status: Look::Failed,
                title: format!("{} of {}: {}", gate.title, stage.name, rule.name),
                text: rule.text.clone().unwrap_or_default(),
                link: rule.log.clone().map(|log| (log, "See the log")),
            })
        })
        .collect()
}

fn title(gate: GateKind) -> &'static str {
    match gate {
        GateKind::BeforeEntry => "Entry condition",
        GateKind::OnSuccess => "On success",
        GateKind::OnFailure => "On failure",
    }
}

/// What a failure is answered with, without any condition.
fn plain(stage: &StageDeclaration, run: Option<&StageRun>) -> Option<GateBox> {
    let result = stage.on_failure.as_ref()?.result?;
    let retries = run.map_or(0, |run| run.automatic_retries);
    let (status, text) = match result {
        GateResult::Retry if retries > 0 => (Look::Other("Retried"), "was retried by itself"),
        GateResult::Retry => (Look::Idle, "retries the stage once"),
        GateResult::Rollback => (Look::Idle, "rolls the stage back"),
        GateResult::Fail | GateResult::Skip => return None,
    };
    Some(GateBox {
        name: GateKind::OnFailure.member(),
        title: title(GateKind::OnFailure),
        status,
        text: text.to_owned(),
        rules: Vec::new(),
    })
}

fn gate_box(
    gate: GateKind,
    pipeline: &str,
    execution: Option<&Execution>,
    stage: &StageDeclaration,
    run: Option<&StageRun>,
    now: Timestamp,
) -> Option<GateBox> {
    let declared = stage.condition(gate)?;
    let evaluated = run.and_then(|run| run.condition(gate));
    let rules = declared.rules.iter().enumerate().map(|(at, rule)| {
        let last = evaluated.and_then(|condition| condition.rules.get(at));
        let rule = rule_box(pipeline, execution, rule, last, now);
        // what skips a stage is no failure
        match rule.status {
            Look::Failed if declared.result == Some(GateResult::Skip) => ActionBox {
                status: Look::Other("No"),
                ..rule
            },
            _ => rule,
        }
    });
    let consequence = view::consequence(declared.result);
    let otherwise = if gate == GateKind::OnFailure {
        "then"
    } else {
        "otherwise"
    };
    let status = evaluated.map_or(Look::Idle, |it| look(gate, declared.result, it));
    let text = match status {
        Look::Idle | Look::Running => format!("{otherwise} {consequence}"),
        Look::Failed | Look::Other("Rolls back" | "Skips") => consequence.to_owned(),
        _ => String::new(),
    };
    Some(GateBox {
        name: gate.member(),
        title: title(gate),
        status,
        text,
        rules: rules.collect(),
    })
}

fn look(gate: GateKind, result: Option<GateResult>, condition: &ConditionRun) -> Look {
    let failure = gate == GateKind::OnFailure;
    let skips = result == Some(GateResult::Skip);
    match condition.status {
        ConditionStatus::InProgress => Look::Running,
        ConditionStatus::Succeeded if failure => Look::Other("Rolls back"),
        ConditionStatus::Failed | ConditionStatus::Errored if failure => Look::Other("Not met"),
        ConditionStatus::Failed | ConditionStatus::Errored if skips => Look::Other("Skips"),
        ConditionStatus::Succeeded => Look::Succeeded,
        ConditionStatus::Failed | ConditionStatus::Errored => Look::Failed,
        ConditionStatus::Abandoned => Look::Other("Abandoned"),
        ConditionStatus::Overridden => Look::Other("Overridden"),
    }
}

fn rule_box(
    pipeline: &str,
    execution: Option<&Execution>,
    declared: &Rule,
    run: Option<&RuleRun>,
    now: Timestamp,
) -> ActionBox {
    let running = run.is_some_and(|it| it.status == ActionStatus::InProgress);
    // only these have an output
    let writes = ["CodeBuild", "Commands", "LambdaInvoke"];
    let writes = writes.contains(&declared.rule_type_id.provider.as_str());
    ActionBox {
        name: declared.name.clone(),
        provider: declared.rule_type_id.provider.clone(),
        status: match run.map(|it| it.status) {
            None => Look::Idle,
            Some(ActionStatus::InProgress) => Look::Running,
            Some(ActionStatus::Succeeded) => Look::Succeeded,
            Some(ActionStatus::Failed) => Look::Failed,
            Some(ActionStatus::Abandoned) => Look::Other("Abandoned"),
        },
        waiting: false,
        took: run.map(|it| elapsed(it.started, if running { now } else { it.updated })),
        text: run.and_then(view::rule_text),
        percent: None,
        url: run
            .and_then(|it| it.details.external_execution_url.clone())
            .filter(|url| is_web(url)),
        log: run
            .zip(execution)
            .filter(|_| writes)
            .map(|(it, e)| format!("/_stagewright/pipeline/{pipeline}/{}/log/{}", e.id, it.id)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stage(gates: serde_json::Value) -> StageDeclaration {
        let mut stage = json!({"name": "Deploy", "actions": []});
        for (gate, value) in gates.as_object().unwrap() {
            stage[gate] = value.clone();
        }
        serde_json::from_value(stage).unwrap()
    }

    fn condition(result: &str) -> serde_json::Value {
        let kind = json!({"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"});
        json!({"conditions": [{"result": result, "rules": [{"name": "r", "ruleTypeId": kind}]}]})
    }

    fn run(gate: GateKind, status: ConditionStatus, rule: ActionStatus) -> StageRun {
        let kind = json!({"category": "Rule", "provider": "VariableCheck"});
        let at = Timestamp::UNIX_EPOCH;
        let rule = RuleRun {
            id: "id".to_owned(),
            name: "r".to_owned(),
            rule_type: serde_json::from_value(kind).unwrap(),
            status: rule,
            started: at,
            updated: at,
            resolved_configuration: Default::default(),
            resolved_commands: Vec::new(),
            inputs: Vec::new(),
            details: Default::default(),
            error: None,
            deadline: at,
            job: None,
            wake: None,
        };
        StageRun {
            name: "Deploy".to_owned(),
            status: engine_plan::state::StageStatus::InProgress,
            entered: at,
            manual_retries: 0,
            automatic_retries: 1,
            latest_retry: None,
            again: Default::default(),
            conditions: vec![ConditionRun {
                gate,
                status,
                updated: at,
                void: false,
                rules: vec![rule],
            }],
            first: 0,
            actions: Vec::new(),
        }
    }

    #[test]
    fn a_gate_says_what_it_does() {
        use ActionStatus as Rule;
        use ConditionStatus::{Errored, Failed, InProgress, Overridden, Succeeded};
        use GateKind::{BeforeEntry, OnFailure, OnSuccess};
        for (gate, result, state, expected) in [
            (
                BeforeEntry,
                "FAIL",
                None,
                ("Didn't run", "otherwise the stage fails", "Didn't run"),
            ),
            (
                BeforeEntry,
                "SKIP",
                Some((InProgress, Rule::InProgress)),
                (
                    "In progress",
                    "otherwise the stage is skipped",
                    "In progress",
                ),
            ),
            (
                BeforeEntry,
                "SKIP",
                Some((Failed, Rule::Failed)),
                ("Skips", "the stage is skipped", "No"),
            ),
            (
                BeforeEntry,
                "FAIL",
                Some((Failed, Rule::Failed)),
                ("Failed", "the stage fails", "Failed"),
            ),
            (
                BeforeEntry,
                "FAIL",
                Some((Errored, Rule::Failed)),
                ("Failed", "the stage fails", "Failed"),
            ),
            (
                BeforeEntry,
                "FAIL",
                Some((Succeeded, Rule::Succeeded)),
                ("Succeeded", "", "Succeeded"),
            ),
            (
                BeforeEntry,
                "FAIL",
                Some((Overridden, Rule::Abandoned)),
                ("Overridden", "", "Abandoned"),
            ),
            (
                OnSuccess,
                "ROLLBACK",
                Some((Failed, Rule::Failed)),
                ("Failed", "the stage is rolled back", "Failed"),
            ),
            (
                OnFailure,
                "ROLLBACK",
                None,
                ("Didn't run", "then the stage is rolled back", "Didn't run"),
            ),
            (
                OnFailure,
                "ROLLBACK",
                Some((Succeeded, Rule::Succeeded)),
                ("Rolls back", "the stage is rolled back", "Succeeded"),
            ),
            (
                OnFailure,
                "ROLLBACK",
                Some((Failed, Rule::Failed)),
                ("Not met", "", "Failed"),
            ),
        ] {
            let declared = stage(json!({gate.member(): condition(result)}));
            let run = state.map(|(status, rule)| run(gate, status, rule));
            let at = Timestamp::UNIX_EPOCH;
            let first = before("p", None, &declared, run.as_ref(), at);
            let shown = first
                .into_iter()
                .chain(after("p", None, &declared, run.as_ref(), at));
            let shown: Vec<_> = shown.collect();
            assert_eq!(shown.len(), 1);
            let said = (
                shown[0].status.word(),
                shown[0].text.as_str(),
                shown[0].rules[0].status.word(),
            );
            assert_eq!(said, expected, "{gate:?} {result} {state:?}");
        }
    }

    #[test]
    fn a_plain_answer_to_failure_is_shown_too() {
        let retry = stage(json!({"onFailure": {"result": "RETRY"}}));
        let rolls = stage(json!({"onFailure": {"result": "ROLLBACK"}}));
        let retried = run(
            GateKind::OnSuccess,
            ConditionStatus::Succeeded,
            ActionStatus::Succeeded,
        );
        for (declared, run, text) in [
            (&retry, None, "retries the stage once"),
            (&retry, Some(&retried), "was retried by itself"),
            (&rolls, None, "rolls the stage back"),
        ] {
            let shown = after("p", None, declared, run, Timestamp::UNIX_EPOCH);
            assert_eq!(shown[0].text, text);
        }
    }
}
