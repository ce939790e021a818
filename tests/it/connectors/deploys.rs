//! CloudFormation and ECS actions under `stagewright run` against moto, services of AWS by other people; skipped loudly
//! where it is not installed.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use harness::{
    process::{finish, shown},
    workspace::stagewright,
};
use serde_json::{Value, json};

use super::moto::Moto;

const TEMPLATE: &str = r#"
Parameters: {Name: {Type: String}, About: {Type: String, Default: nothing}}
Resources:
  News: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref Name, DisplayName: !Ref About}}
Outputs:
  NewsArn: {Value: !Ref News}
"#;

fn deploy(name: &str, provider: &str, order: u32, configuration: Value) -> Value {
    json!({"name": name, "runOrder": order, "namespace": name,
        "actionTypeId": {"category": "Deploy", "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": configuration, "inputArtifacts": [{"name": "App"}]})
}

/// What a person sees.
fn run(folder: &Path, endpoints: &[String], actions: &[Value]) -> (bool, String) {
    let output = finish(&mut command(folder, endpoints, actions));
    (output.status.success(), shown(&output))
}

fn command(folder: &Path, endpoints: &[String], actions: &[Value]) -> Command {
    let pipeline = json!({"pipeline": {
        "name": "release", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [{"name": "Source",
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"},
                "configuration": {"RepositoryName": "app", "BranchName": "main"},
                "outputArtifacts": [{"name": "App"}]}]},
            {"name": "Deploy", "actions": actions}]
    }});
    fs::write(folder.join("pipeline.json"), pipeline.to_string()).expect("written");
    let mut command = Command::new(stagewright());
    command
        .args(["run", "pipeline.json", "--source", "Source=source"])
        .args(["--state", "state", "--fast-clock"])
        .args(endpoints.iter().flat_map(|it| ["--endpoint", it]))
        .env("AWS_ACCESS_KEY_ID", "any")
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .current_dir(folder);
    command
}

fn source(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("source")).expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join("source").join(name), text).expect("written");
    }
    folder
}

fn stack(mode: &str, name: &str, more: Value) -> Value {
    let mut all = json!({"ActionMode": mode, "StackName": name});
    for (key, value) in more.as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    all
}

