//! What CreatePipeline takes and a run may stumble over: told before any run, refusing nothing.

use std::collections::BTreeSet;

use super::Finding;
use crate::{
    action_type::{self, Host},
    definition::{ActionDeclaration, PipelineDeclaration},
    policy::Policy,
    variable::{Piece, pieces},
};

/// What is known beside the definition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// Functions that can be called; `None`: nobody knows.
    pub functions: Option<&'a BTreeSet<String>>,
    /// What the pipeline's role may do; `None`: nobody said.
    pub policy: Option<&'a Policy>,
}

/// A kind of advice; its name is the finding's exception.
const LONG: &str = "ValueNearLimit";
const BREAKS: &str = "VariableBreaksJson";
const SILENT: &str = "ApprovalTellsNobody";
const MISSING: &str = "FunctionNotKnown";
const DENIED: &str = "PermissionMissing";
const OLD: &str = "ProviderDeprecated";

/// A value longer than this is near its limit of 1,000 characters: a variable in it may make it longer.
const NEAR: usize = 900;

/// All advice, in the order of the definition.
pub fn advise(definition: &PipelineDeclaration, facts: Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, stage) in definition.stages.iter().enumerate() {
        for (number, action) in stage.actions.iter().enumerate() {
            let place = format!("stages[{at}].actions[{number}]");
            values(action, &place, &mut found);
            approval(action, &place, &mut found);
            function(action, facts, &place, &mut found);
            permissions(action, facts, &place, &mut found);
            deprecated(action, &place, &mut found);
        }
    }
    found
}

fn values(action: &ActionDeclaration, place: &str, found: &mut Vec<Finding>) {
    for (key, value) in &action.configuration {
        let place = format!("{place}.configuration.{key}");
        let length = value.chars().count();
        if length > NEAR {
            found.push(
                Finding::new(
                    LONG,
                    format!("{key} of action {} has {length} of at most 1000 characters", action.name),
                    place.clone(),
                )
                .hint("a variable in it, or its next change, may break the limit: take a file of an artifact"),
            );
        }
        if let Some(reference) = breaks(value) {
            found.push(
                Finding::new(
                    BREAKS,
                    format!(
                        "{key} of action {} is JSON, and a quote, backslash or line break in {reference} breaks it",
                        action.name
                    ),
                    place,
                )
                .hint("variables go into the text as they are: take one that cannot hold such characters, as a commit id"),
            );
        }
    }
}

/// Variables that come from people: anything may stand in them.
fn is_free(reference: &str) -> bool {
    [
        "Message",
        "Summary",
        "Title",
        "Name",
        "Text",
        "Description",
        "Reason",
    ]
    .iter()
    .any(|word| reference.contains(word))
        || reference.starts_with("variables.")
}

/// The first reference in a JSON text that stands inside quotes and may hold anything, or stands outside them.
fn breaks(value: &str) -> Option<String> {
    let trimmed = value.trim_start();
    if !trimmed.starts_with(['{', '[']) || trimmed.starts_with("{{") {
        return None;
    }
    let (mut quoted, mut escaped) = (false, false);
    for piece in pieces(value) {
        match piece {
            Piece::Plain(text) | Piece::Malformed(text) => {
                for c in text.chars() {
                    match c {
                        _ if escaped => escaped = false,
                        '\\' if quoted => escaped = true,
                        '"' => quoted = !quoted,
                        _ => {}
                    }
                }
            }
            Piece::Reference(reference) => {
                let name = format!("{}.{}", reference.namespace, reference.key);
                if !quoted || is_free(&name) {
                    return Some(format!("#{{{name}}}"));
                }
            }
        }
    }
    None
}

fn approval(action: &ActionDeclaration, place: &str, found: &mut Vec<Finding>) {
    let id = &action.action_type_id;
    let told = action.configuration.get("NotificationArn");
    if action_type::host(id) == Host::Person && told.is_none_or(String::is_empty) {
        found.push(
            Finding::new(
                SILENT,
                format!(
                    "the approval {} has no NotificationArn: nobody is told that it waits",
                    action.name
                ),
                format!("{place}.configuration"),
            )
            .hint("name a topic in NotificationArn"),
        );
    }
}

fn function(action: &ActionDeclaration, facts: Facts<'_>, place: &str, found: &mut Vec<Finding>) {
    let id = &action.action_type_id;
    let (Some(known), "Invoke", "Lambda") = (facts.functions, &*id.category, &*id.provider) else {
        return;
    };
    let Some(function) = action.configuration.get("FunctionName") else {
        return;
    };
    if function.contains("#{") || known.contains(function) {
        return;
    }
    found.push(
        Finding::new(
            MISSING,
            format!("action {} calls the function {function}, which nobody defines", action.name),
            format!("{place}.configuration.FunctionName"),
        )
        .hint(format!(
            "give [function.{function}] a command in stagewright.toml, or define it in the same template"
        )),
    );
}

