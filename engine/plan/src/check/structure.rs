//! Stages, stores, pipeline type, variables and triggers.

use std::collections::BTreeSet;

use super::{ACTION, Finding, STAGE, STRUCTURE, Surroundings, gates, pipeline_type};
use crate::{
    action_type,
    definition::{ExecutionMode, PipelineDeclaration, PipelineType},
    limit,
};

/// What comes before the actions are looked at one by one.
pub(super) fn stages(definition: &PipelineDeclaration, found: &mut Vec<Finding>) {
    counts(definition, found);
    sources(definition, found);
    names(definition, found);
}

/// What comes after the actions.
pub(super) fn rest(
    definition: &PipelineDeclaration,
    surroundings: Surroundings<'_>,
    found: &mut Vec<Finding>,
) {
    variables(definition, found);
    v1(definition, found);
    gates::check(definition, found);
    triggers(definition, found);
    stores(definition, surroundings.region, found);
    blockers(definition, found);
}

fn counts(definition: &PipelineDeclaration, found: &mut Vec<Finding>) {
    let stages = definition.stages.len();
    if stages < *limit::STAGES.start() {
        found.push(Finding::new(
            STRUCTURE,
            format!("Pipeline has only {stages} stage(s). There should be a minimum of 2 stages in a pipeline"),
            "stages",
        ));
    }
    if stages > *limit::STAGES.end() {
        found.push(Finding::new(
            STRUCTURE,
            "Pipeline has too many stages. There can only be up to 50 stages in a pipeline",
            "stages",
        ));
    }
    let mut all = 0;
    for (at, stage) in definition.stages.iter().enumerate() {
        let actions = stage.actions.len();
        all += actions;
        let problem = if actions == 0 {
            // unconfirmed
            "has no actions. There should be a minimum of 1 action in a stage"
        } else if actions > limit::ACTIONS_PER_STAGE {
            // unconfirmed
            "has too many actions. There can only be up to 50 actions in a stage"
        } else {
            continue;
        };
        found.push(Finding::new(
            STAGE,
            format!("Stage '{}' {problem}", stage.name),
            format!("stages[{at}].actions"),
        ));
    }
    if all > limit::ACTIONS_PER_PIPELINE {
        // unconfirmed
        found.push(Finding::new(
            "LimitExceededException",
            format!(
                "Pipeline has {all} actions. There can only be up to {} actions in a pipeline",
                limit::ACTIONS_PER_PIPELINE
            ),
            "stages",
        ));
    }
}

fn sources(definition: &PipelineDeclaration, found: &mut Vec<Finding>) {
    let mut other = false;
    for (at, stage) in definition.stages.iter().enumerate() {
        for (number, action) in stage.actions.iter().enumerate() {
            let source = action.action_type_id.category == "Source";
            other |= !source;
            let message = match (at, source) {
                (0, false) => {
                    "Pipeline should start with a stage that only contains source actions"
                }
                (1.., true) => {
                    "Source actions can only be included in the first stage of the pipeline"
                }
                _ => continue,
            };
            found.push(
                Finding::new(
                    STRUCTURE,
                    message,
                    format!("stages[{at}].actions[{number}].actionTypeId.category"),
                )
                .hint(format!(
                    "move the action '{}' to {}",
                    action.name,
                    if source {
                        "the first stage"
                    } else {
                        "a later stage"
                    }
                )),
            );
        }
    }
    if !other && !definition.stages.is_empty() {
        found.push(Finding::new(
            STRUCTURE,
            "Pipeline should contain at least 1 action whose category is not Source",
            "stages",
        ));
    }
}

fn names(definition: &PipelineDeclaration, found: &mut Vec<Finding>) {
    let mut stages = BTreeSet::new();
    for (at, stage) in definition.stages.iter().enumerate() {
        if !stages.insert(&stage.name) {
            found.push(Finding::new(
                STAGE,
                format!("Stage name '{}' is used more than once", stage.name),
                format!("stages[{at}].name"),
            ));
        }
        let mut actions = BTreeSet::new();
        for (number, action) in stage.actions.iter().enumerate() {
            if !actions.insert(&action.name) {
                // unconfirmed
                found.push(Finding::new(
                    ACTION,
                    format!(
                        "Action name '{}' is used more than once in stage '{}'",
                        action.name, stage.name
                    ),
                    format!("stages[{at}].actions[{number}].name"),
                ));
            }
        }
    }
}

fn stores(definition: &PipelineDeclaration, region: &str, found: &mut Vec<Finding>) {
    let mut regions: Vec<(&str, String)> = vec![(region, String::new())];
    for (at, stage) in definition.stages.iter().enumerate() {
        for (number, action) in stage.actions.iter().enumerate() {
            let Some(other) = action.region.as_deref().filter(|it| *it != region) else {
                continue;
            };
            let place = format!("stages[{at}].actions[{number}].region");
            let id = &action.action_type_id;
            if id.category == "Source" || id.owner != "AWS" {
                // unconfirmed
                found.push(Finding::new(
                    ACTION,
                    format!(
                        "Action '{}' cannot run in region '{other}'. Source, third-party and custom actions can only run in the region of the pipeline",
                        action.name
                    ),
                    place.clone(),
                ));
            }
            regions.push((other, place));
        }
    }
    match (&definition.artifact_store, &definition.artifact_stores) {
        (Some(_), None) => {
            if let Some((_, place)) = regions.get(1) {
                found.push(Finding::new(
                    STRUCTURE,
                    "Your pipeline contains actions in more than one region. Use 'pipeline.artifactStores' instead of 'pipeline.artifactStore' to declare an artifact store, such as an artifact bucket, for each region where you have an action.",
                    place.clone(),
                ));
            }
        }
        (None, Some(stores)) => {
            for (wanted, place) in regions {
                if !stores.contains_key(wanted) {
                    // unconfirmed
                    found.push(
                        Finding::new(
                            STRUCTURE,
                            format!("The pipeline does not declare an artifact store for the region '{wanted}'"),
                            if place.is_empty() { "artifactStores".to_owned() } else { place },
                        )
                        .hint(format!("add `artifactStores.{wanted}`")),
                    );
                }
            }
        }
        // unconfirmed
        (None, None) => found.push(Finding::new(
            STRUCTURE,
            "Pipeline must declare either 'pipeline.artifactStore' or 'pipeline.artifactStores'",
            "artifactStore",
        )),
        (Some(_), Some(_)) => found.push(Finding::new(
            STRUCTURE,
            "Pipeline cannot declare both 'pipeline.artifactStore' and 'pipeline.artifactStores'",
            "artifactStores",
        )),
    }
}

