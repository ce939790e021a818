//! Pipelines: create, update, delete, tag; and finding them for requests.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{Answer, Turn, start::Wanted};
use crate::{
    action_type,
    check::{Surroundings, check, pipeline_type},
    definition::{PipelineDeclaration, StageDeclaration},
    effect::Effect,
    event::Trigger,
    executions::Executions,
    limit,
    refusal::Refusal,
    state::{Pipeline, StageState, Transition},
};

/// What replies show instead of a secret; sent back, it keeps the stored value.
const MASK: &str = "****";

impl Turn<'_> {
    pub(super) fn create_pipeline(
        &mut self,
        definition: &PipelineDeclaration,
        tags: &BTreeMap<String, String>,
        start: bool,
    ) -> Result<Answer, Refusal> {
        self.checked(definition)?;
        let name = &definition.name;
        if self.state.pipelines.contains_key(name) {
            return Err(Refusal::new(
                "PipelineNameInUseException",
                format!(
                    "A pipeline with the name '{name}' already exists in account '{}'",
                    self.state.account()
                ),
            ));
        }
        if self.state.pipelines.len() >= limit::PIPELINES {
            return Err(Refusal::new(
                "LimitExceededException",
                format!(
                    "The account cannot have more than {} pipelines in a region",
                    limit::PIPELINES
                ),
            ));
        }
        checked_tags(tags, &self.state.pipeline_arn(name))?;
        let definition = Arc::new(filled(definition, 1));
        let stages = definition.stages.iter().map(new_stage).collect();
        self.state.pipelines.insert(
            name.clone(),
            Pipeline {
                versions: BTreeMap::from([(1, Arc::clone(&definition))]),
                definition,
                created: self.at,
                updated: self.at,
                tags: tags.clone(),
                stages,
                executions: Executions::default(),
                execution_index: HashMap::new(),
                active: BTreeSet::new(),
                client_tokens: HashMap::new(),
                token_order: BTreeMap::new(),
            },
        );
        if start {
            let trigger = Trigger {
                trigger_type: "CreatePipeline".to_owned(),
                trigger_detail: format!("arn:aws:iam::{}:root", self.state.account()),
                reference: None,
            };
            self.begin(
                name,
                &Wanted {
                    trigger: &trigger,
                    variables: &BTreeMap::new(),
                    source_revisions: &[],
                    client_token: None,
                },
            );
        }
        Ok(Answer::Version(1))
    }

    /// Deletes a pipeline with everything of it; an absent one is no error (as in moto).
    pub(super) fn delete_pipeline(&mut self, name: &str) -> Answer {
        if self.state.pipelines.contains_key(name) {
            let running: Vec<_> = self
                .state
                .running
                .iter()
                .filter(|(_, place)| place.pipeline == name)
                .map(|(id, place)| (id.clone(), place.clone()))
                .collect();
            for (id, place) in running {
                self.unschedule(&place);
                self.state.running.remove(&id);
                self.effects.push(Effect::Cancel {
                    action_execution: id,
                });
            }
            let rules: Vec<_> = self
                .state
                .running_rules
                .iter()
                .filter(|(_, place)| place.pipeline == name)
                .map(|(id, _)| id.clone())
                .collect();
            for id in rules {
                self.state.due.retain(|(_, due)| *due != id);
                self.state.running_rules.remove(&id);
                self.effects.push(Effect::Cancel {
                    action_execution: id,
                });
            }
            let running = &self.state.running;
            self.state
                .approvals
                .retain(|_, id| running.contains_key(id));
            self.state
                .jobs
                .retain(|_, job| job.place.pipeline() != name);
            let jobs = &self.state.jobs;
            self.state.queued_jobs.retain(|id| jobs.contains_key(id));
            self.state
                .dispatched_jobs
                .retain(|(_, id)| jobs.contains_key(id));
            self.state.ended_jobs.retain(|id| jobs.contains_key(id));
            self.state.pipelines.remove(name);
            self.effects.push(Effect::Forget {
                pipeline: name.to_owned(),
            });
        }
        Answer::Done
    }

    pub(super) fn tag(
        &mut self,
        pipeline: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<Answer, Refusal> {
        let mut all = self.tagged(pipeline)?.tags.clone();
        all.extend(tags.clone());
        checked_tags(&all, &self.state.pipeline_arn(pipeline))?;
        if let Some(known) = self.state.pipelines.get_mut(pipeline) {
            known.tags = all;
        }
        Ok(Answer::Done)
    }

    pub(super) fn untag(&mut self, pipeline: &str, keys: &[String]) -> Result<Answer, Refusal> {
        self.tagged(pipeline)?;
        if let Some(known) = self.state.pipelines.get_mut(pipeline) {
            known.tags.retain(|key, _| !keys.contains(key));
        }
        Ok(Answer::Done)
    }

    fn tagged(&self, pipeline: &str) -> Result<&Pipeline, Refusal> {
        self.state.pipelines.get(pipeline).ok_or_else(|| {
            Refusal::new(
                "ResourceNotFoundException",
                format!(
                    "The account with id '{}' does not include a pipeline with the name '{pipeline}'",
                    self.state.account()
                ),
            )
        })
    }

    pub(super) fn checked(&self, definition: &PipelineDeclaration) -> Result<(), Refusal> {
        let surroundings = Surroundings {
            known: &self.state.action_types,
            region: self.state.region(),
        };
        match check(definition, surroundings).into_iter().next() {
            Some(finding) => Err(finding.refusal),
            None => Ok(()),
        }
    }

    /// Puts the stored secrets where the update holds the mask.
    pub(super) fn keep_secrets(&self, old: &PipelineDeclaration, new: &mut PipelineDeclaration) {
        for stage in &mut new.stages {
            let Some(before) = old.stage(&stage.name).and_then(|at| old.stages.get(at)) else {
                continue;
            };
            for action in &mut stage.actions {
                let Some(before) = before.action(&action.name) else {
                    continue;
                };
                let custom = self.state.custom_type(&action.action_type_id);
                for (key, value) in &mut action.configuration {
                    if value == MASK
                        && action_type::is_secret(custom, key)
                        && let Some(kept) = before.configuration.get(key)
                    {
                        value.clone_from(kept);
                    }
                }
            }
        }
    }

    /// The pipeline a request names.
    pub(super) fn pipeline(&self, name: &str) -> Result<&Pipeline, Refusal> {
        self.state.pipelines.get(name).ok_or_else(|| {
            Refusal::new(
                "PipelineNotFoundException",
                format!(
                    "Account '{}' does not have a pipeline with name '{name}'",
                    self.state.account()
                ),
            )
        })
    }

    /// The stage a request names, in the newest definition.
    pub(super) fn declared_stage(
        &self,
        pipeline: &str,
        stage: &str,
    ) -> Result<&StageDeclaration, Refusal> {
        let definition = &self.pipeline(pipeline)?.definition;
        definition
            .stage(stage)
            .and_then(|at| definition.stages.get(at))
            .ok_or_else(|| {
                Refusal::new(
                    "StageNotFoundException",
                    format!("Stage '{stage}' could not be found in pipeline '{pipeline}'"),
                )
            })
    }
}

