//! Reading the state: what the faces, the console and a restarted engine ask.

use jiff::Timestamp;

use crate::{
    definition::{ActionDeclaration, ExecutionMode, PipelineDeclaration},
    effect::{ActionTask, ApprovalTask, ArtifactLocation, Effect, JobTask},
    gate::GateKind,
    rule_type,
    state::{
        ActionRun, ActionStatus, ArtifactPlace, ConditionRun, Execution, ExecutionStatus, JobPlace,
        Pipeline, Place, RulePlace, RuleRun, StageRun, StageState, State, Wake,
    },
};

impl State {
    /// The next time at which [`crate::event::Event::TimePassed`] would change anything.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// What was started and has not ended, oldest first: to be performed again after a restart, with the same ids.
    pub fn outstanding(&self) -> Vec<Effect> {
        let mut open: Vec<_> = self
            .running
            .values()
            .filter_map(|place| Some((self.run(place)?.started, place)))
            .filter(|(_, place)| {
                // between two continuations there is nothing to perform
                self.run(place)
                    .is_some_and(|run| !matches!(run.wake, Some(Wake::Continue { .. })))
            })
            .collect();
        open.sort_by_key(|(started, place)| (*started, place.execution, place.action));
        open.into_iter()
            .filter_map(|(_, place)| self.task_at(place))
            .chain(
                self.running_rules
                    .values()
                    .filter(|place| {
                        self.rule(place)
                            .is_some_and(|run| !matches!(run.wake, Some(Wake::Continue { .. })))
                    })
                    .filter_map(|it| self.rule_task(it)),
            )
            .map(|task| Effect::Perform(Box::new(task)))
            .collect()
    }

    /// The task of a running action, as it was given to its provider; for GetJobDetails and PollForJobs too.
    pub fn task(&self, action_execution: &str) -> Option<ActionTask> {
        self.task_at(self.running.get(action_execution)?)
    }

    /// The task that a job, open or recently ended, belongs to.
    pub fn task_of_job(&self, job: &str) -> Option<ActionTask> {
        let place = &self.jobs.get(job)?.place;
        let pipeline = self.pipelines.get(place.pipeline())?;
        self.task_of_ended_job(job, pipeline.executions.get(place.execution())?)
    }

    /// The same for an ended job whose execution is not in memory.
    pub fn task_of_ended_job(&self, job: &str, execution: &Execution) -> Option<ActionTask> {
        let job = self.jobs.get(job)?;
        let mut task = match &job.place {
            JobPlace::Action(place) => self.task_in(execution, place)?,
            JobPlace::Rule(place) => self.rule_task_in(execution, place)?,
        };
        task.job = Some(JobTask::from(job));
        Some(task)
    }

    /// The ARN of a pipeline; stage and action ARNs append `/stage/action`.
    pub fn pipeline_arn(&self, pipeline: &str) -> String {
        format!(
            "arn:aws:codepipeline:{}:{}:{pipeline}",
            self.region(),
            self.account()
        )
    }

    /// The region of pipelines.
    pub fn region(&self) -> &str {
        self.settings.as_ref().map_or("us-east-1", |it| &it.region)
    }

    /// The account number in ARNs.
    pub fn account(&self) -> &str {
        self.settings
            .as_ref()
            .map_or("123456789012", |it| &it.account)
    }

    /// The action run at a place.
    pub fn run(&self, place: &Place) -> Option<&ActionRun> {
        self.pipelines
            .get(&place.pipeline)?
            .executions
            .get(place.execution)?
            .stages
            .get(place.stage)?
            .actions
            .get(place.action)
    }

    /// The rule run at a place.
    pub fn rule(&self, place: &RulePlace) -> Option<&RuleRun> {
        self.pipelines
            .get(&place.pipeline)?
            .executions
            .get(place.execution)?
            .stages
            .get(place.stage)?
            .conditions
            .get(place.condition)?
            .rules
            .get(place.rule)
    }

    /// A rule's task: that of an action of category `Rule` with the rule's name.
    pub(crate) fn rule_task(&self, place: &RulePlace) -> Option<ActionTask> {
        let pipeline = self.pipelines.get(&place.pipeline)?;
        self.rule_task_in(pipeline.executions.get(place.execution)?, place)
    }

    fn rule_task_in(&self, execution: &Execution, place: &RulePlace) -> Option<ActionTask> {
        let pipeline = self.pipelines.get(&place.pipeline)?;
        let definition = pipeline.definition_of(execution)?;
        let stage = execution.stages.get(place.stage)?;
        let condition = stage.conditions.get(place.condition)?;
        let run = condition.rules.get(place.rule)?;
        let declared = definition
            .stages
            .get(definition.stage(&stage.name)?)?
            .condition(condition.gate)?
            .rules
            .get(place.rule)?;
        let region = declared.region.as_deref().unwrap_or(self.region());
        let inputs = run.inputs.iter();
        Some(ActionTask {
            pipeline: place.pipeline.clone(),
            pipeline_arn: self.pipeline_arn(&place.pipeline),
            pipeline_version: execution.pipeline_version,
            execution: execution.id.clone(),
            stage: stage.name.clone(),
            action: run.name.clone(),
            action_execution: run.id.clone(),
            action_type: rule_type::as_action_type(&run.rule_type),
            region: region.to_owned(),
            role_arn: declared.role_arn.clone(),
            namespace: None,
            configuration: run.resolved_configuration.clone(),
            commands: run.resolved_commands.clone(),
            environment: Vec::new(),
            output_variables: Vec::new(),
            inputs: inputs.map(|input| location(input, Vec::new())).collect(),
            outputs: Vec::new(),
            encryption_key: definition
                .store(region)
                .and_then(|store| store.encryption_key.clone()),
            source_revision: None,
            job: run
                .job
                .as_ref()
                .and_then(|id| self.jobs.get(id))
                .map(JobTask::from),
            approval: None,
        })
    }