#[test]
fn stacks_are_made_changed_and_deleted_in_moto() {
    let Some(moto) = Moto::start() else {
        return;
    };
    let folder = source(&[
        ("stack.yaml", TEMPLATE),
        ("names.json", r#"{"First": "news-of-moto"}"#),
    ]);
    let endpoint = [format!("cloudformation={}", moto.url)];
    let first = json!({"TemplatePath": "App::stack.yaml", "Capabilities": "CAPABILITY_IAM",
        "ParameterOverrides": r#"{"Name": {"Fn::GetParam": ["App", "names.json", "First"]}}"#});
    let set = json!({"ChangeSetName": "next", "TemplatePath": "App::stack.yaml",
        "ParameterOverrides": r##"{"Name": "of-the-second", "About": "#{First.NewsArn}"}"##});
    let execute = json!({"ChangeSetName": "next"});
    let actions = [
        deploy(
            "First",
            "CloudFormation",
            1,
            stack("CREATE_UPDATE", "first", first),
        ),
        deploy(
            "Prepare",
            "CloudFormation",
            2,
            stack("CHANGE_SET_REPLACE", "second", set),
        ),
        deploy(
            "Execute",
            "CloudFormation",
            3,
            stack("CHANGE_SET_EXECUTE", "second", execute),
        ),
        deploy(
            "Clear",
            "CloudFormation",
            4,
            stack("DELETE_ONLY", "second", json!({})),
        ),
    ];
    // moto sees a change in an equal template; what CloudFormation says then is played in the unit tests
    for told in ["The stack first was created", "The stack first was updated"] {
        let (good, shown) = run(folder.path(), &endpoint, &actions);
        assert!(good, "{shown}");
        for text in [
            told,
            "The change set next was created",
            "The change set next of second was executed",
            "CREATE_COMPLETE second",
            "The stack second was deleted",
        ] {
            assert!(shown.contains(text), "{text} is missing\n{shown}");
        }
    }
    // What moto has now, beside what it deleted.
    let authorization = "AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/sns/aws4_request, SignedHeaders=host, Signature=0";
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", authorization),
    ];
    let body = b"Action=ListTopics&Version=2010-03-31";
    let listed = harness::http::request(&moto.url, "POST", "/", &headers, body);
    let listed = listed.expect("an answer").text();
    assert!(
        listed.contains(":news-of-moto") && !listed.contains("of-the-second"),
        "{listed}"
    );
}

#[test]
fn a_service_of_moto_gets_a_new_revision() {
    let Some(moto) = Moto::start() else {
        return;
    };
    let target = "AmazonEC2ContainerServiceV20141113";
    let ask =
        |operation: &str, input: Value| moto.ask("ecs", &format!("{target}.{operation}"), &input);
    ask("CreateCluster", json!({"clusterName": "live"}));
    let first = json!({"family": "shop", "cpu": "256", "containerDefinitions": [{"name": "web", "image": "repo:1", "memory": 64}]});
    ask("RegisterTaskDefinition", first);
    // moto runs no tasks: a service that wants none is stable
    ask(
        "CreateService",
        json!({"cluster": "live", "serviceName": "web", "taskDefinition": "shop", "desiredCount": 0}),
    );
    let folder = source(&[(
        "imagedefinitions.json",
        r#"[{"name": "web", "imageUri": "repo:2"}]"#,
    )]);
    let endpoint = [format!("ecs={}", moto.url)];
    let action = deploy(
        "Roll",
        "ECS",
        1,
        json!({"ClusterName": "live", "ServiceName": "web"}),
    );
    let (good, shown) = run(folder.path(), &endpoint, std::slice::from_ref(&action));
    assert!(
        good && shown
            .contains("web on live runs arn:aws:ecs:eu-west-1:123456789012:task-definition/shop:2"),
        "{shown}"
    );
    let described = ask(
        "DescribeTaskDefinition",
        json!({"taskDefinition": "shop:2"}),
    );
    let container = &described["taskDefinition"]["containerDefinitions"][0];
    assert_eq!(
        (&container["image"], &container["memory"]),
        (&json!("repo:2"), &json!(64))
    );
    let missing = deploy(
        "Roll",
        "ECS",
        1,
        json!({"ClusterName": "live", "ServiceName": "none"}),
    );
    let (good, shown) = run(folder.path(), &endpoint, &[missing]);
    assert!(
        !good && shown.contains("has no active service none"),
        "{shown}"
    );
}

#[test]
fn a_deployment_to_servers_is_made_in_moto() {
    let Some(moto) = Moto::start() else {
        return;
    };
    let ask = |operation: &str, input: Value| {
        moto.ask(
            "codedeploy",
            &format!("CodeDeploy_20141006.{operation}"),
            &input,
        )
    };
    ask(
        "CreateApplication",
        json!({"applicationName": "shop", "computePlatform": "Server"}),
    );
    let role = "arn:aws:iam::123456789012:role/deploy";
    ask(
        "CreateDeploymentGroup",
        json!({"applicationName": "shop", "deploymentGroupName": "live", "serviceRoleArn": role}),
    );
    let s3 = |method: &str, path: &str| {
        let authorization = "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        let headers = [("authorization", authorization), ("content-length", "0")];
        harness::http::request(&moto.url, method, path, &headers, b"").expect("an answer")
    };
    assert_eq!(s3("PUT", "/artifacts").status, 200);
    let folder = source(&[("appspec.yml", "version: 0.0\nos: linux\n")]);
    let endpoints = ["codedeploy", "s3"].map(|service| format!("{service}={}", moto.url));
    let action = deploy(
        "Servers",
        "CodeDeploy",
        1,
        json!({"ApplicationName": "shop", "DeploymentGroupName": "live"}),
    );
    // moto has no servers: its deployments stay Created for ever
    let mut running = command(folder.path(), &endpoints, &[action])
        .stdout(Stdio::null())
        .spawn()
        .expect("stagewright starts");
    let group = json!({"applicationName": "shop", "deploymentGroupName": "live"});
    let id = loop {
        let all = ask("ListDeployments", group.clone());
        if let Some(id) = all["deployments"][0].as_str() {
            break id.to_owned();
        }
        let ended = running.try_wait().expect("a child");
        assert!(ended.is_none(), "it ended without a deployment: {ended:?}");
    };
    running.kill().expect("it runs");
    running.wait().expect("it ends");
    let info = ask("GetDeployment", json!({"deploymentId": id}));
    let place = &info["deploymentInfo"]["revision"]["s3Location"];
    let path = format!("/artifacts/{}", place["key"].as_str().expect("a key"));
    let object = s3("GET", &path);
    assert_eq!(object.status, 200, "{path}");
    assert!(object.body.starts_with(b"PK"), "moto has the bundle");
}
