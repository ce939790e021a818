//! Each action against its action type: known, artifact counts, configuration keys, members.

use super::{ACTION, Finding, Surroundings};
use crate::{
    action_type::{self, Known},
    definition::{ActionDeclaration, CustomActionType, PipelineDeclaration},
};

/// What an action type asks of an action.
struct Demand<'a> {
    inputs: (usize, usize),
    outputs: (usize, usize),
    required: Vec<&'a str>,
    optional: Vec<&'a str>,
}

pub(super) fn check(
    definition: &PipelineDeclaration,
    surroundings: Surroundings<'_>,
    found: &mut Vec<Finding>,
) {
    for (at, stage) in definition.stages.iter().enumerate() {
        for (number, action) in stage.actions.iter().enumerate() {
            let place = format!("stages[{at}].actions[{number}]");
            one(action, surroundings, &place, found);
        }
    }
}

fn one(
    action: &ActionDeclaration,
    surroundings: Surroundings<'_>,
    place: &str,
    found: &mut Vec<Finding>,
) {
    let id = &action.action_type_id;
    let custom = action_type::find_custom(surroundings.known, id);
    let demand = match (action_type::find(id), custom) {
        (Some(known), _) => Demand::from(known),
        (None, Some(custom)) => Demand::from(custom),
        (None, None) => {
            let region = action.region.as_deref().unwrap_or(surroundings.region);
            found.push(
                Finding::new(
                    ACTION,
                    format!(
                        "ActionType (Category: '{}', Provider: '{}', Owner: '{}', Version: '{}') in action '{}' is not available in region '{}'",
                        id.category,
                        id.provider,
                        id.owner,
                        id.version,
                        action.name,
                        region.to_uppercase().replace('-', "_")
                    ),
                    format!("{place}.actionTypeId"),
                )
                .hint(suggestion(id, surroundings.known)),
            );
            return;
        }
    };
    counts(action, &demand, place, found);
    keys(action, &demand, place, found);
    if let Some(custom) = custom {
        queryable(action, custom, place, found);
    }
    members(action, place, found);
}

fn counts(action: &ActionDeclaration, demand: &Demand<'_>, place: &str, found: &mut Vec<Finding>) {
    let sides = [
        (
            "input",
            action.input_artifacts.len(),
            demand.inputs,
            "inputArtifacts",
        ),
        (
            "output",
            action.output_artifacts.len(),
            demand.outputs,
            "outputArtifacts",
        ),
    ];
    for (side, count, (least, most), member) in sides {
        let rule = if count < least {
            format!("less than the minimum count ({least})")
        } else if count > most {
            // unconfirmed
            format!("more than the maximum count ({most})")
        } else {
            continue;
        };
        found.push(Finding::new(
            ACTION,
            format!(
                "Action {} declares {count} {side} artifacts which is {rule}",
                action.name
            ),
            format!("{place}.{member}"),
        ));
    }
}

fn keys(action: &ActionDeclaration, demand: &Demand<'_>, place: &str, found: &mut Vec<Finding>) {
    for key in &demand.required {
        if !action.configuration.contains_key(*key) {
            found.push(Finding::new(
                ACTION,
                format!(
                    "Action configuration for action '{}' is missing required configuration '{key}'",
                    action.name
                ),
                format!("{place}.configuration.{key}"),
            ));
        }
    }
    for key in action.configuration.keys() {
        if !demand.required.contains(&key.as_str()) && !demand.optional.contains(&key.as_str()) {
            let all: Vec<_> = demand.required.iter().chain(&demand.optional).collect();
            let hint = if all.is_empty() {
                "this action type has no configuration".to_owned()
            } else {
                let all: Vec<_> = all.into_iter().copied().collect();
                format!("known keys: {}", all.join(", "))
            };
            // recalled, unconfirmed
            found.push(
                Finding::new(
                    ACTION,
                    format!(
                        "Action configuration for action '{}' contains unknown configuration '{key}'",
                        action.name
                    ),
                    format!("{place}.configuration.{key}"),
                )
                .hint(hint),
            );
        }
    }
}

