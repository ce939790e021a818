//! Jobs of rules (LambdaInvoke), and rules that run out of time.

use jiff::Timestamp;

use super::{Turn, action::later, finish::merge, timer::silent};
use crate::{
    effect::Effect,
    event::ExecutionDetails,
    limit::LAMBDA_SILENCE_MINUTES,
    rule_type::{self, LAMBDA_INVOKE},
    state::{Job, JobPlace, JobStatus, RulePlace, RuleRun, Wake},
};

/// `errorDetails.code` of a rule that ran out of time (unconfirmed).
pub(super) const TIMED_OUT: &str = "RuleTimedOut";

impl Turn<'_> {
    /// A rule's function gets its next job, was silent for too long, or the rule ran out of time.
    pub(super) fn wake_rule(&mut self, id: &str, place: &RulePlace) {
        let Some(run) = self.state.rule(place) else {
            self.state.due.pop_first();
            return;
        };
        let in_time = run.deadline > self.at;
        match &run.wake {
            Some(Wake::Continue { token, .. }) if in_time => {
                let token = token.clone();
                self.open_rule_job(place, Some(token));
                if let Some(task) = self.state.rule_task(place) {
                    self.effects.push(Effect::Perform(Box::new(task)));
                }
            }
            Some(Wake::Silence(_)) if in_time => {
                let message = silent(&run.resolved_configuration);
                self.rule_timed_out(id, ("JobFailed", message));
            }
            _ => self.rule_timed_out(id, (TIMED_OUT, timed_out(run))),
        }
    }

    /// A rule ran out of time: the condition cannot succeed.
    fn rule_timed_out(&mut self, id: &str, why: (&str, String)) {
        let place = self.state.running_rules.get(id).cloned();
        let condition = place.as_ref().and_then(|place| self.condition_mut(place));
        let job = condition
            .zip(place.as_ref())
            .and_then(|(condition, place)| condition.rules.get_mut(place.rule)?.job.take());
        if let Some(job) = job {
            self.close_job(&job, JobStatus::TimedOut);
        }
        self.effects.push(Effect::Cancel {
            action_execution: id.to_owned(),
        });
        self.end_rule(id, &ExecutionDetails::default(), Err(why));
    }

    /// The function of a rule reported.
    pub(super) fn rule_job_ended(
        &mut self,
        place: &RulePlace,
        details: &ExecutionDetails,
        verdict: Result<(), (&str, String)>,
    ) {
        if let Some(id) = self.state.rule(place).map(|rule| rule.id.clone()) {
            self.end_rule(&id, details, verdict);
        }
    }

    /// A new job for a rule's function, with the token of the one before. Its silence limit starts again.
    pub(super) fn open_rule_job(&mut self, place: &RulePlace, token: Option<String>) {
        let (id, nonce) = (self.ids.uuid(), self.ids.letters(24));
        let at = self.at;
        let Some(run) = self.state.rule(place) else {
            return;
        };
        let job = Job {
            id: id.clone(),
            nonce,
            place: JobPlace::Rule(place.clone()),
            action_execution: run.id.clone(),
            action_type: rule_type::as_action_type(&run.rule_type),
            status: JobStatus::InProgress,
            continuation_token: token,
            created: at,
            dispatched: None,
        };
        self.state.jobs.insert(id.clone(), job);
        self.reschedule_rule(place, |run| {
            run.job = Some(id);
            run.wake = Some(Wake::Silence(later(at, LAMBDA_SILENCE_MINUTES)));
        });
    }

    /// Changes a running rule and notes when it wants to be woken from now on.
    pub(super) fn reschedule_rule(&mut self, place: &RulePlace, change: impl FnOnce(&mut RuleRun)) {
        let before = self.state.rule(place).map(due);
        let Some(condition) = self.condition_mut(place) else {
            return;
        };
        let rule = &mut condition.rules[place.rule];
        change(rule);
        let after = due(rule);
        if let Some(before) = before {
            self.state.due.remove(&before);
        }
        self.state.due.insert(after);
    }

    /// Closes a rule's job; the next one is sent after the engine's pause.
    pub(super) fn continue_rule_job(
        &mut self,
        id: &str,
        place: &RulePlace,
        token: &str,
        details: &ExecutionDetails,
    ) {
        self.close_job(id, JobStatus::Succeeded);
        let (at, wake) = (self.at, self.next_job(token));
        self.reschedule_rule(place, |run| {
            merge(&mut run.details, details);
            run.updated = at;
            run.job = None;
            run.wake = Some(wake);
        });
    }
}

impl RuleRun {
    /// Whether its provider is a function that reports on a job.
    pub(super) fn works_by_jobs(&self) -> bool {
        self.rule_type.provider == LAMBDA_INVOKE
    }
}

/// The entry of [`crate::state::State::due`] for a running rule.
pub(super) fn due(run: &RuleRun) -> (Timestamp, String) {
    let at = match &run.wake {
        Some(Wake::Silence(at) | Wake::Continue { at, .. }) => run.deadline.min(*at),
        None => run.deadline,
    };
    (at, run.id.clone())
}

fn timed_out(run: &RuleRun) -> String {
    format!(
        "The rule did not end within its timeout of {} minutes.",
        run.deadline.duration_since(run.started).as_mins()
    )
}
