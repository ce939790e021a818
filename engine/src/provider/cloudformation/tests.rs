//! Actions against a scripted CloudFormation: what goes well.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::provider::{
    bench::{Answers, Bench, told},
    workshop::tests::task,
};

mod failures;

const TEMPLATE: &str = r#"{"Parameters": {"Key": {"Type": "String"}, "Size": {"Type": "Number", "Default": 1}},
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"TopicArn": {"Value": {"Ref": "Topic"}}}}"#;

/// A CloudFormation with one stack, whose next states are scripted.
#[derive(Default)]
struct Script {
    /// States that DescribeStacks goes through; the last one stays. Empty: no stack.
    stack: Vec<&'static str>,
    after: Vec<&'static str>,
    sets: Vec<(&'static str, &'static str)>,
    events: &'static str,
    update: Option<&'static str>,
}

fn refused(message: &str) -> (u16, String) {
    let text = format!(
        "<ErrorResponse><Error><Code>ValidationError</Code><Message>{message}</Message></Error></ErrorResponse>"
    );
    (400, text)
}

impl Script {
    fn answer(&mut self, operation: &str) -> (u16, String) {
        let result = |inner: String| {
            let text = format!(
                "<{operation}Response><{operation}Result>{inner}</{operation}Result></{operation}Response>"
            );
            (200, text)
        };
        let step = |states: &mut Vec<&'static str>| match states.len() {
            0 => None,
            1 => Some(states[0]),
            _ => Some(states.remove(0)),
        };
        match operation {
            "DescribeStacks" => match step(&mut self.stack) {
                None => refused("Stack with id shop does not exist"),
                Some(status) => result(format!(
                    "<Stacks><member><StackId>arn:stack</StackId><StackStatus>{status}</StackStatus>\
                     <Outputs><member><OutputKey>TopicArn</OutputKey><OutputValue>arn:topic</OutputValue></member></Outputs></member></Stacks>"
                )),
            },
            "DescribeStackEvents" => result(format!("<StackEvents>{}</StackEvents>", self.events)),
            "DescribeChangeSet" => match self.sets.first().copied() {
                None => refused("ChangeSet [next] does not exist"),
                Some((status, reason)) => {
                    if self.sets.len() > 1 {
                        self.sets.remove(0);
                    }
                    result(format!(
                        "<Status>{status}</Status><StatusReason>{reason}</StatusReason>"
                    ))
                }
            },
            "UpdateStack" if self.update.is_some() => refused(self.update.unwrap_or_default()),
            "DeleteStack" => {
                self.stack = std::mem::take(&mut self.after);
                result(String::new())
            }
            _ => {
                if !self.after.is_empty() {
                    self.stack = std::mem::take(&mut self.after);
                }
                if operation == "CreateChangeSet" {
                    self.sets = vec![("CREATE_PENDING", ""), ("CREATE_COMPLETE", "")];
                    if self.update.is_some() {
                        self.sets = vec![(
                            "FAILED",
                            "The submitted information didn't contain changes. Submit different information to create a change set.",
                        )];
                    }
                }
                result(String::new())
            }
        }
    }
}

const SETTINGS: &str = r#"{"Parameters": {"Key": "file", "Size": 2}, "Tags": {"team": "shop"}, "StackPolicy": {"Statement": []}}"#;

/// A bench with a template and what goes with it.
struct Scene {
    bench: Bench,
    script: Arc<Mutex<Script>>,
}

