//! PutApprovalResult.

use super::{
    Answer, Turn,
    finish::{End, failed},
};
use crate::{
    event::ExecutionDetails,
    hidden::Hidden,
    refusal::Refusal,
    state::{ActionStatus, Pipeline},
};

/// The action the caller names.
pub(super) struct Asked<'a> {
    pub pipeline: &'a str,
    pub stage: &'a str,
    pub action: &'a str,
}

impl Turn<'_> {
    pub(super) fn approve(
        &mut self,
        asked: &Asked<'_>,
        token: &Hidden,
        approved: bool,
        summary: &str,
        by: &str,
    ) -> Result<Answer, Refusal> {
        let known = self.pipeline(asked.pipeline)?;
        let stage = self.declared_stage(asked.pipeline, asked.stage)?;
        if stage.action(asked.action).is_none() {
            return Err(Refusal::new(
                "ActionNotFoundException",
                format!(
                    "Action '{}' in stage '{}' could not be found in pipeline '{}'",
                    asked.action, asked.stage, asked.pipeline
                ),
            ));
        }
        let place = self
            .state
            .approvals
            .get(token)
            .and_then(|id| self.state.running.get(id))
            .filter(|place| {
                place.pipeline == asked.pipeline
                    && self
                        .state
                        .run(place)
                        .is_some_and(|run| run.name == asked.action && run.deadline > self.at)
                    && known.executions[place.execution].stages[place.stage].name == asked.stage
            })
            .cloned();
        let Some(place) = place else {
            return Err(refused(known, asked, token));
        };
        if let Some(run) = self.run_mut(&place) {
            run.updated_by = Some(by.to_owned());
        }
        let details = ExecutionDetails {
            summary: Some(summary.to_owned()),
            ..ExecutionDetails::default()
        };
        let end = if approved {
            End::Succeeded {
                details,
                variables: std::collections::BTreeMap::new(),
                revision: None,
            }
        } else {
            failed(
                "ApprovalRejected",
                format!("The approval request was rejected by {by}."),
                &details,
            )
        };
        self.end_action(&place, end);
        Ok(Answer::ApprovedAt(self.at))
    }
}

/// Decided is told from unknown only for the newest request of the action.
fn refused(known: &Pipeline, asked: &Asked<'_>, token: &Hidden) -> Refusal {
    let decided = known
        .latest_run(asked.stage, asked.action)
        .is_some_and(|(_, run)| {
            run.approval_token.as_ref() == Some(token)
                && run.updated_by.is_some()
                && run.status != ActionStatus::InProgress
        });
    if decided {
        Refusal::new(
            "ApprovalAlreadyCompletedException",
            format!(
                "The approval request for action '{}' in stage '{}' of pipeline '{}' has already been answered",
                asked.action, asked.stage, asked.pipeline
            ),
        )
    } else {
        Refusal::new(
            "InvalidApprovalTokenException",
            format!(
                "The approval token for action '{}' in stage '{}' of pipeline '{}' is not valid or has expired",
                asked.action, asked.stage, asked.pipeline
            ),
        )
    }
}
