//! How long actions and rules may take, in minutes (`codepipeline.md` 3.7).

use std::collections::BTreeMap;

use crate::{
    action_type::{self, Host},
    definition::{ActionTypeId, THIRD_PARTY},
    gate::Rule,
    rule_type,
};

const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;

/// Deployments of CloudFormation: 3 days.
pub const CLOUDFORMATION: u32 = 3 * DAY;
/// CodeDeploy, also to ECS: 5 days.
pub const CODEDEPLOY: u32 = 5 * DAY;
/// CodeBuild as a build: 36 hours.
pub const BUILD: u32 = 36 * HOUR;
/// CodeBuild and others as a test: 8 hours.
pub const TEST: u32 = 8 * HOUR;
/// A Lambda function with all its continuations: 24 hours.
pub const LAMBDA: u32 = 24 * HOUR;
/// Deployments to S3: 90 minutes (40 in 2022).
pub const S3_DEPLOY: u32 = 90;
/// Executions of a state machine: 7 days.
pub const STEP_FUNCTIONS: u32 = 7 * DAY;
/// Custom actions: 24 hours.
pub const CUSTOM: u32 = 24 * HOUR;
/// Manual approvals that name no `timeoutInMinutes`: 7 days.
pub const APPROVAL: u32 = 7 * DAY;
/// Commands, as an action and as a rule.
pub const COMMANDS: u32 = 55;
/// Deployments to ECS; `DeploymentTimeout` may lower it.
pub const ECS: u32 = HOUR;
/// Everything else.
pub const OTHER: u32 = HOUR;
/// Rules that name no `timeoutInMinutes` (unconfirmed).
pub const RULE: u32 = HOUR;

/// Minutes until an action times out; only an approval may name its own.
pub fn of_action(
    id: &ActionTypeId,
    configuration: &BTreeMap<String, String>,
    named: Option<u32>,
) -> u32 {
    let known = action_type::find(id).map_or_else(|| of_declared(id), |known| known.minutes);
    if action_type::host(id) == Host::Person {
        return named.unwrap_or(known);
    }
    if id.provider == "ECS" && id.category == "Deploy" {
        let lower = configuration.get("DeploymentTimeout");
        let lower = lower.and_then(|text| text.parse().ok());
        return lower.unwrap_or(known).min(known);
    }
    known
}

/// Of a type that the account or its configuration declares.
fn of_declared(id: &ActionTypeId) -> u32 {
    match (id.owner.as_str(), id.category.as_str()) {
        (THIRD_PARTY, "Test") => TEST,
        (THIRD_PARTY, _) => OTHER,
        _ => CUSTOM,
    }
}

/// Minutes until a rule times out; Commands ends after its own limit whatever the rule names.
pub fn of_rule(rule: &Rule) -> u32 {
    let known = rule_type::find(&rule.rule_type_id).map_or(RULE, |known| known.minutes);
    let named = rule.timeout_in_minutes.unwrap_or(known);
    if rule.rule_type_id.provider == rule_type::COMMANDS {
        named.min(COMMANDS)
    } else {
        named
    }
}
