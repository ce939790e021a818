//! Stage conditions: evaluating rules, and their ends (`codepipeline.md` 3.6).

use super::{
    Turn,
    action::{later, too_long},
    rule_job::{TIMED_OUT, due},
};
use crate::{
    effect::Effect,
    event::{ExecutionDetails, Outcome},
    gate::{GateKind, Rule},
    rule_type::{MET_BY_FAILURE, Operator, VARIABLE_CHECK},
    state::{
        ActionError, ActionStatus, ArtifactPlace, ConditionRun, ConditionStatus, Execution,
        JobStatus, RulePlace, RuleRun, StageRun,
    },
    timeout,
    variable::Scope,
};

/// `errorDetails.code` of a rule that could not be evaluated: its condition ends Errored.
const UNFIT: &str = "ConfigurationError";
/// `errorDetails.code` of a rule that says no (unconfirmed).
const NO: &str = "RuleFailed";

/// What a rule of a failure condition says that would have succeeded elsewhere; the words are ours.
const NOT_MET: &str = "the criteria of the rule are not met: nothing is wrong";

impl Turn<'_> {
    /// Evaluates the condition of a gate; whether it is decided already.
    pub(super) fn start_condition(
        &mut self,
        pipeline: &str,
        execution: usize,
        gate: GateKind,
    ) -> bool {
        let Some(definition) = self.definition(pipeline, execution) else {
            return false;
        };
        let Some(run) = self.execution(pipeline, execution) else {
            return false;
        };
        let Some((stage, stage_run)) = run.stages.iter().enumerate().next_back() else {
            return false;
        };
        let condition = stage_run.conditions.len();
        let declared = definition
            .stage(&stage_run.name)
            .and_then(|at| definition.stages[at].condition(gate));
        let rules: Vec<RuleRun> = declared
            .map(|it| it.rules.as_slice())
            .unwrap_or_default()
            .iter()
            .map(|rule| self.rule_run(run, rule))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|run| RuleRun {
                id: self.ids.uuid(),
                ..run
            })
            .collect();
        let open: Vec<(String, RulePlace)> = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.status == ActionStatus::InProgress)
            .map(|(at, rule)| {
                let place = RulePlace {
                    pipeline: pipeline.to_owned(),
                    execution,
                    stage,
                    condition,
                    rule: at,
                };
                (rule.id.clone(), place)
            })
            .collect();
        let at = self.at;
        if let Some(run) = self.execution_mut(pipeline, execution) {
            run.updated = at;
            run.stages[stage].conditions.push(ConditionRun {
                gate,
                status: ConditionStatus::InProgress,
                updated: at,
                void: false,
                rules,
            });
        }
        for (id, place) in open {
            self.state.running_rules.insert(id, place.clone());
            if self.state.rule(&place).is_some_and(RuleRun::works_by_jobs) {
                self.open_rule_job(&place, None);
            } else {
                self.reschedule_rule(&place, |_| {});
            }
            if let Some(task) = self.state.rule_task(&place) {
                self.effects.push(Effect::Perform(Box::new(task)));
            }
        }
        self.conclude_condition(pipeline, execution, stage, condition)
    }

    /// A rule just started; the ones that the planner decides have ended.
    fn rule_run(&self, run: &Execution, rule: &Rule) -> RuleRun {
        let mut started = RuleRun {
            id: String::new(),
            name: rule.name.clone(),
            rule_type: rule.rule_type_id.clone(),
            status: ActionStatus::InProgress,
            started: self.at,
            updated: self.at,
            resolved_configuration: std::collections::BTreeMap::new(),
            resolved_commands: Vec::new(),
            inputs: Vec::new(),
            details: ExecutionDetails::default(),
            error: None,
            deadline: later(self.at, i64::from(timeout::of_rule(rule))),
            job: None,
            wake: None,
        };
        if let Err(message) = resolve(run, rule, &mut started) {
            end(&mut started, Err((UNFIT, message)));
        } else if rule.rule_type_id.provider == VARIABLE_CHECK {
            let verdict = compare(&started);
            end(&mut started, verdict);
        }
        started
    }

    /// A provider's report on a rule.
    pub(super) fn rule_finished(&mut self, id: &str, outcome: &Outcome) {
        let (details, verdict) = match outcome {
            Outcome::Succeeded { details, .. } => (details.clone(), Ok(())),
            Outcome::Failed {
                code,
                message,
                details,
            } => (details.clone(), Err((code.as_str(), message.clone()))),
            Outcome::Stopped => (
                ExecutionDetails::default(),
                Err((NO, "the rule was stopped by its provider".to_owned())),
            ),
        };
        self.end_rule(id, &details, verdict);
    }

    /// A provider's word on how far a rule is.
    pub(super) fn rule_progress(&mut self, id: &str, details: &ExecutionDetails) {
        let at = self.at;
        let Some(place) = self.state.running_rules.get(id).cloned() else {
            return;
        };
        if let Some(condition) = self.condition_mut(&place) {
            let rule = &mut condition.rules[place.rule];
            super::finish::merge(&mut rule.details, details);
            rule.updated = at;
        }
    }

    pub(super) fn end_rule(
        &mut self,
        id: &str,
        details: &ExecutionDetails,
        verdict: Result<(), (&str, String)>,
    ) {
        let Some(place) = self.state.running_rules.remove(id) else {
            return;
        };
        let at = self.at;
        if let Some(rule) = self.state.rule(&place) {
            self.state.due.remove(&due(rule));
        }
        let mut job = None;
        if let Some(condition) = self.condition_mut(&place) {
            let rule = &mut condition.rules[place.rule];
            super::finish::merge(&mut rule.details, details);
            rule.updated = at;
            rule.wake = None;
            let status = match verdict {
                Ok(()) => JobStatus::Succeeded,
                Err(_) => JobStatus::Failed,
            };
            job = rule.job.take().map(|job| (job, status));
            let inverted = condition.gate == GateKind::OnFailure
                && MET_BY_FAILURE.contains(&rule.rule_type.provider.as_str());
            match verdict {
                Err((code, message)) if inverted && ![UNFIT, TIMED_OUT].contains(&code) => {
                    rule.details.summary = Some(message);
                    end(rule, Ok(()));
                }
                Ok(()) if inverted => end(rule, Err((NO, NOT_MET.to_owned()))),
                verdict => end(rule, verdict),
            }
        }
        if let Some((job, status)) = job {
            self.close_job(&job, status);
        }
        if self.conclude_condition(
            &place.pipeline,
            place.execution,
            place.stage,
            place.condition,
        ) {
            self.settle(&place.pipeline, place.execution);
        }
    }

    /// Ends a condition none of whose rules runs any more; whether it did.
    fn conclude_condition(
        &mut self,
        pipeline: &str,
        execution: usize,
        stage: usize,
        condition: usize,
    ) -> bool {
        let at = self.at;
        let Some(run) = self.execution_mut(pipeline, execution) else {
            return false;
        };
        let condition = &mut run.stages[stage].conditions[condition];
        let is = |status: ActionStatus| move |rule: &RuleRun| rule.status == status;
        if condition.status != ConditionStatus::InProgress
            || condition.rules.iter().any(is(ActionStatus::InProgress))
        {
            return false;
        }
        let unfit = |rule: &RuleRun| rule.error.as_ref().is_some_and(|it| it.code == UNFIT);
        condition.status = if condition.rules.iter().all(is(ActionStatus::Succeeded)) {
            ConditionStatus::Succeeded
        } else if condition.rules.iter().any(unfit) {
            ConditionStatus::Errored
        } else {
            ConditionStatus::Failed
        };
        condition.updated = at;
        true
    }

    /// Gives up the rules of an execution that run, as `status`.
    pub(super) fn abandon_condition(
        &mut self,
        pipeline: &str,
        execution: usize,
        status: ConditionStatus,
    ) {
        let at = self.at;
        let Some(run) = self.execution_mut(pipeline, execution) else {
            return;
        };
        let conditions = run.stages.last_mut().map(|it| &mut it.conditions);
        let open = conditions.and_then(|it| {
            it.iter_mut()
                .find(|it| it.status == ConditionStatus::InProgress)
        });
        let Some(condition) = open else {
            return;
        };
        condition.status = status;
        condition.updated = at;
        let mut ended = Vec::new();
        for rule in &mut condition.rules {
            if rule.status == ActionStatus::InProgress {
                let entry = due(rule);
                rule.status = ActionStatus::Abandoned;
                rule.updated = at;
                rule.wake = None;
                ended.push((entry, rule.job.take()));
            }
        }
        for (entry, job) in ended {
            if let Some(job) = job {
                self.close_job(&job, JobStatus::Failed);
            }
            self.state.running_rules.remove(&entry.1);
            self.effects.push(Effect::Cancel {
                action_execution: entry.1.clone(),
            });
            self.state.due.remove(&entry);
        }
    }

    pub(super) fn condition_mut(&mut self, place: &RulePlace) -> Option<&mut ConditionRun> {
        self.execution_mut(&place.pipeline, place.execution)?
            .stages
            .get_mut(place.stage)?
            .conditions
            .get_mut(place.condition)
    }
}