fn v1(definition: &PipelineDeclaration, found: &mut Vec<Finding>) {
    if pipeline_type(definition) != PipelineType::V1 {
        return;
    }
    let mut wrong = |exception, message: String, place: String| {
        found.push(Finding::new(exception, message, place).hint("set `pipelineType` to \"V2\""));
    };
    if definition
        .variables
        .as_ref()
        .is_some_and(|it| !it.is_empty())
    {
        wrong(
            STRUCTURE,
            "Pipeline variable can only be used with V2 pipelines".to_owned(),
            "variables".to_owned(),
        );
    }
    if definition
        .triggers
        .as_ref()
        .is_some_and(|it| !it.is_empty())
    {
        wrong(
            STRUCTURE,
            "Triggers on tag can only be used with V2 pipelines".to_owned(),
            "triggers".to_owned(),
        );
    }
    if definition.mode() != ExecutionMode::Superseded {
        wrong(
            STRUCTURE,
            "QUEUED or PARALLEL mode can only be used with V2 pipelines".to_owned(),
            "executionMode".to_owned(),
        );
    }
    for (at, stage) in definition.stages.iter().enumerate() {
        if let Some((gate, _)) = gates::gates(stage).next() {
            wrong(
                STAGE,
                "Stage level conditions can only be used with V2 pipelines.".to_owned(),
                format!("stages[{at}].{gate}"),
            );
        }
    }
    for (at, stage) in definition.stages.iter().enumerate() {
        for (number, action) in stage.actions.iter().enumerate() {
            if let Some(known) = action_type::find(&action.action_type_id).filter(|it| it.v2) {
                wrong(
                    ACTION,
                    format!(
                        "{} Action can only be used with V2 pipelines.",
                        known.provider
                    ),
                    format!("stages[{at}].actions[{number}].actionTypeId.provider"),
                );
            }
        }
    }
}

fn variables(definition: &PipelineDeclaration, found: &mut Vec<Finding>) {
    let mut names = BTreeSet::new();
    for (at, variable) in definition.variables.iter().flatten().enumerate() {
        if !names.insert(&variable.name) {
            found.push(Finding::new(
                STRUCTURE,
                format!(
                    "Variable names must be unique. The following variable name is already in use: {}",
                    variable.name
                ),
                format!("variables[{at}].name"),
            ));
        }
    }
}

fn triggers(definition: &PipelineDeclaration, found: &mut Vec<Finding>) {
    let mut sources = BTreeSet::new();
    for (at, trigger) in definition.triggers.iter().flatten().enumerate() {
        let named = trigger["gitConfiguration"]["sourceActionName"].as_str();
        let connection = definition
            .stages
            .iter()
            .flat_map(|stage| &stage.actions)
            .any(|action| {
                Some(action.name.as_str()) == named
                    && action.action_type_id.provider == "CodeStarSourceConnection"
            });
        if !connection {
            found.push(Finding::new(
                STRUCTURE,
                "Triggers for connections must reference a CodeStarSourceConnection action.",
                format!("triggers[{at}].gitConfiguration.sourceActionName"),
            ));
        }
        if let Some(source) = named.filter(|source| !sources.insert(*source)) {
            // the rule is the guide's, its text is unconfirmed
            found.push(Finding::new(
                STRUCTURE,
                format!("Only one trigger can reference the source action {source}"),
                format!("triggers[{at}].gitConfiguration.sourceActionName"),
            ));
        }
        let pushes = trigger["gitConfiguration"]["push"].as_array();
        for (number, push) in pushes.into_iter().flatten().enumerate() {
            // No push is both; AWS's text for it as people report it.
            if push["branches"].is_object() && push["tags"].is_object() {
                found.push(Finding::new(
                    STRUCTURE,
                    "The trigger configuration for the source action is not valid. Make sure to choose valid filter combinations.",
                    format!("triggers[{at}].gitConfiguration.push[{number}]"),
                ));
            }
        }
    }
}

fn blockers(definition: &PipelineDeclaration, found: &mut Vec<Finding>) {
    for (at, stage) in definition.stages.iter().enumerate() {
        if stage.blockers.as_ref().is_some_and(|it| !it.is_empty()) {
            // the member is reserved by AWS; its text is unconfirmed
            found.push(Finding::new(
                "InvalidBlockerDeclarationException",
                format!(
                    "Stage '{}' declares blockers, which are reserved for future use",
                    stage.name
                ),
                format!("stages[{at}].blockers"),
            ));
        }
    }
}