/// What a role needs for actions of a type; `codepipeline.md` section 7.
fn needs(action: &ActionDeclaration) -> &'static [&'static str] {
    let id = &action.action_type_id;
    match (&*id.category, &*id.owner, &*id.provider) {
        ("Source", "AWS", "S3") => &[
            "s3:GetObject",
            "s3:GetObjectVersion",
            "s3:GetBucketVersioning",
        ],
        ("Source", "AWS", "CodeCommit") => &[
            "codecommit:GetBranch",
            "codecommit:GetCommit",
            "codecommit:UploadArchive",
            "codecommit:GetUploadArchiveStatus",
        ],
        ("Source", "AWS", "CodeStarSourceConnection") => &["codestar-connections:UseConnection"],
        ("Source", "AWS", "ECR") => &["ecr:DescribeImages"],
        (_, "AWS", "CodeBuild")
            if action
                .configuration
                .get("BatchEnabled")
                .is_some_and(|it| it == "true") =>
        {
            &[
                "codebuild:StartBuildBatch",
                "codebuild:BatchGetBuildBatches",
            ]
        }
        (_, "AWS", "CodeBuild") => &["codebuild:StartBuild", "codebuild:BatchGetBuilds"],
        ("Test", "AWS", "DeviceFarm") => &[
            "devicefarm:ListProjects",
            "devicefarm:ListDevicePools",
            "devicefarm:GetRun",
            "devicefarm:GetUpload",
            "devicefarm:CreateUpload",
            "devicefarm:ScheduleRun",
        ],
        ("Deploy", "AWS", "S3") => &["s3:PutObject"],
        ("Deploy", "AWS", "CodeDeploy" | "CodeDeployToECS") => &[
            "codedeploy:CreateDeployment",
            "codedeploy:GetDeployment",
            "codedeploy:GetDeploymentConfig",
            "codedeploy:RegisterApplicationRevision",
        ],
        ("Deploy", "AWS", "ECS") => &[
            "ecs:DescribeServices",
            "ecs:UpdateService",
            "ecs:DescribeTaskDefinition",
            "ecs:RegisterTaskDefinition",
            "iam:PassRole",
        ],
        ("Deploy", "AWS", "CloudFormation") => {
            match action.configuration.get("ActionMode").map(String::as_str) {
                Some("DELETE_ONLY") => &[
                    "cloudformation:DescribeStacks",
                    "cloudformation:DeleteStack",
                ],
                Some("CHANGE_SET_REPLACE") => &[
                    "cloudformation:DescribeStacks",
                    "cloudformation:CreateChangeSet",
                    "cloudformation:DeleteChangeSet",
                    "cloudformation:DescribeChangeSet",
                ],
                Some("CHANGE_SET_EXECUTE") => &[
                    "cloudformation:DescribeStacks",
                    "cloudformation:DescribeChangeSet",
                    "cloudformation:ExecuteChangeSet",
                ],
                _ => &[
                    "cloudformation:DescribeStacks",
                    "cloudformation:CreateStack",
                    "cloudformation:UpdateStack",
                ],
            }
        }
        ("Invoke", "AWS", "Lambda") => &["lambda:InvokeFunction"],
        ("Invoke", "AWS", "StepFunctions") => &[
            "states:StartExecution",
            "states:DescribeExecution",
            "states:DescribeStateMachine",
        ],
        ("Invoke", "AWS", "CodePipeline") => &["codepipeline:StartPipelineExecution"],
        ("Approval", "AWS", "Manual") if action.configuration.contains_key("NotificationArn") => {
            &["sns:Publish"]
        }
        _ => &[],
    }
}

fn permissions(
    action: &ActionDeclaration,
    facts: Facts<'_>,
    place: &str,
    found: &mut Vec<Finding>,
) {
    // An action with a role of its own does not use the pipeline's.
    let Some(policy) = facts.policy.filter(|_| action.role_arn.is_none()) else {
        return;
    };
    let missing: Vec<&str> = needs(action)
        .iter()
        .copied()
        .filter(|it| !policy.allows(it))
        .collect();
    if !missing.is_empty() {
        found.push(
            Finding::new(
                DENIED,
                format!("action {} needs what the role's policy does not allow: {}", action.name, missing.join(", ")),
                format!("{place}.actionTypeId"),
            )
            .hint("allow it in the policy of the pipeline's role; resources and conditions are not looked at here"),
        );
    }
}

fn deprecated(action: &ActionDeclaration, place: &str, found: &mut Vec<Finding>) {
    let id = &action.action_type_id;
    let instead = match (&*id.owner, &*id.provider) {
        ("ThirdParty", "GitHub") => {
            "it polls or uses webhooks with a personal token: a connection (CodeStarSourceConnection) takes its place"
        }
        ("AWS", "OpsWorks") => "OpsWorks has ended: CodeDeploy takes its place",
        ("ThirdParty" | "Custom", "Runscope") => "Runscope is BlazeMeter API Monitoring now",
        ("ThirdParty" | "Custom", "StormRunnerLoad") => "StormRunner Load is LoadRunner Cloud now",
        _ => return,
    };
    found.push(
        Finding::new(
            OLD,
            format!(
                "action {} uses the deprecated provider {}",
                action.name, id.provider
            ),
            format!("{place}.actionTypeId"),
        )
        .hint(instead),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_json_text_that_a_variable_may_break_is_told() {
        for (value, expected) in [
            (r##"{"id": "#{Code.CommitId}"}"##, None),
            (
                r##"{"text": "#{Code.CommitMessage}"}"##,
                Some("#{Code.CommitMessage}"),
            ),
            (
                r##"{"text": "#{variables.Who}"}"##,
                Some("#{variables.Who}"),
            ),
            (r##"{"count": #{Build.Count}}"##, Some("#{Build.Count}")),
            (r##"["a \" b", "#{Code.CommitId}"]"##, None),
            ("#{Code.CommitMessage}", None),
            ("said #{Code.CommitMessage}", None),
            ("{{resolve:ssm:#{Code.AuthorName}}}", None),
        ] {
            assert_eq!(breaks(value).as_deref(), expected, "{value}");
        }
    }
}