/// Which condition failed a stage, and why; the words are ours.
pub(super) fn failure(stage: &StageRun) -> Option<String> {
    let passed = [ConditionStatus::Succeeded, ConditionStatus::Overridden];
    let condition = stage.conditions.iter().rev().find(|it| !it.void)?;
    let whys: Vec<String> = condition
        .rules
        .iter()
        .filter_map(|rule| Some(format!("{}: {}", rule.name, rule.error.as_ref()?.message)))
        .collect();
    (!passed.contains(&condition.status)).then(|| {
        format!(
            "Stage '{}': the {} condition failed: {}",
            stage.name,
            condition.gate.member(),
            whys.join("; ")
        )
    })
}

/// Resolved configuration, commands and inputs.
fn resolve(run: &Execution, rule: &Rule, started: &mut RuleRun) -> Result<(), String> {
    let scope = Scope {
        execution: &run.id,
        variables: &run.variables,
        namespaces: &run.namespaces,
    };
    let resolved = |text: &String| scope.resolve(text).map_err(|it| it.to_string());
    for (key, value) in &rule.configuration {
        started
            .resolved_configuration
            .insert(key.clone(), resolved(value)?);
    }
    for command in rule.commands.iter().flatten() {
        started.resolved_commands.push(resolved(command)?);
    }
    if let Some(message) = too_long(&started.resolved_configuration) {
        return Err(message);
    }
    for input in &rule.input_artifacts {
        let artifact = run
            .artifacts
            .get(&input.name)
            .ok_or_else(|| format!("the input artifact '{}' was not produced", input.name))?;
        started.inputs.push(ArtifactPlace {
            name: input.name.clone(),
            bucket: artifact.bucket.clone(),
            key: artifact.key.clone(),
        });
    }
    Ok(())
}

/// VariableCheck.
fn compare(rule: &RuleRun) -> Result<(), (&'static str, String)> {
    let text = |key: &str| {
        rule.resolved_configuration
            .get(key)
            .map_or("", String::as_str)
    };
    let (variable, value, word) = (text("Variable"), text("Value"), text("Operator"));
    let operator =
        Operator::of(word).ok_or_else(|| (UNFIT, format!("'{word}' is not an operator")))?;
    match operator.holds(variable, value) {
        Ok(true) => Ok(()),
        Ok(false) => Err((NO, format!("'{variable}' {word} '{value}' does not hold"))),
        Err(why) => Err((UNFIT, why)),
    }
}

fn end(rule: &mut RuleRun, verdict: Result<(), (&str, String)>) {
    match verdict {
        Ok(()) => rule.status = ActionStatus::Succeeded,
        Err((code, message)) => {
            rule.status = ActionStatus::Failed;
            rule.error = Some(ActionError {
                code: code.to_owned(),
                message,
            });
        }
    }
}
