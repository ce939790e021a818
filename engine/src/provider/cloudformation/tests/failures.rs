//! Actions that fail, and those that are simulated: what is told.

use super::*;

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
        let scene = Scene::new(Some(script)).await;
        let (outcome, _) = scene.run(&keys).await;
        let text = told(&outcome);
        assert!(text.starts_with(expected), "{text}");
    }
}

#[tokio::test]
async fn without_an_endpoint_it_is_simulated_and_says_so() {
    let scene = Scene::new(None).await;
    let create = ("ActionMode", "CREATE_UPDATE");
    let (outcome, log) = scene.run(&[create, KEY]).await;
    assert_eq!(
        told(&outcome),
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
    let (outcome, _) = scene.run(&[create]).await;
    assert_eq!(
        told(&outcome),
        "JobFailed: Parameters: [\"Key\"] must have values"
    );
    let (outcome, _) = scene
        .run(&[
            create,
            ("ParameterOverrides", r#"{"Key": "k", "Colour": "red"}"#),
        ])
        .await;
    assert_eq!(
        told(&outcome),
        "JobFailed: Parameters: [Colour] do not exist in the template"
    );
}