fn queryable(
    action: &ActionDeclaration,
    custom: &CustomActionType,
    place: &str,
    found: &mut Vec<Finding>,
) {
    let properties = custom.configuration_properties.iter();
    for property in properties.filter(|it| it.queryable) {
        let Some(value) = action.configuration.get(&property.name) else {
            continue;
        };
        let fits = value.len() <= 20
            && value
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        if !fits {
            // unconfirmed
            found.push(Finding::new(
                ACTION,
                format!(
                    "Action configuration for action '{}' has an invalid value for the queryable configuration '{}': up to 20 of the characters A-Z a-z 0-9 _ - are allowed",
                    action.name, property.name
                ),
                format!("{place}.configuration.{}", property.name),
            ));
        }
    }
}

/// Members that only some providers have. All texts but the first are unconfirmed.
fn members(action: &ActionDeclaration, place: &str, found: &mut Vec<Finding>) {
    let provider = action.action_type_id.provider.as_str();
    let commands = provider == "Commands";
    if commands && action.commands.as_ref().is_none_or(Vec::is_empty) {
        found.push(Finding::new(
            ACTION,
            format!(
                "Action {} must have a non-empty commands field",
                action.name
            ),
            format!("{place}.commands"),
        ));
    }
    let mut only = |wrong: bool, member: &str, who: &str| {
        if wrong {
            found.push(Finding::new(
                ACTION,
                format!(
                    "Action {} cannot have the field {member}: it is only available for {who}",
                    action.name
                ),
                format!("{place}.{member}"),
            ));
        }
    };
    only(
        !commands && action.commands.is_some(),
        "commands",
        "the Commands action",
    );
    only(
        !commands && action.output_variables.is_some(),
        "outputVariables",
        "the Commands action",
    );
    only(
        !commands && action.output_artifacts.iter().any(|it| it.files.is_some()),
        "outputArtifacts",
        "the Commands action if it names files",
    );
    only(
        !["Commands", "EKS"].contains(&provider) && action.environment_variables.is_some(),
        "environmentVariables",
        "the Commands and EKS actions",
    );
    only(
        action.action_type_id.category != "Approval" && action.timeout_in_minutes.is_some(),
        "timeoutInMinutes",
        "the manual approval action",
    );
}

impl From<&'static Known> for Demand<'_> {
    fn from(known: &'static Known) -> Self {
        Self {
            inputs: known.inputs,
            outputs: known.outputs,
            required: known.required().collect(),
            optional: known.optional().collect(),
        }
    }
}

impl<'a> From<&'a CustomActionType> for Demand<'a> {
    fn from(custom: &'a CustomActionType) -> Self {
        let bounds = |count: crate::definition::ArtifactCount| {
            (count.minimum_count as usize, count.maximum_count as usize)
        };
        let names = |required: bool| {
            let properties = custom.configuration_properties.iter();
            properties
                .filter(|it| it.required == required)
                .map(|it| it.name.as_str())
                .collect()
        };
        Self {
            inputs: bounds(custom.input_artifact_details),
            outputs: bounds(custom.output_artifact_details),
            required: names(true),
            optional: names(false),
        }
    }
}

/// Which action types of the same category there are, or where the provider belongs.
fn suggestion(id: &crate::definition::ActionTypeId, known: &[CustomActionType]) -> String {
    let elsewhere = action_type::KNOWN
        .iter()
        .find(|it| it.provider.eq_ignore_ascii_case(&id.provider));
    if let Some(it) = elsewhere {
        return format!(
            "the provider {} is category {}, owner {}, version 1",
            it.provider, it.category, it.owner
        );
    }
    if id.owner == "Custom" {
        let all: Vec<_> = known.iter().map(|it| it.provider.as_str()).collect();
        return match all.is_empty() {
            true => "create the custom action type first".to_owned(),
            false => format!("known custom action types: {}", all.join(", ")),
        };
    }
    let mut all: Vec<_> = action_type::KNOWN
        .iter()
        .filter(|it| it.category == id.category)
        .map(|it| it.provider)
        .collect();
    all.dedup();
    format!("providers of category {}: {}", id.category, all.join(", "))
}
