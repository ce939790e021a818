//! DisableStageTransition and EnableStageTransition.

use super::{Answer, Turn};
use crate::{refusal::Refusal, state::Transition};

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
        if let Some(known) = self.state.pipelines.get_mut(pipeline)
            && let Some(index) = known.stages.iter().position(|it| it.name == stage)
        {
            let state = &mut known.stages[index];
            let transition = if change.inbound {
                &mut state.inbound
            } else {
                &mut state.outbound
            };
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
            self.admit(pipeline, &stage);
        }
        Ok(Answer::Done)
    }
}
