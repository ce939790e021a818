//! Stage gates: what each may hold.

use std::collections::BTreeSet;

use super::{Finding, STAGE};
use crate::{
    definition::{ExecutionMode, PipelineDeclaration, StageDeclaration},
    gate::{Condition, FailureGate, GateResult, Rule},
    rule_type::{self, Operator},
};

/// The gates a stage declares, with their member names and conditions.
pub(super) fn gates(
    stage: &StageDeclaration,
) -> impl Iterator<Item = (&'static str, &[Condition])> {
    let failure = stage.on_failure.as_ref();
    [
        (
            "beforeEntry",
            stage
                .before_entry
                .as_ref()
                .map(|it| it.conditions.as_slice()),
        ),
        (
            "onSuccess",
            stage.on_success.as_ref().map(|it| it.conditions.as_slice()),
        ),
        (
            "onFailure",
            failure.map(|it| it.conditions.as_deref().unwrap_or_default()),
        ),
    ]
    .into_iter()
    .filter_map(|(name, conditions)| Some((name, conditions?)))
}

pub(super) fn check(definition: &PipelineDeclaration, found: &mut Vec<Finding>) {
    for (at, stage) in definition.stages.iter().enumerate() {
        if let Some(gate) = &stage.on_failure {
            failure(definition, stage, at, gate, found);
        }
        for (name, conditions) in gates(stage) {
            let place = format!("stages[{at}].{name}");
            if name != "onFailure" && rolls_back(None, conditions) {
                parallel(definition, &place, found);
            }
            for (number, condition) in conditions.iter().enumerate() {
                let place = format!("{place}.conditions[{number}]");
                check_condition(stage, name, condition, &place, found);
            }
        }
    }
}

/// Texts here are unconfirmed.
fn check_condition(
    stage: &StageDeclaration,
    gate: &str,
    condition: &Condition,
    place: &str,
    found: &mut Vec<Finding>,
) {
    let allowed: &[GateResult] = match gate {
        "beforeEntry" => &[GateResult::Fail, GateResult::Skip],
        "onSuccess" => &[GateResult::Fail, GateResult::Rollback],
        _ => &[GateResult::Rollback],
    };
    let mut wrong = |message: String, place: String| {
        found.push(Finding::new(STAGE, message, place));
    };
    let named = format!("The {gate} condition of stage '{}'", stage.name);
    if !condition.result.is_some_and(|it| allowed.contains(&it)) {
        let words: Vec<_> = allowed.iter().map(|it| it.word()).collect();
        let declared = condition.result.map_or("none", GateResult::word);
        wrong(
            format!(
                "{named} must have one of the results {}, not {declared}",
                words.join(", ")
            ),
            format!("{place}.result"),
        );
    }
    if condition.rules.is_empty() {
        wrong(
            format!("{named} must have at least 1 rule"),
            format!("{place}.rules"),
        );
    }
    let mut names = BTreeSet::new();
    for (number, rule) in condition.rules.iter().enumerate() {
        let place = format!("{place}.rules[{number}]");
        if !names.insert(&rule.name) {
            wrong(
                format!("{named} uses the rule name '{}' more than once", rule.name),
                format!("{place}.name"),
            );
        }
        for (message, member) in rule_problems(rule, condition.result) {
            wrong(
                format!("Rule '{}' in stage '{}' {message}", rule.name, stage.name),
                format!("{place}.{member}"),
            );
        }
    }
}

