//! Stage gates: what each may hold, and what is not built.

use super::{Finding, STAGE};
use crate::{
    definition::{ExecutionMode, PipelineDeclaration, StageDeclaration},
    gate::{Condition, FailureGate, GateResult},
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
            if name != "onFailure" || !conditions.is_empty() {
                // ours: what is not built refuses
                found.push(
                    Finding::new(
                        STAGE,
                        format!("Stage '{}' declares {name}: stage conditions are not built in this engine yet", stage.name),
                        place,
                    )
                    .hint(format!("remove `{name}`; AWS itself accepts it")),
                );
            }
        }
    }
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
