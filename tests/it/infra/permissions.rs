//! Roles of the template against what the functions say they need: nothing missing, nothing too much.

use std::{collections::BTreeSet, fs, process::Command};

use harness::{
    process::{finish, shown},
    template::{granted, logical_id, template},
    workspace::{root, stagewright},
};
use serde_json::{Value, json};

use super::{functions, none};

/// What Lambda itself does with the role: logs, the queue of what was given up, traces.
const LAMBDA: [&str; 5] = [
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:SendMessage",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
];
/// An action's hosts (docs/hosts.md): jobs, the table of workers and tasks, stops.
pub const HOSTS: [&str; 10] = [
    "codepipeline:PutJobSuccessResult",
    "codepipeline:PutJobFailureResult",
    "codepipeline:GetJobDetails",
    "codepipeline:AcknowledgeJob",
    "codepipeline:PollForJobs",
    "codepipeline:ListActionExecutions",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:DeleteItem",
    "dynamodb:Query",
];
/// Where a state machine gives the action a task token.
pub const TOKENS: [&str; 3] = [
    "states:SendTaskSuccess",
    "states:SendTaskFailure",
    "states:SendTaskHeartbeat",
];

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn described(action: &str, form: &str) -> String {
    let program = stagewright().parent().expect("target/PROFILE").join(action);
    let output = finish(Command::new(program).args(["--describe", form]));
    assert!(output.status.success(), "{action}: {}", shown(&output));
    String::from_utf8(output.stdout).expect("a description is text")
}

/// What a description, the hosts and Lambda need together.
fn of_action(name: &str) -> BTreeSet<String> {
    let page = described(name, "page");
    let (_, table) = page.split_once("| permission |").unwrap_or_default();
    let own = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut needs: BTreeSet<String> = own.map(str::to_owned).collect();
    // A job's artifacts come with their own credentials; a task's are read and written by the role.
    let artifacts = described(name, "action-type");
    let most = |kind: &str| {
        let (_, rest) = artifacts.split_once(kind).unwrap_or_default();
        let (_, rest) = rest.split_once("MaximumCount: ").unwrap_or_default();
        !rest.starts_with('0')
    };
    let (reads, writes) = (most("InputArtifactDetails"), most("OutputArtifactDetails"));
    let mut with = |names: &[&str]| needs.extend(set(names));
    if reads {
        with(&["s3:GetObject", "kms:Decrypt"]);
    }
    if writes {
        with(&["s3:PutObject", "kms:Decrypt", "kms:GenerateDataKey"]);
    }
    with(&HOSTS);
    with(&LAMBDA);
    with(&TOKENS);
    // Secrets may have a key of their own.
    if needs.contains("secretsmanager:GetSecretValue") {
        needs.insert("kms:Decrypt".to_owned());
    }
    needs
}

/// `service:Operation` of the paragraph **Permissions:** of a function's own description; a name without a service has
/// that of the name before it.
fn of_other(name: &str) -> BTreeSet<String> {
    let lib =
        fs::read_to_string(root().join("functions").join(name).join("src/lib.rs")).expect("lib.rs");
    let (_, rest) = lib
        .split_once("**Permissions:**")
        .expect("a function says what it needs");
    let (paragraph, _) = rest
        .split_once("//! **")
        .expect("another paragraph follows");
    let mut service = String::new();
    let mut needs = set(&LAMBDA);
    for word in paragraph.split('`').skip(1).step_by(2) {
        let operation = word.split_once(':').map_or(word, |(of, operation)| {
            service = of.to_owned();
            operation
        });
        let is_name = operation.starts_with(|c: char| c.is_ascii_uppercase())
            && operation.chars().all(|c| c.is_ascii_alphanumeric());
        if is_name {
            needs.insert(format!("{service}:{operation}"));
        }
    }
    needs
}

