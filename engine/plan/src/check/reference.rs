//! What actions and rules take from actions: artifacts, namespaces, variables.

use std::collections::{BTreeMap, BTreeSet};

use super::{ACTION, Finding, STRUCTURE, gates};
use crate::{
    definition::{ActionDeclaration, InputArtifact, PipelineDeclaration},
    variable::{Piece, Reference, pieces},
};

/// Stage and runOrder: who has a greater one runs surely later.
type Turn = (usize, u32);

struct Site<'a> {
    stage: &'a str,
    action: &'a ActionDeclaration,
    turn: Turn,
    place: String,
}

pub(super) fn check(definition: &PipelineDeclaration, found: &mut Vec<Finding>) {
    let sites: Vec<Site<'_>> = definition
        .stages
        .iter()
        .enumerate()
        .flat_map(|(at, stage)| {
            let actions = stage.actions.iter().enumerate();
            actions.map(move |(number, action)| Site {
                stage: &stage.name,
                action,
                turn: (at, action.run_order),
                place: format!("stages[{at}].actions[{number}]"),
            })
        })
        .collect();
    let produced = outputs(&sites, found);
    let consumers: Vec<Consumer<'_>> = sites
        .iter()
        .map(Consumer::action)
        .chain(rules(definition))
        .collect();
    inputs(&consumers, &produced, found);
    let namespaces = namespaces(&sites, &produced, found);
    for consumer in &consumers {
        variables(definition, consumer, &namespaces, found);
    }
}

/// An action or a rule with everything it takes.
struct Consumer<'a> {
    stage: &'a str,
    name: &'a str,
    turn: Turn,
    place: String,
    source: bool,
    inputs: &'a [InputArtifact],
    /// Every text that may hold references: the configuration key AWS names, our place, the text.
    texts: Vec<(&'a str, String, &'a str)>,
}

impl<'a> Consumer<'a> {
    fn action(site: &Site<'a>) -> Self {
        let action = site.action;
        let mut texts = texts(&action.configuration, action.commands.as_deref());
        for (number, variable) in action.environment_variables.iter().flatten().enumerate() {
            texts.push((
                "environmentVariables",
                format!("environmentVariables[{number}].value"),
                &variable.value,
            ));
        }
        Self {
            stage: site.stage,
            name: &action.name,
            turn: site.turn,
            place: site.place.clone(),
            source: action.action_type_id.category == "Source",
            inputs: &action.input_artifacts,
            texts,
        }
    }
}

/// All rules; those before entry run before the stage's first action, the others after its last.
fn rules(definition: &PipelineDeclaration) -> impl Iterator<Item = Consumer<'_>> {
    definition
        .stages
        .iter()
        .enumerate()
        .flat_map(|(at, stage)| {
            gates::gates(stage).flat_map(move |(gate, conditions)| {
                let order = if gate == "beforeEntry" { 0 } else { u32::MAX };
                let rules = conditions.iter().enumerate().flat_map(|(number, it)| {
                    let rules = it.rules.iter().enumerate();
                    rules.map(move |(rule, it)| (number, rule, it))
                });
                rules.map(move |(number, rule, it)| Consumer {
                    stage: &stage.name,
                    name: &it.name,
                    turn: (at, order),
                    place: format!("stages[{at}].{gate}.conditions[{number}].rules[{rule}]"),
                    source: false,
                    inputs: &it.input_artifacts,
                    texts: texts(&it.configuration, it.commands.as_deref()),
                })
            })
        })
}

fn outputs<'a>(sites: &[Site<'a>], found: &mut Vec<Finding>) -> BTreeMap<&'a str, Turn> {
    let mut produced = BTreeMap::new();
    for site in sites {
        for (number, output) in site.action.output_artifacts.iter().enumerate() {
            if produced.insert(output.name.as_str(), site.turn).is_some() {
                // the class is unconfirmed
                found.push(Finding::new(
                    STRUCTURE,
                    format!(
                        "Output Artifact Bundle name must be unique within the pipeline. {} has been used more than once.",
                        output.name
                    ),
                    format!("{}.outputArtifacts[{number}].name", site.place),
                ));
            }
        }
    }
    produced
}

