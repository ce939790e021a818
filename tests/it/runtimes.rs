//! Functions in Python and Node under AWS's own runtime clients (awslambdaric, aws-lambda-ric): judges of the Lambda host.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use harness::{
    process::{client, finish, installed, shown},
    workspace::{root, stagewright},
};
use serde_json::{Value, json};

/// A function under a runtime client.
struct Function {
    name: &'static str,
    command: Vec<String>,
    /// `NAME = "VALUE"`, with commas between.
    environment: String,
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The function in Python; nothing where its client is not installed.
fn python() -> Option<Function> {
    let python = client("python3")?;
    let ready = finish(Command::new(&python).args(["-c", "import awslambdaric"]));
    if !ready.status.success() {
        assert!(std::env::var_os("CI").is_none(), "{}", shown(&ready));
        eprintln!("SKIPPED: awslambdaric is not installed under target/clients");
        return None;
    }
    Some(Function {
        name: "python-action",
        command: vec![
            text(&python),
            "-m".to_owned(),
            "awslambdaric".to_owned(),
            "function.handler".to_owned(),
        ],
        environment: "PYTHONDONTWRITEBYTECODE = \"1\"".to_owned(),
    })
}

/// Where npm put packages for functions in Node.
fn modules() -> Option<PathBuf> {
    installed("node/node_modules")
}

/// The function in Node; nothing where its client is not installed.
fn node() -> Option<Function> {
    let modules = modules()?;
    Some(Function {
        name: "node-action",
        command: vec![
            text(&modules.join(".bin/aws-lambda-ric")),
            "node_function.handler".to_owned(),
        ],
        environment: format!("NODE_PATH = {:?}", text(&modules)),
    })
}

impl Function {
    /// Runs a pipeline whose invoke actions have these `UserParameters`, in this order; answers status and output.
    fn run(&self, parameters: &[&str]) -> (Option<i32>, String) {
        self.run_with(parameters, &json!({}))
    }