    /// The whole task of the run at a place.
    pub(crate) fn task_at(&self, place: &Place) -> Option<ActionTask> {
        let pipeline = self.pipelines.get(&place.pipeline)?;
        self.task_in(pipeline.executions.get(place.execution)?, place)
    }

    fn task_in(&self, execution: &Execution, place: &Place) -> Option<ActionTask> {
        let pipeline = self.pipelines.get(&place.pipeline)?;
        let definition = pipeline.definition_of(execution)?;
        let stage = execution.stages.get(place.stage)?;
        let run = stage.actions.get(place.action)?;
        let declared = definition
            .stages
            .get(definition.stage(&stage.name)?)?
            .action(&run.name)?;
        let region = declared.region.as_deref().unwrap_or(self.region());
        Some(ActionTask {
            pipeline: place.pipeline.clone(),
            pipeline_arn: self.pipeline_arn(&place.pipeline),
            pipeline_version: execution.pipeline_version,
            execution: execution.id.clone(),
            stage: stage.name.clone(),
            action: run.name.clone(),
            action_execution: run.id.clone(),
            action_type: run.action_type.clone(),
            region: region.to_owned(),
            role_arn: declared.role_arn.clone(),
            namespace: declared.namespace.clone(),
            configuration: run.resolved_configuration.clone(),
            commands: run.resolved_commands.clone(),
            environment: run.resolved_environment.clone(),
            output_variables: declared.output_variables.clone().unwrap_or_default(),
            inputs: run
                .inputs
                .iter()
                .map(|input| location(input, Vec::new()))
                .collect(),
            outputs: run
                .outputs
                .iter()
                .map(|output| location(output, files(declared, &output.name)))
                .collect(),
            encryption_key: definition
                .store(region)
                .and_then(|store| store.encryption_key.clone()),
            source_revision: execution
                .source_revisions
                .iter()
                .find(|revision| revision.action_name == run.name)
                .filter(|_| run.action_type.category == "Source")
                .cloned(),
            job: run
                .job
                .as_ref()
                .and_then(|id| self.jobs.get(id))
                .map(JobTask::from),
            approval: run.approval_token.as_ref().map(|token| ApprovalTask {
                token: token.clone(),
                expires: run.deadline,
            }),
        })
    }
}

impl Pipeline {
    /// The execution of that id.
    pub fn execution(&self, id: &str) -> Option<&Execution> {
        self.executions.get(*self.execution_index.get(id)?)
    }

    /// The definition an execution runs on.
    pub fn definition_of(
        &self,
        execution: &Execution,
    ) -> Option<&std::sync::Arc<PipelineDeclaration>> {
        self.versions.get(&execution.pipeline_version)
    }

    /// The stage of that name in the newest definition.
    pub fn stage(&self, name: &str) -> Option<&StageState> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// The last run of an action and the execution it belongs to.
    pub fn latest_run(&self, stage: &str, action: &str) -> Option<(&Execution, &ActionRun)> {
        let (execution, stage, action) = *self.stage(stage)?.actions.get(action)?;
        let execution = self.executions.get(execution)?;
        let run = execution.stages.get(stage)?.actions.get(action)?;
        Some((execution, run))
    }

    /// The last execution that entered a stage and its run of that stage.
    pub fn latest_stage_run(&self, stage: &str) -> Option<(&Execution, &StageRun)> {
        let execution = self.execution(self.stage(stage)?.latest.as_deref()?)?;
        Some((execution, execution.stage(stage)?))
    }

    /// Whether its executions ignore each other.
    pub fn is_parallel(&self) -> bool {
        self.definition.mode() == ExecutionMode::Parallel
    }
}

impl Execution {
    /// Its run of a stage, if it entered.
    pub fn stage(&self, name: &str) -> Option<&StageRun> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// Whether it has ended (a retry may still bring it back).
    pub fn has_ended(&self) -> bool {
        !matches!(
            self.status,
            ExecutionStatus::InProgress | ExecutionStatus::Stopping
        )
    }
}

impl StageRun {
    /// Names of the actions whose run that counts failed or was abandoned.
    pub fn failed(&self) -> Vec<String> {
        let mut names = Vec::new();
        for action in self.actions.get(self.first..).unwrap_or_default() {
            let bad = self.latest(&action.name).is_some_and(|latest| {
                matches!(
                    latest.status,
                    ActionStatus::Failed | ActionStatus::Abandoned
                )
            });
            if bad && !names.contains(&action.name) {
                names.push(action.name.clone());
            }
        }
        names
    }

    /// The evaluation of a gate that counts now.
    pub fn condition(&self, gate: GateKind) -> Option<&ConditionRun> {
        let mut newest = self.conditions.iter().rev();
        newest.find(|it| it.gate == gate && !it.void)
    }

    /// The run of an action that counts now.
    pub fn latest(&self, action: &str) -> Option<&ActionRun> {
        self.actions
            .get(self.first..)?
            .iter()
            .rev()
            .find(|run| run.name == action)
    }
}

fn location(place: &ArtifactPlace, files: Vec<String>) -> ArtifactLocation {
    ArtifactLocation {
        name: place.name.clone(),
        bucket: place.bucket.clone(),
        key: place.key.clone(),
        files,
    }
}

fn files(declared: &ActionDeclaration, output: &str) -> Vec<String> {
    declared
        .output_artifacts
        .iter()
        .find(|artifact| artifact.name == output)
        .and_then(|artifact| artifact.files.clone())
        .unwrap_or_default()
}