#[test]
fn roles_hold_what_functions_need_and_nothing_else() {
    let template = template("template.yaml");
    let mut offenders = Vec::new();
    for name in functions() {
        let needs = if name.starts_with("action-") {
            of_action(&name)
        } else {
            of_other(&name)
        };
        let has = granted(&template, &format!("{}Role", logical_id(&name)));
        offenders.extend(
            needs
                .difference(&has)
                .map(|missing| format!("{name}: {missing} is not granted")),
        );
        offenders.extend(
            has.difference(&needs)
                .map(|extra| format!("{name}: {extra} is granted and nothing says what for")),
        );
    }
    none("infra/template.yaml", &offenders);
}

#[test]
fn one_signs_and_another_decides() {
    let template = template("template.yaml");
    let roles = template["Resources"].as_object().expect("resources").iter();
    let roles = roles.filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role");
    for (id, _) in roles {
        let has = granted(&template, id);
        assert_eq!(
            has.contains("kms:Sign"),
            id == "ApprovalNotifyRole",
            "{id}: kms:Sign"
        );
        assert_eq!(
            has.contains("codepipeline:PutApprovalResult"),
            id == "ApproverRole",
            "{id}: PutApprovalResult"
        );
        assert!(
            !has.contains("codepipeline:OverrideStageCondition"),
            "{id}: OverrideStageCondition"
        );
        assert_eq!(
            has.contains("sts:AssumeRole"),
            ["ApprovalRespondRole", "ApprovalSweepRole"].contains(&id.as_str()),
            "{id}: AssumeRole"
        );
        assert!(
            has.iter().all(|action| !action.contains('*')),
            "{id}: {has:?}"
        );
    }
}

#[test]
fn only_page_and_sweep_become_the_approver_and_never_without_a_name() {
    let template = template("template.yaml");
    let role = &template["Resources"]["ApproverRole"]["Properties"];
    let trust = role["AssumeRolePolicyDocument"]["Statement"]
        .as_array()
        .expect("statements");
    let [trust] = trust.as_slice() else {
        panic!("one statement: {trust:?}");
    };
    let arn = |role: &str| json!({"Fn::GetAtt": [role, "Arn"]});
    assert_eq!(
        trust["Principal"],
        json!({"AWS": [arn("ApprovalRespondRole"), arn("ApprovalSweepRole")]})
    );
    assert_eq!(
        trust["Condition"],
        json!({"Null": {"sts:SourceIdentity": "false"}})
    );
    let text = fs::read_to_string(root().join("infra/scp.json")).expect("scp.json");
    let policy: Value = serde_json::from_str(&text).expect("JSON");
    let only = &policy["Statement"][0]["Condition"]["ArnNotLike"]["aws:PrincipalArn"];
    assert_eq!(
        *only,
        json!([
            "arn:*:iam::*:role/stagewright-ApproverRole-*",
            "arn:*:iam::*:role/break-glass"
        ])
    );
}

#[test]
fn anchors_of_the_audit_are_locked_and_written_by_the_sweep_alone() {
    let template = template("audit.yaml");
    let bucket = &template["Resources"]["Anchors"];
    assert_eq!(bucket["DeletionPolicy"], "Retain");
    assert_eq!(bucket["Properties"]["ObjectLockEnabled"], true);
    assert_eq!(
        bucket["Properties"]["VersioningConfiguration"]["Status"],
        "Enabled"
    );
    let lock = &bucket["Properties"]["ObjectLockConfiguration"]["Rule"]["DefaultRetention"];
    assert_eq!(lock["Mode"], "COMPLIANCE");
    let statements =
        &template["Resources"]["AnchorsPolicy"]["Properties"]["PolicyDocument"]["Statement"];
    let writes = statements
        .as_array()
        .expect("statements")
        .iter()
        .find(|one| one["Sid"] == "OnlyTheSweepWrites")
        .expect("who writes");
    assert_eq!(writes["Effect"], "Deny");
    let role = writes["Condition"]["ArnNotLike"]["aws:PrincipalArn"]["Fn::Sub"].as_str();
    assert!(
        role.is_some_and(|arn| arn.ends_with("role/${FunctionsStack}-ApprovalSweepRole-*")),
        "{role:?}"
    );
}