    /// As [`Self::run`], with these further members of the stage that calls.
    fn run_with(&self, parameters: &[&str], members: &Value) -> (Option<i32>, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("source")).expect("a folder");
        fs::write(at("source/index.html"), "bread").expect("a file");
        fs::write(at("source/style.css"), "p{}").expect("a file");
        let config = format!(
            "[engine]\nasync_retry_seconds = [0, 0]\ncontinuation_seconds = 0\n[function.{}]\ntimeout_seconds = 60\ncwd = {:?}\n\
             command = {:?}\nenvironment = {{ {} }}\n",
            self.name,
            root().join("tests/clients"),
            self.command,
            self.environment,
        );
        fs::write(at("stagewright.toml"), config).expect("a file");
        let action = |order: usize, parameters: &str| {
            json!({
                "name": format!("Call{order}"), "runOrder": order, "namespace": format!("Call{order}"),
                "actionTypeId": {"category": "Invoke", "owner": "AWS", "provider": "Lambda", "version": "1"},
                "configuration": {"FunctionName": self.name, "UserParameters": parameters},
                "inputArtifacts": [{"name": "Site"}]
            })
        };
        let actions: Vec<Value> = (1..).zip(parameters).map(|(n, p)| action(n, p)).collect();
        let mut definition = json!({
            "name": "runtimes", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2",
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
        (output.status.code(), shown(&output))
    }

    fn reads_its_artifact_and_reports(&self) {
        let (status, told) = self.run(&["list", "got #{Call1.Names}"]);
        assert_eq!(status, Some(0), "{told}");
        let expected = "the artifact holds index.html,style.css";
        assert!(told.contains(expected), "{told}");
    }

    fn decides_as_a_rule_in_two_jobs(&self) {
        let id =
            json!({"category": "Rule", "owner": "AWS", "provider": "LambdaInvoke", "version": "1"});
        let rule = json!({"name": "Ready", "ruleTypeId": id, "inputArtifacts": [{"name": "Site"}],
            "configuration": {"FunctionName": self.name, "UserParameters": "rule"}});
        let gate = json!({"beforeEntry": {"conditions": [{"result": "FAIL", "rules": [rule]}]}});
        let (status, told) = self.run_with(&["list"], &gate);
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
}

#[test]
fn a_python_function_reads_its_artifact_and_reports() {
    if let Some(python) = python() {
        python.reads_its_artifact_and_reports();
    }
}

#[test]
fn a_node_function_reads_its_artifact_and_reports() {
    if let Some(node) = node() {
        node.reads_its_artifact_and_reports();
    }
}

#[test]
fn an_exception_in_python_fails_the_action_in_its_own_words() {
    let Some(python) = python() else { return };
    let (status, told) = python.run(&["raise"]);
    assert_eq!(status, Some(1), "{told}");
    for expected in ["RuntimeError", "the dice fell badly"] {
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn an_error_in_node_fails_the_action_in_its_own_words() {
    let Some(node) = node() else { return };
    let (status, told) = node.run(&["raise"]);
    assert_eq!(status, Some(1), "{told}");
    for expected in ["RangeError", "the dice fell badly"] {
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_python_function_decides_as_a_rule_in_two_jobs() {
    if let Some(python) = python() {
        python.decides_as_a_rule_in_two_jobs();
    }
}

#[test]
fn a_node_function_decides_as_a_rule_in_two_jobs() {
    if let Some(node) = node() {
        node.decides_as_a_rule_in_two_jobs();
    }
}

/// A template whose function holds its code, with this runtime.
fn inline(runtime: &str, code: &str) -> String {
    let id = |category: &str, provider: &str| json!({"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"});
    let role = "arn:aws:iam::123456789012:role/r";
    json!({"Resources": {
        "Greet": {"Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": "greet", "Runtime": runtime, "Handler": "index.handler", "Timeout": 60, "Role": role,
            "Environment": {"Variables": {"GREETING": "good morning"}}, "Code": {"ZipFile": code}}},
        "Release": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {
            "RoleArn": role, "PipelineType": "V2", "ArtifactStore": {"Type": "S3", "Location": "artifacts"},
            "Stages": [
                {"Name": "Source", "Actions": [{"Name": "Source", "ActionTypeId": id("Source", "CodeCommit"),
                    "Configuration": {"RepositoryName": "site", "BranchName": "main"}, "OutputArtifacts": [{"Name": "App"}]}]},
                {"Name": "Call", "Actions": [{"Name": "Greet", "ActionTypeId": id("Invoke", "Lambda"),
                    "Configuration": {"FunctionName": {"Ref": "Greet"}}}]}]}},
    }})
    .to_string()
}

/// Runs such a template with these folders before everything else in `PATH`.
fn run_inline(template: &str, first: &[PathBuf]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let write =
        |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    fs::create_dir(folder.path().join("source")).expect("a folder");
    write("source/a.txt", "a");
    write("template.json", template);
    write(
        "stagewright.toml",
        "[engine]\nasync_retry_seconds = [0, 0]\n",
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = first.iter().cloned().chain(std::env::split_paths(&path));
    let output = finish(
        Command::new(stagewright())
            .args(["run", "template.json", "--source", "Source=source"])
            .env("PATH", std::env::join_paths(path).expect("a path"))
            .current_dir(folder.path()),
    );
    (output.status.code(), shown(&output))
}

#[test]
fn code_in_a_template_runs_in_python_and_node() {
    let report = |python: bool| match python {
        true => {
            "import os, boto3\ndef handler(event, context):\n    print('code of the template says', os.environ['GREETING'])\n    \
             boto3.client('codepipeline').put_job_success_result(jobId=event['CodePipeline.job']['id'])\n"
        }
        false => {
            "exports.handler = async (event) => {\n  console.log('code of the template says', process.env.GREETING);\n  \
             const {id} = event['CodePipeline.job'];\n  const url = process.env.AWS_ENDPOINT_URL;\n  \
             const answer = await fetch(url, {method: 'POST', body: JSON.stringify({jobId: id}), headers: {\n    \
             'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'CodePipeline_20150709.PutJobSuccessResult',\n    \
             authorization: 'AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/codepipeline/aws4_request, SignedHeaders=host, Signature=0'}});\n  \
             if (!answer.ok) throw new Error(await answer.text());\n};\n"
        }
    };
    if let Some(python) = client("python3") {
        let bin = python.parent().expect("a folder").to_owned();
        let (status, told) = run_inline(&inline("python3.12", report(true)), &[bin]);
        assert_eq!(status, Some(0), "{told}");
        assert!(
            told.contains("code of the template says good morning"),
            "{told}"
        );
    }
    if let Some(modules) = modules() {
        let (status, told) = run_inline(
            &inline("nodejs20.x", report(false)),
            &[modules.join(".bin")],
        );
        assert_eq!(status, Some(0), "{told}");
        assert!(
            told.contains("code of the template says good morning"),
            "{told}"
        );
    }
}