pub(super) fn new_stage(stage: &StageDeclaration) -> StageState {
    StageState {
        name: stage.name.clone(),
        held_by: None,
        waiting: std::collections::VecDeque::new(),
        latest: None,
        succeeded: None,
        actions: BTreeMap::new(),
        inbound: Transition::default(),
        outbound: Transition::default(),
    }
}

/// The definition with what the service fills in.
pub(super) fn filled(definition: &PipelineDeclaration, version: u64) -> PipelineDeclaration {
    PipelineDeclaration {
        version: Some(version),
        execution_mode: Some(definition.mode()),
        pipeline_type: Some(pipeline_type(definition)),
        ..definition.clone()
    }
}

/// Refuses tags that a resource cannot have.
pub(super) fn checked_tags(tags: &BTreeMap<String, String>, arn: &str) -> Result<(), Refusal> {
    if tags.keys().any(|key| key.starts_with("aws:")) {
        return Err(Refusal::new(
            "InvalidTagsException",
            "Not allowed to modify system tags. System tags start with 'aws:'. msg=[Caller is an end user and not allowed to mutate system tags]",
        ));
    }
    if tags.len() > limit::TAGS {
        return Err(Refusal::new(
            "TooManyTagsException",
            format!("Tag limit exceeded for resource [{arn}]."),
        ));
    }
    Ok(())
}
