//! What happens because time passed: continuations, silence, timeouts, approvals that expire.

use std::collections::BTreeMap;

use super::{Answer, Turn, action::later, finish::failed};
use crate::{
    action_type::{self, Host},
    effect::Effect,
    event::ExecutionDetails,
    limit::LAMBDA_SILENCE_MINUTES,
    state::{ActionRun, JobStatus, Place, RulePlace, Wake},
};

impl Turn<'_> {
    pub(super) fn time_passed(&mut self) -> Answer {
        while let Some((at, id)) = self.state.due.first() {
            if *at > self.at {
                break;
            }
            let id = id.clone();
            match self.state.running.get(&id).cloned() {
                Some(place) => self.wake(&place),
                None => match self.state.running_rules.get(&id).cloned() {
                    Some(place) => self.wake_rule(&id, &place),
                    None => {
                        self.state.due.pop_first();
                    }
                },
            }
        }
        Answer::Done
    }

    /// Silence while the engine was down does not count.
    pub(super) fn resumed(&mut self) -> Answer {
        let limit = later(self.at, LAMBDA_SILENCE_MINUTES);
        let places: Vec<Place> = self.state.running.values().cloned().collect();
        for place in places {
            let silent = self
                .state
                .run(&place)
                .is_some_and(|run| matches!(run.wake, Some(Wake::Silence(_))));
            if silent {
                self.unschedule(&place);
                if let Some(run) = self.run_mut(&place) {
                    run.wake = Some(Wake::Silence(limit));
                }
                self.schedule(&place);
            }
        }
        let places: Vec<RulePlace> = self.state.running_rules.values().cloned().collect();
        for place in places {
            self.reschedule_rule(&place, |run| {
                if matches!(run.wake, Some(Wake::Silence(_))) {
                    run.wake = Some(Wake::Silence(limit));
                }
            });
        }
        Answer::Done
    }

    fn wake(&mut self, place: &Place) {
        let Some(run) = self.state.run(place) else {
            return;
        };
        let next = match &run.wake {
            Some(Wake::Continue { at, token }) if *at <= self.at && run.deadline > self.at => {
                Some(token.clone())
            }
            _ => None,
        };
        if let Some(token) = next {
            self.unschedule(place);
            self.open_job(place, Some(token));
            self.schedule(place);
            self.perform(place);
            return;
        }
        let (code, message) = reason(run, run.deadline > self.at);
        let id = run.id.clone();
        if let Some(job) = run.job.clone() {
            self.close_job(&job, JobStatus::TimedOut);
            if let Some(run) = self.run_mut(place) {
                run.job = None;
            }
        }
        self.effects.push(Effect::Cancel {
            action_execution: id,
        });
        self.end_action(place, failed(code, message, &ExecutionDetails::default()));
    }
}

/// What AWS says of a function that did not report.
pub(super) fn silent(configuration: &BTreeMap<String, String>) -> String {
    let function = configuration.get("FunctionName").map_or("", String::as_str);
    format!(
        "The AWS Lambda function {function} failed to return a result within {LAMBDA_SILENCE_MINUTES} minutes. Check the function to verify that it has permission to call the PutJobSuccessResult action and that it made a call to PutJobSuccessResult."
    )
}

/// `errorDetails` of an action that ran out of time. The codes are unconfirmed.
fn reason(run: &ActionRun, quiet: bool) -> (&'static str, String) {
    match action_type::host(&run.action_type) {
        Host::Lambda if quiet => ("JobFailed", self::silent(&run.resolved_configuration)),
        Host::Person => (
            "ApprovalTimedOut",
            "The approval request expired without an answer.".to_owned(),
        ),
        Host::Lambda | Host::Provider | Host::Worker => (
            "JobTimedOut",
            format!(
                "The action did not end within its timeout of {} minutes.",
                run.deadline.duration_since(run.started).as_mins()
            ),
        ),
    }
}
