//! DisableStageTransition and EnableStageTransition.

use jiff::{SignedDuration, Timestamp};

use super::{Answer, Turn};
use crate::{
    limit::DISABLED_TRANSITION_DAYS,
    refusal::Refusal,
    state::{ExecutionStatus, Transition},
};

/// What is asked for.
pub(super) struct Change<'a> {
    pub inbound: bool,
    pub enabled: bool,
    pub reason: Option<&'a String>,
    pub by: &'a str,
}

impl Turn<'_> {
    pub(super) fn set_transition(
        &mut self,
        pipeline: &str,
        stage: &str,
        change: &Change<'_>,
    ) -> Result<Answer, Refusal> {
        self.declared_stage(pipeline, stage)?;
        let at = self.at;
        let mut freed = None;
        let mut lapsed = false;
        if let Some(known) = self.state.pipelines.get_mut(pipeline)
            && let Some(index) = known.stages.iter().position(|it| it.name == stage)
        {
            let state = &mut known.stages[index];
            let transition = if change.inbound {
                &mut state.inbound
            } else {
                &mut state.outbound
            };
            lapsed = change.enabled && too_old(transition, at);
            *transition = Transition {
                enabled: change.enabled,
                changed_at: Some(at),
                changed_by: Some(change.by.to_owned()),
                reason: change.reason.filter(|_| !change.enabled).cloned(),
            };
            if change.enabled {
                let gated = if change.inbound { index } else { index + 1 };
                freed = known.stages.get(gated).map(|it| it.name.clone());
            }
        }
        if let Some(stage) = freed {
            if lapsed {
                self.lapse(pipeline, &stage);
            }
            self.admit(pipeline, &stage);
        }
        Ok(Answer::Done)
    }

    /// Ends who waited in front of a stage for too long: Cancelled is chosen, AWS only says that they do not resume.
    fn lapse(&mut self, pipeline: &str, stage: &str) {
        let Some(known) = self.state.pipelines.get_mut(pipeline) else {
            return;
        };
        let Some(state) = known.stages.iter_mut().find(|it| it.name == stage) else {
            return;
        };
        let waiting = std::mem::take(&mut state.waiting);
        let lapsed: Vec<usize> = waiting
            .iter()
            .filter_map(|id| known.execution_index.get(id).copied())
            .collect();
        for execution in lapsed {
            if let Some(run) = self.execution_mut(pipeline, execution) {
                run.status_summary = Some(format!(
                    "The transition into stage '{stage}' was disabled for more than {DISABLED_TRANSITION_DAYS} days."
                ));
            }
            self.end_execution(pipeline, execution, ExecutionStatus::Cancelled);
        }
    }
}

/// Whether a transition has been disabled for so long that nobody goes on when it is enabled.
fn too_old(transition: &Transition, now: Timestamp) -> bool {
    let days = SignedDuration::from_hours(24 * DISABLED_TRANSITION_DAYS);
    !transition.enabled
        && transition
            .changed_at
            .is_some_and(|since| now.duration_since(since) > days)
}
