//! How long actions and rules may take (`codepipeline.md` 3.7).

use std::sync::Arc;

use engine_plan::{
    action_type::KNOWN,
    definition::{ActionTypeId, PipelineDeclaration},
    timeout,
};
use serde_json::{Value, json};

use crate::harness::{Desk, declared, job_succeeded, pipeline};

const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;

/// Stage Work with one action of that type, started; unchecked, so that no configuration is needed.
fn working(id: &Value, extra: &Value) -> Desk {
    let mut definition = pipeline(&[("Source", &["s"]), ("Work", &["b"])]);
    let action = &mut definition["stages"][1]["actions"][0];
    *action = json!({"name": "it", "actionTypeId": id, "runOrder": 1, "configuration": {}});
    for (key, value) in extra.as_object().unwrap() {
        action[key] = value.clone();
    }
    let unchecked: PipelineDeclaration = serde_json::from_value(definition).unwrap();
    let good = pipeline(&[("Source", &["s"]), ("Work", &["b"])]);
    let mut desk = Desk::with(declared(good));
    let known = desk.state.pipelines.get_mut("p").unwrap();
    known.versions.insert(1, Arc::new(unchecked));
    desk.start();
    desk.succeed("s");
    desk
}

/// Lets it run until just before the limit, and to it; answers `code: message` of its end.
fn end_at(mut desk: Desk, minutes: u32) -> String {
    let id = desk.task("it").action_execution;
    let seconds = i64::from(minutes) * 60;
    let mut passed = 0;
    // a function is heard of every ten minutes
    while let Some(job) = open_job(&desk).filter(|_| passed + 600 < seconds) {
        desk.tell(job_succeeded(&job, Some("more")));
        desk.pass(600);
        passed += 600;
        desk.tasks.clear();
    }
    desk.pass(seconds - passed - 1);
    assert_eq!(desk.statuses(), "InProgress", "before {minutes} minutes");
    desk.pass(1);
    assert_eq!(desk.statuses(), "Failed", "at {minutes} minutes");
    assert!(desk.cancelled.contains(&id), "its provider is told");
    assert_eq!(desk.state.next_due(), None);
    let (_, run) = desk.state.pipelines["p"].latest_run("Work", "it").unwrap();
    let error = run.error.as_ref().unwrap();
    format!("{}: {}", error.code, error.message)
}

fn open_job(desk: &Desk) -> Option<String> {
    let (_, run) = desk.state.pipelines["p"].latest_run("Work", "it")?;
    run.job
        .clone()
        .filter(|_| run.action_type.category == "Invoke")
}

#[test]
fn s3_7_every_action_ends_at_its_limit() {
    let mut listed = Vec::new();
    for (category, owner, provider, minutes) in [
        ("Source", "AWS", "S3", HOUR),
        ("Source", "AWS", "CodeCommit", HOUR),
        ("Source", "ThirdParty", "GitHub", HOUR),
        ("Source", "AWS", "CodeStarSourceConnection", HOUR),
        ("Source", "AWS", "ECR", HOUR),
        ("Build", "AWS", "CodeBuild", 36 * HOUR),
        ("Test", "AWS", "CodeBuild", 8 * HOUR),
        ("Compute", "AWS", "Commands", 55),
        ("Build", "AWS", "Commands", 55),
        ("Build", "AWS", "ECRBuildAndPublish", HOUR),
        ("Test", "AWS", "DeviceFarm", 8 * HOUR),
        ("Deploy", "AWS", "S3", 90),
        ("Deploy", "AWS", "CodeDeploy", 5 * DAY),
        ("Deploy", "AWS", "CodeDeployToECS", 5 * DAY),
        ("Deploy", "AWS", "ECS", HOUR),
        ("Deploy", "AWS", "EKS", HOUR),
        ("Deploy", "AWS", "EC2", HOUR),
        ("Deploy", "AWS", "Lambda", HOUR),
        ("Deploy", "AWS", "CloudFormation", 3 * DAY),
        ("Deploy", "AWS", "CloudFormationStackSet", 3 * DAY),
        ("Deploy", "AWS", "CloudFormationStackInstances", 3 * DAY),
        ("Deploy", "AWS", "ElasticBeanstalk", HOUR),
        ("Deploy", "AWS", "ServiceCatalog", HOUR),
        ("Deploy", "AWS", "AppConfig", HOUR),
        ("Deploy", "ThirdParty", "AlexaSkillsKit", HOUR),
        ("Deploy", "AWS", "OpsWorks", HOUR),
        ("Invoke", "AWS", "Lambda", DAY),
        ("Invoke", "AWS", "StepFunctions", 7 * DAY),
        ("Invoke", "AWS", "CodePipeline", HOUR),
        ("Invoke", "AWS", "InspectorScan", HOUR),
        ("Approval", "AWS", "Manual", 7 * DAY),
        ("Build", "Custom", "Jenkins", DAY),
        ("Test", "Custom", "Worker", DAY),
    ] {
        let id =
            json!({"category": category, "owner": owner, "provider": provider, "version": "1"});
        let said = end_at(working(&id, &json!({})), minutes);
        let code = if category == "Approval" {
            "ApprovalTimedOut: "
        } else {
            "JobTimedOut: "
        };
        assert!(said.starts_with(code), "{category} {provider}: {said}");
        listed.push((category, owner, provider));
    }
    for known in KNOWN {
        let id = (known.category, known.owner, known.provider);
        assert!(listed.contains(&id), "{id:?} has no row here");
    }
}

