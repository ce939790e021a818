//! What functions were seen to use while all other tests ran, against what their roles grant.
//!
//! `make test` has the engines and stand-ins of all tests note it (`STAGEWRIGHT_CALLS`), and then runs this one alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
};

use harness::template::{granted, logical_id, template};

use super::{
    functions, none,
    permissions::{HOSTS, TOKENS},
};

/// Whose (how the name begins), what, why.
type Reason = (&'static str, &'static str, &'static str);

/// Granted, and not seen under the engine.
const NOT_SEEN: &[Reason] = &[
    ("", "logs:CreateLogStream", "Lambda logs with the role"),
    ("", "logs:PutLogEvents", "the same"),
    ("", "sqs:SendMessage", "Lambda sends what was given up"),
    ("", "xray:PutTraceSegments", "Lambda traces"),
    ("", "xray:PutTelemetryRecords", "the same"),
    (
        "action-",
        "kms:Decrypt",
        "S3 and the stores of secrets ask KMS for the caller",
    ),
    (
        "action-",
        "kms:GenerateDataKey",
        "S3 asks KMS for the caller",
    ),
    (
        "action-device-farm",
        "devicefarm:ListRuns",
        "after a lost start: tests of the function, in memory",
    ),
    (
        "action-device-farm",
        "devicefarm:StopRun",
        "at a stop: tests of the function, in memory",
    ),
    (
        "action-publish-site",
        "cloudfront:CreateInvalidation",
        "the engine has no CloudFront: tests of the function",
    ),
    (
        "action-run-state-machine",
        "states:StopExecution",
        "at a stop: tests of the function, in memory",
    ),
    (
        "action-run-task",
        "ecs:ListTasks",
        "after a lost start: tests of the function, in memory",
    ),
    (
        "action-run-task",
        "ecs:StopTask",
        "at a stop: tests of the function, in memory",
    ),
    (
        "action-run-task",
        "iam:PassRole",
        "ECS asks IAM for the caller of RunTask",
    ),
    (
        "approval-respond",
        "codepipeline:GetPipelineState",
        "where ListActionExecutions tells no summary; the engine's does",
    ),
    (
        "approval-",
        "sts:AssumeRole",
        "under the engine no role is named: `make e2e-infra` decides through it",
    ),
    ("approval-", "sts:SetSourceIdentity", "the same"),
    (
        "approval-sweep",
        "s3:PutObject",
        "under the engine no bucket is named: `make e2e-infra` finds the anchor",
    ),
    (
        "approval-sweep",
        "s3:PutObjectRetention",
        "the same, and its lock",
    ),
    (
        "approval-sweep",
        "sns:Publish",
        "under the engine no topic is named: `make e2e-infra` hears the alert",
    ),
    (
        "approval-sweep",
        "dynamodb:DeleteItem",
        "an hour after an approval's end: tests of the function, in memory",
    ),
    (
        "approval-sweep",
        "cloudwatch:DescribeAlarms",
        "for gates of rules: tests of approvals, in memory",
    ),
    (
        "approval-sweep",
        "ssm:GetCalendarState",
        "for freezes of rules: the same",
    ),
    (
        "approval-",
        "secretsmanager:GetSecretValue",
        "for sign-ins and chats: tests of the functions, in memory",
    ),
    ("approval-", "ssm:GetParameter", "the same"),
    (
        "approval-",
        "kms:Decrypt",
        "the stores of secrets ask KMS for the caller",
    ),
    (
        "approval-notify",
        "sns:Publish",
        "for mails by a topic: tests of the function, in memory",
    ),
    (
        "approval-respond",
        "states:GetExecutionHistory",
        "after a lost answer: tests of shared-aws",
    ),
    ("approval-respond", "states:SendTaskHeartbeat", "the same"),
    (
        "approval-sweep",
        "states:SendTaskSuccess",
        "for what a crash left: tests of the function, in memory",
    ),
    ("approval-sweep", "states:SendTaskFailure", "the same"),
];

/// What every action does through the same code (`shared::drive`, the ports of secrets and of a task's artifacts):
/// one that does it does it for all.
const COMMON: &[&str] = &[
    "s3:GetObject",
    "s3:PutObject",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
];

/// Seen, and the template grants it to nobody or to another role.
const NOT_GRANTED: &[Reason] = &[(
    "approval-",
    "codepipeline:PutApprovalResult",
    "without STAGEWRIGHT_APPROVER_ROLE, which the template sets, results are sent with the own role",
)];

fn excused(reasons: &[Reason], function: &str, action: &str) -> bool {
    let holds = |(who, what, _): &Reason| function.starts_with(who) && action == *what;
    reasons.iter().any(holds)
}

#[test]
fn roles_grant_what_is_used_and_nothing_else() {
    let Some(file) = env::var_os("STAGEWRIGHT_CALLS") else {
        eprintln!("SKIPPED: STAGEWRIGHT_CALLS names no file; `make test` notes calls and asks");
        return;
    };
    let text = fs::read_to_string(&file).expect("what the other tests noted");
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in text.lines() {
        let (function, action) = line.split_once(' ').expect("FUNCTION service:Action");
        seen.entry(function).or_default().insert(action);
    }
    let template = template("template.yaml");
    let mut offenders = Vec::new();
    let actions = seen.iter().filter(|(name, _)| name.starts_with("action-"));
    let of_hosts: BTreeSet<&str> = actions
        .flat_map(|(_, used)| used)
        .filter(|used| {
            [&HOSTS[..], &TOKENS, COMMON]
                .iter()
                .any(|list| list.contains(used))
        })
        .copied()
        .collect();
    for name in functions() {
        let used = seen.remove(name.as_str()).unwrap_or_default();
        let has = granted(&template, &format!("{}Role", logical_id(&name)));
        let missing = used.iter().filter(|action| !has.contains(**action));
        for action in missing {
            if !excused(NOT_GRANTED, &name, action) {
                offenders.push(format!("{name} used {action}, which is not granted"));
            }
        }
        let common = |action: &str| name.starts_with("action-") && of_hosts.contains(action);
        let idle = has
            .iter()
            .filter(|action| !used.contains(action.as_str()) && !common(action));
        for action in idle {
            if !excused(NOT_SEEN, &name, action) {
                offenders.push(format!("{name} never used {action}, which is granted"));
            }
        }
    }
    // A reason stays needed while somebody is granted the action: whether a crash is played may depend on the time.
    let idle = NOT_SEEN.iter().filter(|(who, what, _)| {
        let mut whose = functions().into_iter().filter(|name| name.starts_with(who));
        !whose.any(|name| granted(&template, &format!("{}Role", logical_id(&name))).contains(*what))
    });
    offenders
        .extend(idle.map(|(who, what, _)| format!("{who}*: {what} has a reason and no grant")));
    none("roles of infra/template.yaml", &offenders);
}