impl Scene {
    async fn new(script: Option<Script>) -> Self {
        let real = script.is_some();
        let script = Arc::new(Mutex::new(script.unwrap_or_default()));
        let kept = Arc::clone(&script);
        let answers: Answers = Box::new(move |operation, _| kept.lock().unwrap().answer(operation));
        let bench = Bench::new(&["cloudformation"], real.then_some(answers)).await;
        let files = [
            ("t.json", TEMPLATE),
            ("c.json", SETTINGS),
            ("p.json", r#"{"Tag": "v7"}"#),
        ];
        bench.put("App", &files).await;
        Self { bench, script }
    }

    async fn run(&self, keys: &[(&str, &str)]) -> (Outcome, String) {
        let mut all = vec![("StackName", "shop")];
        all.extend_from_slice(keys);
        if !keys.iter().any(|(key, _)| *key == "TemplatePath") {
            all.push(("TemplatePath", "App::t.json"));
        }
        let task = task("Stack", &all, &["App"], &["Out"]);
        let stop = CancellationToken::new();
        self.bench.run_task(&CloudFormation, task, stop).await
    }

    /// What changes something.
    fn changes(&self) -> Vec<String> {
        let all = self.bench.operations().into_iter();
        all.filter(|name| !name.starts_with("Describe")).collect()
    }
}

const KEY: (&str, &str) = ("ParameterOverrides", r#"{"Key": "k"}"#);

#[tokio::test]
async fn a_stack_is_created_with_all_that_the_action_says() {
    let scene = Scene::new(Some(Script {
        after: vec!["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"],
        events: "<member><EventId>2</EventId><LogicalResourceId>Topic</LogicalResourceId><ResourceType>AWS::SNS::Topic</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>",
        ..Script::default()
    }))
    .await;
    let overrides = r#"{"Key": {"Fn::GetArtifactAtt": ["App", "ObjectKey"]}, "Size": {"Fn::GetParam": ["App", "p.json", "Tag"]}}"#;
    let (outcome, log) = scene
        .run(&[
            ("ActionMode", "CREATE_UPDATE"),
            ("TemplateConfiguration", "App::c.json"),
            ("ParameterOverrides", overrides),
            ("Capabilities", "CAPABILITY_IAM,CAPABILITY_NAMED_IAM"),
            ("RoleArn", "arn:aws:iam::123456789012:role/deploy"),
            ("OutputFileName", "out/stack.json"),
        ])
        .await;
    let Outcome::Succeeded {
        variables, details, ..
    } = &outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(variables["TopicArn"], "arn:topic");
    assert_eq!(
        details.summary.as_deref(),
        Some("The stack shop was created")
    );
    assert_eq!(
        log.matches("CREATE_COMPLETE Topic AWS::SNS::Topic").count(),
        1,
        "{log}"
    );
    let form = scene.bench.input("CreateStack");
    for (key, value) in [
        ("TemplateBody", TEMPLATE),
        ("Parameters.member.1.ParameterKey", "Key"),
        ("Parameters.member.1.ParameterValue", "P/App/abc"),
        ("Parameters.member.2.ParameterValue", "v7"),
        ("Capabilities.member.2", "CAPABILITY_NAMED_IAM"),
        ("RoleARN", "arn:aws:iam::123456789012:role/deploy"),
        ("Tags.member.1.Key", "team"),
        ("StackPolicyBody", r#"{"Statement":[]}"#),
    ] {
        assert_eq!(form[key], value, "{form:#}");
    }
    let folder = tempfile::tempdir().unwrap();
    let place = task("A", &[], &[], &["Out"]).outputs.remove(0);
    artifact::unpack(&scene.bench.engine.app.objects, &place, folder.path())
        .await
        .unwrap();
    let file = fs::read_to_string(folder.path().join("out/stack.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(file, serde_json::json!({"TopicArn": "arn:topic"}));
}

#[tokio::test]
async fn each_mode_does_what_its_stack_needs() {
    let broken = || vec!["ROLLBACK_COMPLETE"];
    let gone = || vec!["DELETE_IN_PROGRESS", "DELETE_COMPLETE", "CREATE_COMPLETE"];
    for (mode, stack, after, expected, says) in [
        (
            "CREATE_UPDATE",
            vec!["CREATE_COMPLETE"],
            vec!["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"],
            &["UpdateStack"][..],
            "was updated",
        ),
        (
            "CREATE_UPDATE",
            vec!["REVIEW_IN_PROGRESS"],
            vec!["CREATE_COMPLETE"],
            &["CreateStack"],
            "was created",
        ),
        (
            "REPLACE_ON_FAILURE",
            broken(),
            gone(),
            &["DeleteStack", "CreateStack"],
            "was created",
        ),
        (
            "REPLACE_ON_FAILURE",
            vec!["UPDATE_COMPLETE"],
            vec!["UPDATE_COMPLETE"],
            &["UpdateStack"],
            "was updated",
        ),
        (
            "DELETE_ONLY",
            vec!["CREATE_COMPLETE"],
            vec!["DELETE_IN_PROGRESS", "DELETE_COMPLETE"],
            &["DeleteStack"],
            "was deleted",
        ),
        ("DELETE_ONLY", vec![], vec![], &[], "There is no stack shop"),
        (
            "CHANGE_SET_REPLACE",
            vec!["CREATE_COMPLETE"],
            vec![],
            &["CreateChangeSet"],
            "The change set next was created",
        ),
    ] {
        let scene = Scene::new(Some(Script {
            stack,
            after,
            ..Script::default()
        }))
        .await;
        let (outcome, _) = scene
            .run(&[("ActionMode", mode), ("ChangeSetName", "next"), KEY])
            .await;
        let text = told(&outcome);
        assert!(
            matches!(outcome, Outcome::Succeeded { .. }) && text.contains(says),
            "{mode}: {text}"
        );
        assert_eq!(scene.changes(), expected, "{mode}");
    }
}

#[tokio::test]
async fn nothing_to_do_is_a_success() {
    let no = "No updates are to be performed.";
    let script = || Script {
        stack: vec!["UPDATE_COMPLETE"],
        update: Some(no),
        ..Script::default()
    };
    let scene = Scene::new(Some(script())).await;
    let (outcome, _) = scene.run(&[("ActionMode", "CREATE_UPDATE"), KEY]).await;
    assert_eq!(told(&outcome), "The stack shop needs no update");
    let Outcome::Succeeded { variables, .. } = outcome else {
        panic!("it succeeds")
    };
    assert_eq!(variables["TopicArn"], "arn:topic");

    let scene = Scene::new(Some(script())).await;
    let set = ("ChangeSetName", "next");
    let (outcome, _) = scene
        .run(&[("ActionMode", "CHANGE_SET_REPLACE"), set, KEY])
        .await;
    assert_eq!(told(&outcome), "The change set next holds no changes");
    let (outcome, _) = scene
        .run(&[("ActionMode", "CHANGE_SET_EXECUTE"), set])
        .await;
    assert_eq!(
        told(&outcome),
        "The change set next holds no changes: the stack shop stays"
    );
    assert_eq!(scene.changes(), ["CreateChangeSet"]);
}

#[tokio::test]
async fn a_change_set_of_an_earlier_run_is_replaced_and_executed() {
    let scene = Scene::new(Some(Script {
        stack: vec!["CREATE_COMPLETE"],
        sets: vec![("CREATE_COMPLETE", "")],
        ..Script::default()
    }))
    .await;
    let set = ("ChangeSetName", "next");
    let (outcome, _) = scene
        .run(&[("ActionMode", "CHANGE_SET_REPLACE"), set, KEY])
        .await;
    assert_eq!(told(&outcome), "The change set next was created");
    scene.script.lock().unwrap().after = vec!["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"];
    let (outcome, _) = scene
        .run(&[("ActionMode", "CHANGE_SET_EXECUTE"), set])
        .await;
    assert_eq!(told(&outcome), "The change set next of shop was executed");
    assert_eq!(
        scene.changes(),
        ["DeleteChangeSet", "CreateChangeSet", "ExecuteChangeSet"]
    );
    assert_eq!(
        scene.bench.input("CreateChangeSet")["ChangeSetType"],
        "UPDATE"
    );
}
