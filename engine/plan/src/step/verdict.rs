//! What comes next in the stage an execution is in: gates, runOrder groups, the end.

use super::Turn;
use crate::{
    definition::{ExecutionMode, StageDeclaration},
    event::RetryMode,
    gate::{GateKind, GateResult},
    limit::{AUTOMATIC_RETRIES, CONCURRENT_ACTIONS},
    state::{ActionStatus, ConditionStatus, ExecutionStatus, Position, StageRun, StageStatus},
};

/// What comes next in a stage.
pub(super) enum Verdict {
    /// Something is in progress.
    Wait,
    /// These actions start, by position in the definition.
    Start(Vec<usize>),
    /// The condition of this gate is evaluated.
    Check(GateKind),
    /// The stage ends, and unless it succeeded the execution too.
    End(StageStatus),
}

/// What follows the failure of a stage.
pub(super) enum After {
    Nothing,
    Retry(RetryMode),
    Rollback,
}

impl Turn<'_> {
    pub(super) fn verdict(&self, pipeline: &str, execution: usize) -> Option<Verdict> {
        let known = self.state.pipelines.get(pipeline)?;
        let run = known.executions.get(execution)?;
        let Position::In(stage) = run.position else {
            return None;
        };
        let stage_run = run.stages.last()?;
        let definition = known.definition_of(run)?;
        let stage = definition.stages.get(stage)?;
        let busy = stage_run
            .actions
            .get(stage_run.first..)?
            .iter()
            .filter(|action| action.status == ActionStatus::InProgress)
            .count();
        let evaluating = GateKind::ALL.iter().any(|gate| {
            let status = stage_run.condition(*gate).map(|it| it.status);
            status == Some(ConditionStatus::InProgress)
        });
        if evaluating {
            return Some(Verdict::Wait);
        }
        let ends = if run.status == ExecutionStatus::Stopping {
            Some(StageStatus::Stopped)
        } else {
            run.outdated.then_some(StageStatus::Cancelled)
        };
        if let Some(status) = ends {
            return Some(ended(busy, status));
        }
        if let Some(verdict) = before_entry(stage, stage_run) {
            return Some(verdict);
        }
        let actions = &stage.actions;
        let mut order = None;
        let mut next = Vec::new();
        for (at, declared) in actions.iter().enumerate() {
            let status = match stage_run.latest(&declared.name) {
                Some(_) if stage_run.again.contains(&declared.name) => None,
                run => run.map(|it| it.status),
            };
            match status {
                Some(ActionStatus::Failed | ActionStatus::Abandoned) => {
                    return Some(on_failure(stage, stage_run, busy));
                }
                Some(ActionStatus::Succeeded) => {}
                Some(ActionStatus::InProgress) | None => {
                    let lowest = order.unwrap_or(u32::MAX).min(declared.run_order);
                    order = Some(lowest);
                    if status.is_none() {
                        next.push(at);
                    }
                }
            }
        }
        let Some(order) = order else {
            return Some(on_success(stage, stage_run));
        };
        next.retain(|at| actions[*at].run_order == order);
        if definition.mode() == ExecutionMode::Parallel {
            next.truncate(CONCURRENT_ACTIONS.saturating_sub(busy));
        }
        Some(if next.is_empty() {
            Verdict::Wait
        } else {
            Verdict::Start(next)
        })
    }
}

pub(super) fn after_failure(declared: &StageDeclaration, run: &StageRun) -> After {
    if run.status != StageStatus::Failed {
        return After::Nothing;
    }
    if !run.failed().is_empty() {
        // unconfirmed: of a failure condition the result applies when its criteria are met
        let met = run
            .condition(GateKind::OnFailure)
            .is_some_and(|it| it.status == ConditionStatus::Succeeded);
        return match declared.automatic_retry() {
            Some(mode) if run.automatic_retries < AUTOMATIC_RETRIES => After::Retry(mode),
            _ if declared.rolls_back() || met => After::Rollback,
            _ => After::Nothing,
        };
    }
    let success = declared.condition(GateKind::OnSuccess);
    let evaluated = run.condition(GateKind::OnSuccess).is_some();
    match success.and_then(|it| it.result) {
        Some(GateResult::Rollback) if evaluated => After::Rollback,
        _ => After::Nothing,
    }
}

/// What the condition before entry says, unless it lets the stage run.
fn before_entry(declared: &StageDeclaration, run: &StageRun) -> Option<Verdict> {
    let condition = declared.condition(GateKind::BeforeEntry)?;
    match run.condition(GateKind::BeforeEntry).map(|it| it.status) {
        None => Some(Verdict::Check(GateKind::BeforeEntry)),
        Some(ConditionStatus::Succeeded | ConditionStatus::Overridden) => None,
        Some(_) if condition.result == Some(GateResult::Skip) => {
            Some(Verdict::End(StageStatus::Skipped))
        }
        Some(_) => Some(Verdict::End(StageStatus::Failed)),
    }
}

/// All actions have succeeded.
fn on_success(declared: &StageDeclaration, run: &StageRun) -> Verdict {
    if declared.condition(GateKind::OnSuccess).is_none() {
        return Verdict::End(StageStatus::Succeeded);
    }
    match run.condition(GateKind::OnSuccess).map(|it| it.status) {
        None => Verdict::Check(GateKind::OnSuccess),
        Some(ConditionStatus::Succeeded | ConditionStatus::Overridden) => {
            Verdict::End(StageStatus::Succeeded)
        }
        Some(_) => Verdict::End(StageStatus::Failed),
    }
}

/// An action has failed; what else runs comes to its end first.
fn on_failure(declared: &StageDeclaration, run: &StageRun, busy: usize) -> Verdict {
    let asks = declared.condition(GateKind::OnFailure).is_some();
    if busy == 0 && asks && run.condition(GateKind::OnFailure).is_none() {
        return Verdict::Check(GateKind::OnFailure);
    }
    ended(busy, StageStatus::Failed)
}

/// The end of a stage in which this many actions are in progress.
fn ended(busy: usize, status: StageStatus) -> Verdict {
    if busy > 0 {
        Verdict::Wait
    } else {
        Verdict::End(status)
    }
}
