//! Actions against a scripted CloudFormation: what goes well, and each way in which it does not.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    assemble::{self, Engine, Options},
    cloud::scripted::{self, Asked},
    config::Config,
    provider::{Held, Progress, workshop::tests::task},
    store::objects::BucketSettings,
};

const TEMPLATE: &str = r#"{"Parameters": {"Key": {"Type": "String"}, "Size": {"Type": "Number", "Default": 1}},
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"TopicArn": {"Value": {"Ref": "Topic"}}}}"#;

/// A CloudFormation with one stack, whose next states are scripted.
#[derive(Default)]
struct Script {
    asked: Vec<Asked>,
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
    fn answer(&mut self, asked: &Asked) -> (u16, String) {
        self.asked.push(asked.clone());
        let operation = asked.0.as_str();
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

struct Bench {
    engine: Engine,
    script: Arc<Mutex<Script>>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new(script: Option<Script>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let real = script.is_some();
        let script = Arc::new(Mutex::new(script.unwrap_or_default()));
        let answers = Arc::clone(&script);
        let mut config = Config::default();
        if real {
            let url = scripted::serve(move |asked| answers.lock().unwrap().answer(asked)).await;
            config.endpoint.insert("cloudformation".to_owned(), url);
        }
        let mut options = Options::new(config, folder.path());
        options.fast_clock = true;
        let (engine, _) = assemble::start(options).await.unwrap();
        engine.perform();
        let objects = &engine.app.objects;
        objects
            .create_bucket("artifacts", BucketSettings::default())
            .await
            .unwrap();
        let source = folder.path().join("source");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("t.json"), TEMPLATE).unwrap();
        let settings = r#"{"Parameters": {"Key": "file", "Size": 2}, "Tags": {"team": "shop"}, "StackPolicy": {"Statement": []}}"#;
        fs::write(source.join("c.json"), settings).unwrap();
        fs::write(source.join("p.json"), r#"{"Tag": "v7"}"#).unwrap();
        let place = task("A", &[], &["App"], &[]).inputs.remove(0);
        let zip = folder.path().join("app.zip");
        artifact::pack(objects, &place, None, &source, &zip)
            .await
            .unwrap();
        Self {
            engine,
            script,
            _folder: folder,
        }
    }

    async fn run(&self, keys: &[(&str, &str)]) -> (Outcome, String) {
        let mut all = vec![("StackName", "shop")];
        all.extend_from_slice(keys);
        if !keys.iter().any(|(key, _)| *key == "TemplatePath") {
            all.push(("TemplatePath", "App::t.json"));
        }
        let task = task("Stack", &all, &["App"], &["Out"]);
        let app = &self.engine.app;
        let context = Context {
            app: app.clone(),
            stop: CancellationToken::new(),
            progress: Progress {
                action_execution: task.action_execution.clone(),
                desk: app.desk.clone(),
            },
            held: Held::new(app.clock.clone(), app.clock.busy()),
        };
        let outcome = CloudFormation.perform(task.clone(), context).await.unwrap();
        let log = app
            .logs
            .read(&task.execution, &task.action_execution, 0, 1 << 20);
        (outcome, String::from_utf8(log.unwrap()).unwrap())
    }

    fn operations(&self) -> Vec<String> {
        let script = self.script.lock().unwrap();
        let changes = script.asked.iter().map(|(name, _)| name.clone());
        changes
            .filter(|name| !name.starts_with("Describe"))
            .collect()
    }

    fn form(&self, operation: &str) -> Value {
        let script = self.script.lock().unwrap();
        let found = script.asked.iter().find(|(name, _)| name == operation);
        found.map(|(_, form)| form.clone()).unwrap_or_default()
    }
}

const KEY: (&str, &str) = ("ParameterOverrides", r#"{"Key": "k"}"#);

fn summary(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded { details, .. } => details.summary.clone().unwrap_or_default(),
        Outcome::Failed { code, message, .. } => format!("{code}: {message}"),
        Outcome::Stopped => "stopped".to_owned(),
    }
}

#[tokio::test]
async fn a_stack_is_created_with_all_that_the_action_says() {
    let bench = Bench::new(Some(Script {
        after: vec!["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"],
        events: "<member><EventId>2</EventId><LogicalResourceId>Topic</LogicalResourceId><ResourceType>AWS::SNS::Topic</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>",
        ..Script::default()
    }))
    .await;
    let overrides = r#"{"Key": {"Fn::GetArtifactAtt": ["App", "ObjectKey"]}, "Size": {"Fn::GetParam": ["App", "p.json", "Tag"]}}"#;
    let (outcome, log) = bench
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
    let form = bench.form("CreateStack");
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
    artifact::unpack(&bench.engine.app.objects, &place, folder.path())
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
        let bench = Bench::new(Some(Script {
            stack,
            after,
            ..Script::default()
        }))
        .await;
        let (outcome, _) = bench
            .run(&[("ActionMode", mode), ("ChangeSetName", "next"), KEY])
            .await;
        let told = summary(&outcome);
        assert!(
            matches!(outcome, Outcome::Succeeded { .. }) && told.contains(says),
            "{mode}: {told}"
        );
        assert_eq!(bench.operations(), expected, "{mode}");
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
    let bench = Bench::new(Some(script())).await;
    let (outcome, _) = bench.run(&[("ActionMode", "CREATE_UPDATE"), KEY]).await;
    assert_eq!(summary(&outcome), "The stack shop needs no update");
    let Outcome::Succeeded { variables, .. } = outcome else {
        panic!("it succeeds")
    };
    assert_eq!(variables["TopicArn"], "arn:topic");

    let bench = Bench::new(Some(script())).await;
    let set = ("ChangeSetName", "next");
    let (outcome, _) = bench
        .run(&[("ActionMode", "CHANGE_SET_REPLACE"), set, KEY])
        .await;
    assert_eq!(summary(&outcome), "The change set next holds no changes");
    let (outcome, _) = bench
        .run(&[("ActionMode", "CHANGE_SET_EXECUTE"), set])
        .await;
    assert_eq!(
        summary(&outcome),
        "The change set next holds no changes: the stack shop stays"
    );
    assert_eq!(bench.operations(), ["CreateChangeSet"]);
}

#[tokio::test]
async fn a_change_set_of_an_earlier_run_is_replaced_and_executed() {
    let bench = Bench::new(Some(Script {
        stack: vec!["CREATE_COMPLETE"],
        sets: vec![("CREATE_COMPLETE", "")],
        ..Script::default()
    }))
    .await;
    let set = ("ChangeSetName", "next");
    let (outcome, _) = bench
        .run(&[("ActionMode", "CHANGE_SET_REPLACE"), set, KEY])
        .await;
    assert_eq!(summary(&outcome), "The change set next was created");
    bench.script.lock().unwrap().after = vec!["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"];
    let (outcome, _) = bench
        .run(&[("ActionMode", "CHANGE_SET_EXECUTE"), set])
        .await;
    assert_eq!(
        summary(&outcome),
        "The change set next of shop was executed"
    );
    assert_eq!(
        bench.operations(),
        ["DeleteChangeSet", "CreateChangeSet", "ExecuteChangeSet"]
    );
    assert_eq!(bench.form("CreateChangeSet")["ChangeSetType"], "UPDATE");
}

#[tokio::test]
async fn failures_say_why() {
    let event = "<member><EventId>2</EventId><LogicalResourceId>Topic</LogicalResourceId><ResourceType>AWS::SNS::Topic</ResourceType>\
        <ResourceStatus>CREATE_FAILED</ResourceStatus><ResourceStatusReason>no quota</ResourceStatusReason></member>";
    let create = ("ActionMode", "CREATE_UPDATE");
    for (script, keys, expected) in [
        (
            Script {
                after: vec!["ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"],
                events: event,
                ..Script::default()
            },
            vec![create, KEY],
            "JobFailed: the stack shop is ROLLBACK_COMPLETE: Topic: no quota",
        ),
        (
            Script {
                stack: vec!["UPDATE_COMPLETE"],
                after: vec!["UPDATE_ROLLBACK_COMPLETE"],
                ..Script::default()
            },
            vec![create, KEY],
            "JobFailed: the stack shop is UPDATE_ROLLBACK_COMPLETE",
        ),
        (
            Script {
                stack: vec!["ROLLBACK_COMPLETE"],
                update: Some("Stack is in ROLLBACK_COMPLETE state and can not be updated."),
                ..Script::default()
            },
            vec![create, KEY],
            "JobFailed: cloudformation refused UpdateStack: ValidationError: Stack is in ROLLBACK_COMPLETE",
        ),
        (
            Script {
                stack: vec!["CREATE_COMPLETE"],
                ..Script::default()
            },
            vec![
                ("ActionMode", "CHANGE_SET_EXECUTE"),
                ("ChangeSetName", "next"),
            ],
            "JobFailed: the stack shop has no change set next",
        ),
        (
            Script::default(),
            vec![create, ("TemplatePath", "App::none.yaml")],
            "ConfigurationError: action Stack: TemplatePath App::none.yaml: ",
        ),
        (
            Script::default(),
            vec![create, ("TemplatePath", "Other::t.json")],
            "ConfigurationError: action Stack: TemplatePath Other::t.json: the action has no such input artifact",
        ),
        (
            Script::default(),
            vec![create, ("TemplateConfiguration", "App::p.json")],
            "ConfigurationError: action Stack: TemplateConfiguration App::p.json: unknown field `Tag`",
        ),
        (
            Script::default(),
            vec![
                create,
                (
                    "ParameterOverrides",
                    r#"{"A": {"Fn::GetParam": ["App", "p.json", "None"]}}"#,
                ),
            ],
            "ConfigurationError: action Stack: ParameterOverrides A: p.json has no text None",
        ),
    ] {
        let bench = Bench::new(Some(script)).await;
        let (outcome, _) = bench.run(&keys).await;
        let told = summary(&outcome);
        assert!(told.starts_with(expected), "{told}");
    }
}

#[tokio::test]
async fn without_an_endpoint_it_is_simulated_and_says_so() {
    let bench = Bench::new(None).await;
    let create = ("ActionMode", "CREATE_UPDATE");
    let (outcome, log) = bench.run(&[create, KEY]).await;
    assert_eq!(
        summary(&outcome),
        "Simulated: the stack shop would be created or updated"
    );
    assert!(
        log.contains("SIMULATED: no endpoint of cloudformation"),
        "{log}"
    );
    assert!(log.contains("SIMULATED Topic AWS::SNS::Topic"), "{log}");
    let Outcome::Succeeded { variables, .. } = outcome else {
        panic!("it succeeds")
    };
    assert_eq!(variables["TopicArn"], "simulated:shop.TopicArn");
    let (outcome, _) = bench.run(&[create]).await;
    assert_eq!(
        summary(&outcome),
        "JobFailed: Parameters: [\"Key\"] must have values"
    );
    let (outcome, _) = bench
        .run(&[
            create,
            ("ParameterOverrides", r#"{"Key": "k", "Colour": "red"}"#),
        ])
        .await;
    assert_eq!(
        summary(&outcome),
        "JobFailed: Parameters: [Colour] do not exist in the template"
    );
}