fn inputs(consumers: &[Consumer<'_>], produced: &BTreeMap<&str, Turn>, found: &mut Vec<Finding>) {
    for site in consumers {
        let mut names = BTreeSet::new();
        for (number, input) in site.inputs.iter().enumerate() {
            let place = format!("{}.inputArtifacts[{number}].name", site.place);
            if !names.insert(&input.name) {
                // unconfirmed
                found.push(Finding::new(
                    ACTION,
                    format!(
                        "Input Artifact Bundle {} is declared more than once in action {}",
                        input.name, site.name
                    ),
                    place,
                ));
                continue;
            }
            let hint = match produced.get(input.name.as_str()) {
                Some(turn) if *turn < site.turn => continue,
                Some(_) => "the action that produces it does not run before this one: a later stage or a higher runOrder is needed".to_owned(),
                None if produced.is_empty() => "no action produces an artifact".to_owned(),
                None => {
                    let names: Vec<_> = produced.keys().copied().collect();
                    format!("artifacts that are produced: {}", names.join(", "))
                }
            };
            // recalled, unconfirmed
            found.push(
                Finding::new(
                    ACTION,
                    format!(
                        "Input Artifact Bundle {} in action {} is not declared as Output Artifact Bundle in any of the preceding actions",
                        input.name, site.name
                    ),
                    place,
                )
                .hint(hint),
            );
        }
    }
}

fn namespaces<'a>(
    sites: &[Site<'a>],
    produced: &BTreeMap<&str, Turn>,
    found: &mut Vec<Finding>,
) -> BTreeMap<&'a str, Turn> {
    let mut namespaces = BTreeMap::new();
    for site in sites {
        let Some(namespace) = site.action.namespace.as_deref() else {
            continue;
        };
        let place = format!("{}.namespace", site.place);
        let position = format!(
            "StageName=[{}], ActionName=[{}], Namespace=[{namespace}]",
            site.stage, site.action.name
        );
        if ["codepipeline", "variables"].contains(&namespace) {
            // unconfirmed
            found.push(Finding::new(
                ACTION,
                format!("The namespaces codepipeline and variables are reserved. {position}"),
                place,
            ));
        } else if produced.contains_key(namespace) {
            // unconfirmed
            found.push(Finding::new(
                ACTION,
                format!("Namespaces must not have the name of an artifact. {position}"),
                place,
            ));
        } else if namespaces.insert(namespace, site.turn).is_some() {
            found.push(Finding::new(
                ACTION,
                format!(
                    "Namespaces must be unique across the pipeline definition. The following occur more than once in the pipeline. {position}"
                ),
                place,
            ));
        }
    }
    namespaces
}

fn variables(
    definition: &PipelineDeclaration,
    site: &Consumer<'_>,
    namespaces: &BTreeMap<&str, Turn>,
    found: &mut Vec<Finding>,
) {
    for (key, member, text) in &site.texts {
        for piece in pieces(text) {
            let (reference, problem) = match piece {
                Piece::Plain(_) => continue,
                // unconfirmed
                Piece::Malformed(text) => (
                    text,
                    Some((
                        "are not in this format",
                        "write #{namespace.key}".to_owned(),
                    )),
                ),
                Piece::Reference(reference) => (
                    reference.text,
                    undefined(definition, site, namespaces, &reference),
                ),
            };
            let Some((problem, hint)) = problem else {
                continue;
            };
            // recalled, unconfirmed
            found.push(
                Finding::new(
                    ACTION,
                    format!(
                        "Valid format for a pipeline execution variable reference is a namespace and a key separated by a period (.). The following pipeline execution variables {problem}. StageName=[{}], ActionName=[{}], ActionConfigurationKey=[{key}], VariableReferenceText=[{reference}]",
                        site.stage, site.name
                    ),
                    format!("{}.{member}", site.place),
                )
                .hint(hint),
            );
        }
    }
}

const NO_NAMESPACE: &str = "are referencing a namespace that does not exist";

fn undefined(
    definition: &PipelineDeclaration,
    site: &Consumer<'_>,
    namespaces: &BTreeMap<&str, Turn>,
    reference: &Reference<'_>,
) -> Option<(&'static str, String)> {
    match reference.namespace {
        "codepipeline" => (reference.key != "PipelineExecutionId").then(|| {
            (
                "are referencing a key that does not exist",
                "the namespace codepipeline has only PipelineExecutionId".to_owned(),
            )
        }),
        "variables" if site.source => Some((
            "cannot be used in source actions",
            "source actions cannot use pipeline variables".to_owned(),
        )),
        "variables" => {
            let mut declared = definition.variables.iter().flatten();
            let known = declared.any(|it| it.name == reference.key);
            (!known).then(|| {
                (
                    "are referencing a pipeline variable that does not exist",
                    format!("declare the pipeline variable '{}'", reference.key),
                )
            })
        }
        namespace => match namespaces.get(namespace) {
            Some(turn) if *turn < site.turn => None,
            Some(_) => Some((
                NO_NAMESPACE,
                format!("the action with the namespace '{namespace}' does not run before this one"),
            )),
            None => {
                let known: Vec<_> = namespaces.keys().copied().collect();
                Some((
                    NO_NAMESPACE,
                    format!(
                        "no action has the namespace '{namespace}'; there are: {}",
                        if known.is_empty() {
                            "none".to_owned()
                        } else {
                            known.join(", ")
                        }
                    ),
                ))
            }
        },
    }
}

fn texts<'a>(
    configuration: &'a BTreeMap<String, String>,
    commands: Option<&'a [String]>,
) -> Vec<(&'a str, String, &'a str)> {
    let mut texts: Vec<(&str, String, &str)> = Vec::new();
    for (key, value) in configuration {
        texts.push((key, format!("configuration.{key}"), value));
    }
    for (number, command) in commands.unwrap_or_default().iter().enumerate() {
        texts.push(("commands", format!("commands[{number}]"), command));
    }
    texts
}
