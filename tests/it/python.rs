//! A Python function under AWS's own runtime client (awslambdaric): a second judge of the Lambda host.

use std::{fs, process::Command};

use harness::{
    process::{client, finish, shown},
    workspace::{root, stagewright},
};
use serde_json::{Value, json};

/// Runs a pipeline whose invoke actions have these `UserParameters`, in this order; answers status and output.
fn run(parameters: &[&str]) -> Option<(Option<i32>, String)> {
    run_with(parameters, &json!({}))
}

/// As [`run`], with these further members of the stage that calls.
fn run_with(parameters: &[&str], members: &Value) -> Option<(Option<i32>, String)> {
    let python = client("python3")?;
    let ready = finish(Command::new(&python).args(["-c", "import awslambdaric"]));
    if !ready.status.success() {
        assert!(std::env::var_os("CI").is_none(), "{}", shown(&ready));
        eprintln!("SKIPPED: awslambdaric is not installed under target/clients");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("source")).expect("a folder");
    fs::write(at("source/index.html"), "bread").expect("a file");
    fs::write(at("source/style.css"), "p{}").expect("a file");
    let config = format!(
        "[engine]\nasync_retry_seconds = [0, 0]\ncontinuation_seconds = 0\n[function.python-action]\ntimeout_seconds = 60\ncwd = {:?}\n\
         command = [{:?}, \"-m\", \"awslambdaric\", \"function.handler\"]\n\
         environment = {{ PYTHONDONTWRITEBYTECODE = \"1\" }}\n",
        root().join("tests/clients"),
        python,
    );
    fs::write(at("stagewright.toml"), config).expect("a file");
    let action = |order: usize, parameters: &str| {
        json!({
            "name": format!("Call{order}"), "runOrder": order, "namespace": format!("Call{order}"),
            "actionTypeId": {"category": "Invoke", "owner": "AWS", "provider": "Lambda", "version": "1"},
            "configuration": {"FunctionName": "python-action", "UserParameters": parameters},
            "inputArtifacts": [{"name": "Site"}]
        })
    };
    let actions: Vec<Value> = (1..).zip(parameters).map(|(n, p)| action(n, p)).collect();
    let mut definition = json!({
        "name": "python", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [{"name": "Source",
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"},
                "configuration": {"RepositoryName": "site", "BranchName": "main"}, "outputArtifacts": [{"name": "Site"}]}]},
            {"name": "Call", "actions": actions}]
    });
    for (member, value) in members.as_object().into_iter().flatten() {
        definition["stages"][1][member] = value.clone();
    }
    fs::write(at("pipeline.json"), definition.to_string()).expect("a file");
    let output = finish(
        Command::new(stagewright())
            .args(["run", "pipeline.json", "--source", "Source=source"])
            .current_dir(folder.path()),
    );
    Some((output.status.code(), shown(&output)))
}

#[test]
fn a_python_function_reads_its_artifact_and_reports() {
    let Some((status, told)) = run(&["list", "got #{Call1.Names}"]) else {
        return;
    };
    assert_eq!(status, Some(0), "{told}");
    assert!(
        told.contains("the artifact holds index.html,style.css"),
        "{told}"
    );
}

#[test]
fn an_exception_in_python_fails_the_action_in_its_own_words() {
    let Some((status, told)) = run(&["raise"]) else {
        return;
    };
    assert_eq!(status, Some(1), "{told}");
    assert!(
        told.contains("RuntimeError") && told.contains("the dice fell badly"),
        "{told}"
    );
}

#[test]
fn a_python_function_decides_as_a_rule_in_two_jobs() {
    let id =
        json!({"category": "Rule", "owner": "AWS", "provider": "LambdaInvoke", "version": "1"});
    let rule = json!({"name": "Ready", "ruleTypeId": id, "inputArtifacts": [{"name": "Site"}],
        "configuration": {"FunctionName": "python-action", "UserParameters": "rule"}});
    let gate = json!({"beforeEntry": {"conditions": [{"result": "FAIL", "rules": [rule]}]}});
    let Some((status, told)) = run_with(&["list"], &gate) else {
        return;
    };
    assert_eq!(status, Some(0), "{told}");
    for expected in [
        "asked by Call Ready first",
        "asked by Call Ready again",
        "all tables are there",
        "beforeEntry condition succeeded",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}