/// What is wrong with a rule, and with which member.
fn rule_problems(rule: &Rule, result: Option<GateResult>) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let Some(known) = rule_type::find(&rule.rule_type_id) else {
        let id = &rule.rule_type_id;
        let version = id.version.as_deref().unwrap_or("1");
        let message = format!(
            "has the unknown type (Provider: '{}', Version: '{version}')",
            id.provider
        );
        return vec![(message, "ruleTypeId".to_owned())];
    };
    if result == Some(GateResult::Skip) && !known.skips {
        let message = format!(
            "cannot be of type {} in a condition with the result SKIP",
            known.provider
        );
        wrong.push((message, "ruleTypeId.provider".to_owned()));
    }
    for key in known.required {
        if !rule.configuration.contains_key(*key) {
            wrong.push((
                format!("is missing required configuration '{key}'"),
                format!("configuration.{key}"),
            ));
        }
    }
    for key in rule.configuration.keys() {
        if !known
            .required
            .iter()
            .chain(known.optional)
            .any(|it| it == key)
        {
            wrong.push((
                format!("contains unknown configuration '{key}'"),
                format!("configuration.{key}"),
            ));
        }
    }
    let has_commands = rule.commands.as_ref().is_some_and(|it| !it.is_empty());
    if has_commands != (known.provider == rule_type::COMMANDS) {
        let message = if has_commands {
            "cannot have commands"
        } else {
            "must have a non-empty commands field"
        };
        wrong.push((message.to_owned(), "commands".to_owned()));
    }
    if rule.input_artifacts.len() > known.inputs {
        let message = format!(
            "declares {} input artifacts which is more than the maximum count ({})",
            rule.input_artifacts.len(),
            known.inputs
        );
        wrong.push((message, "inputArtifacts".to_owned()));
    }
    let operator = rule.configuration.get("Operator");
    if let Some(word) = operator
        .filter(|it| known.provider == rule_type::VARIABLE_CHECK && Operator::of(it).is_none())
    {
        wrong.push((
            format!("has the operator '{word}', which is not one of EQ, NE, CONTAINS, MATCHES"),
            "configuration.Operator".to_owned(),
        ));
    }
    wrong
}

fn failure(
    definition: &PipelineDeclaration,
    stage: &StageDeclaration,
    at: usize,
    gate: &FailureGate,
    found: &mut Vec<Finding>,
) {
    let place = format!("stages[{at}].onFailure");
    if gate.result.is_some() && gate.conditions.is_some() {
        // the missing quote is AWS's
        found.push(Finding::new(
            STAGE,
            format!("The following stage cannot have a failure exit gate configured with both top level result and conditions: '{}", stage.name),
            place.clone(),
        ));
    }
    if rolls_back(gate.result, gate.conditions.as_deref().unwrap_or_default()) {
        parallel(definition, &place, found);
        if at == 0 {
            // unconfirmed text: the source stage cannot be rolled back
            found.push(Finding::new(
                STAGE,
                format!(
                    "Stage '{}' contains source actions and cannot be rolled back",
                    stage.name
                ),
                place.clone(),
            ));
        }
    }
    // unconfirmed: the guide names RETRY and ROLLBACK only
    if let Some(other @ (GateResult::Fail | GateResult::Skip)) = gate.result {
        found.push(Finding::new(
            STAGE,
            format!("Stage '{}' declares onFailure with the result {}, which is not one of RETRY, ROLLBACK", stage.name, other.word()),
            format!("{place}.result"),
        ));
    }
    if gate.retry_configuration.is_some() && gate.result != Some(GateResult::Retry) {
        found.push(Finding::new(
            STAGE,
            format!(
                "Stage '{}' declares a retryConfiguration without the result RETRY",
                stage.name
            ),
            format!("{place}.retryConfiguration"),
        ));
    }
}

fn parallel(definition: &PipelineDeclaration, place: &str, found: &mut Vec<Finding>) {
    if definition.mode() == ExecutionMode::Parallel {
        found.push(Finding::new(
            STAGE,
            "Failure conditions with rollback result type cannot be added to a PARALLEL pipeline.",
            place,
        ));
    }
}

fn rolls_back(result: Option<GateResult>, conditions: &[Condition]) -> bool {
    let rollback = Some(GateResult::Rollback);
    result == rollback || conditions.iter().any(|it| it.result == rollback)
}