#[test]
fn s3_7_some_actions_name_their_own() {
    let id = |category: &str, provider: &str| json!({"category": category, "owner": "AWS", "provider": provider, "version": "1"});
    let ecs = |text: &str| json!({"configuration": {"DeploymentTimeout": text}});
    for (id, extra, minutes) in [
        (id("Approval", "Manual"), json!({"timeoutInMinutes": 5}), 5),
        (
            id("Approval", "Manual"),
            json!({"timeoutInMinutes": 86_400}),
            86_400,
        ),
        // only approvals
        (
            id("Build", "CodeBuild"),
            json!({"timeoutInMinutes": 5}),
            36 * HOUR,
        ),
        (id("Deploy", "ECS"), ecs("15"), 15),
        (id("Deploy", "ECS"), ecs("90"), HOUR),
        (id("Deploy", "ECS"), ecs("soon"), HOUR),
    ] {
        end_at(working(&id, &extra), minutes);
    }
}

#[test]
fn s3_7_every_rule_ends_at_its_limit() {
    for (provider, configuration, named, minutes) in [
        ("LambdaInvoke", json!({"FunctionName": "f"}), None, 20),
        ("LambdaInvoke", json!({"FunctionName": "f"}), Some(5), 5),
        ("CloudWatchAlarm", json!({"AlarmName": "a"}), None, 60),
        ("CloudWatchAlarm", json!({"AlarmName": "a"}), Some(7), 7),
        ("DeploymentWindow", json!({"Cron": "0 0 9 * * ?"}), None, 60),
        (
            "DeploymentWindow",
            json!({"Cron": "0 0 9 * * ?"}),
            Some(86_400),
            86_400,
        ),
        ("CodeBuild", json!({"ProjectName": "x"}), None, 60),
        ("CodeBuild", json!({"ProjectName": "x"}), Some(120), 120),
        ("Commands", json!({}), None, 55),
        ("Commands", json!({}), Some(30), 30),
        // the limit of Commands is not raised
        ("Commands", json!({}), Some(120), 55),
    ] {
        let id = json!({"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"});
        let mut rule = json!({"name": "r", "ruleTypeId": id, "configuration": configuration});
        if provider == "Commands" {
            rule["commands"] = json!(["true"]);
        }
        if let Some(minutes) = named {
            rule["timeoutInMinutes"] = json!(minutes);
        }
        let mut definition = pipeline(&[("Source", &["s"]), ("Work", &["b"])]);
        definition["stages"][1]["beforeEntry"] =
            json!({"conditions": [{"result": "FAIL", "rules": [rule]}]});
        let mut desk = Desk::with(declared(definition));
        desk.start();
        desk.succeed("s");
        let task = desk.task("r");
        desk.pass(i64::from(minutes) * 60 - 1);
        assert_eq!(desk.statuses(), "InProgress", "{provider} {named:?}");
        desk.pass(1);
        assert_eq!(desk.statuses(), "Failed", "{provider} {named:?}");
        assert_eq!(desk.cancelled, [task.action_execution]);
        assert_eq!(desk.state.next_due(), None);
    }
}

#[test]
fn s3_7_the_limits_are_the_documents() {
    let id = ActionTypeId {
        category: "Deploy".to_owned(),
        owner: "AWS".to_owned(),
        provider: "NewThing".to_owned(),
        version: "1".to_owned(),
    };
    assert_eq!(timeout::of_action(&id, &[].into(), None), timeout::CUSTOM);
}
