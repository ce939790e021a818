//! The rule types CodePipeline knows (`codepipeline.md` 3.6), as data.

use crate::{definition::ActionTypeId, gate::RuleTypeId, timeout};

/// One rule type; category `Rule`, owner `AWS`, version `1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownRule {
    pub provider: &'static str,
    /// Configuration keys that must be there.
    pub required: &'static [&'static str],
    /// Configuration keys that may be there.
    pub optional: &'static [&'static str],
    /// Input artifacts at most.
    pub inputs: usize,
    /// Whether a condition with the result SKIP may use it.
    pub skips: bool,
    /// Minutes until it times out unless its rule says otherwise.
    pub minutes: u32,
}

const fn rule(
    provider: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    inputs: usize,
) -> KnownRule {
    KnownRule {
        provider,
        required,
        optional,
        inputs,
        skips: false,
        minutes: timeout::RULE,
    }
}

/// The provider that the planner decides itself.
pub const VARIABLE_CHECK: &str = "VariableCheck";
/// The provider that looks at an alarm.
pub const CLOUD_WATCH_ALARM: &str = "CloudWatchAlarm";
/// The provider whose function gets a job.
pub const LAMBDA_INVOKE: &str = "LambdaInvoke";
/// The provider that has commands at the level of the rule.
pub const COMMANDS: &str = "Commands";

/// Of a failure condition these meet the criteria when they fail: an alarm that rings, a function's error (contradictory
/// in the guide; the reading of the concept page).
pub const MET_BY_FAILURE: [&str; 2] = [CLOUD_WATCH_ALARM, LAMBDA_INVOKE];

/// All of them.
pub static KNOWN: [KnownRule; 6] = [
    KnownRule {
        skips: true,
        ..rule(LAMBDA_INVOKE, &["FunctionName"], &["UserParameters"], 5)
    },
    rule(
        CLOUD_WATCH_ALARM,
        &["AlarmName"],
        &["AlarmStates", "WaitTime"],
        0,
    ),
    rule("DeploymentWindow", &["Cron"], &["TimeZone"], 0),
    KnownRule {
        skips: true,
        ..rule(VARIABLE_CHECK, &["Variable", "Value", "Operator"], &[], 0)
    },
    KnownRule {
        minutes: timeout::COMMANDS,
        ..rule(COMMANDS, &[], &[], 10)
    },
    rule(
        "CodeBuild",
        &["ProjectName"],
        &[
            "PrimarySource",
            "BatchEnabled",
            "CombineArtifacts",
            "EnvironmentVariables",
        ],
        5,
    ),
];

/// What the rule type is known for.
pub fn find(id: &RuleTypeId) -> Option<&'static KnownRule> {
    let version = id.version.as_deref().unwrap_or("1");
    KNOWN
        .iter()
        .find(|it| it.provider == id.provider && version == "1")
}

/// How a rule's provider is registered: as an action type of category `Rule`.
pub fn as_action_type(id: &RuleTypeId) -> ActionTypeId {
    ActionTypeId {
        category: "Rule".to_owned(),
        owner: "AWS".to_owned(),
        provider: id.provider.clone(),
        version: "1".to_owned(),
    }
}

/// What VariableCheck compares with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Eq,
    Ne,
    Contains,
    Matches,
}

impl Operator {
    /// The operator of that name.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "EQ" => Self::Eq,
            "NE" => Self::Ne,
            "CONTAINS" => Self::Contains,
            "MATCHES" => Self::Matches,
            _ => return None,
        })
    }

    /// Whether the variable stands to the value as wanted. MATCHES means the whole text (unconfirmed).
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn holds(self, variable: &str, value: &str) -> Result<bool, String> {
        Ok(match self {
            Self::Eq => variable == value,
            Self::Ne => variable != value,
            Self::Contains => variable.contains(value),
            Self::Matches => regex_lite::Regex::new(&format!("^(?:{value})$"))
                .map_err(|error| format!("'{value}' is not a regular expression: {error}"))?
                .is_match(variable),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_compare() {
        for (operator, variable, value, expected) in [
            ("EQ", "main", "main", true),
            ("EQ", "main", "Main", false),
            ("NE", "main", "dev", true),
            ("NE", "main", "main", false),
            ("CONTAINS", "release-7", "ase-", true),
            ("CONTAINS", "release-7", "dev", false),
            ("MATCHES", "release-7", r"release-\d", true),
            ("MATCHES", "release-7", r"release", false),
            ("MATCHES", "b", "a|b", true),
            ("MATCHES", "ab", "a|b", false),
        ] {
            let it = Operator::of(operator).unwrap();
            assert_eq!(
                it.holds(variable, value),
                Ok(expected),
                "{variable} {operator} {value}"
            );
        }
        assert_eq!(Operator::of("eq"), None);
        assert!(Operator::Matches.holds("x", "(").is_err());
    }
}
