//! Variables, sentence by sentence (`codepipeline.md` 1.7 and 10).

use std::collections::BTreeMap;

use engine_plan::{
    check::{Surroundings, check},
    event::{Event, Trigger},
    limit::{OUTPUT_VARIABLES_BYTES, RESOLVED_CONFIGURATION_BYTES},
    state::{ActionStatus, ConditionStatus},
};
use serde_json::{Value, json};

use crate::harness::{Desk, declared, job_succeeded, pipeline, start, succeeded_with};

const EXECUTION: &str = "#{codepipeline.PipelineExecutionId}";

/// Source `s`, then `b` with a configuration value, then Commands `c`.
fn three() -> Value {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"]), ("Run", &["b2"])]);
    definition["variables"] = json!([{"name": "env", "defaultValue": "test"}]);
    definition["stages"][2]["actions"][0] = json!({
        "name": "c", "runOrder": 1, "configuration": {},
        "actionTypeId": {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"},
        "commands": ["true"], "inputArtifacts": [{"name": "s"}],
    });
    definition
}

fn findings(definition: Value) -> Vec<String> {
    let surroundings = Surroundings {
        known: &[],
        region: "us-east-1",
    };
    match engine_plan::check::parse(definition) {
        Ok(definition) => check(&definition, surroundings)
            .into_iter()
            .map(|finding| format!("{}: {}", finding.place, finding.refusal.message))
            .collect(),
        Err(finding) => vec![format!("{}: {}", finding.place, finding.refusal.message)],
    }
}

fn rule(configuration: Value) -> Value {
    let id =
        json!({"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"});
    json!({"name": "r", "ruleTypeId": id, "configuration": configuration})
}

fn gate(rule: Value) -> Value {
    json!({"conditions": [{"result": "FAIL", "rules": [rule]}]})
}

fn compared(text: &str) -> Value {
    gate(rule(
        json!({"Variable": text, "Operator": "EQ", "Value": "x"}),
    ))
}

#[test]
fn s1_7_where_references_may_stand_and_what_they_may_name() {
    type Change = fn(&mut Value);
    const NO_SPACE: &str = "are referencing a namespace that does not exist";
    let cases: [(&str, Change, &str); 21] = [
        ("nothing", |_| {}, ""),
        (
            "configuration",
            |it| {
                it["stages"][1]["actions"][0]["configuration"]["ProjectName"] =
                    json!("x#{sV.k}-#{variables.env}")
            },
            "",
        ),
        (
            "commands",
            |it| it["stages"][2]["actions"][0]["commands"] = json!(["echo #{sV.k}", EXECUTION]),
            "",
        ),
        (
            "environment",
            |it| {
                it["stages"][2]["actions"][0]["environmentVariables"] =
                    json!([{"name": "K", "value": "#{bV.k}"}])
            },
            "",
        ),
        (
            "rule",
            |it| it["stages"][1]["beforeEntry"] = compared("#{sV.k}"),
            "",
        ),
        (
            "rule after its stage",
            |it| it["stages"][1]["onSuccess"] = compared("#{bV.k}"),
            "",
        ),
        (
            "source and execution",
            |it| it["stages"][0]["actions"][0]["configuration"]["S3ObjectKey"] = json!(EXECUTION),
            "",
        ),
        (
            "case",
            |it| it["stages"][1]["actions"][0]["configuration"]["ProjectName"] = json!("#{SV.k}"),
            NO_SPACE,
        ),
        (
            "case of variables",
            |it| {
                it["stages"][1]["actions"][0]["configuration"]["ProjectName"] =
                    json!("#{variables.Env}")
            },
            "a pipeline variable that does not exist",
        ),
        (
            "no format",
            |it| it["stages"][1]["actions"][0]["configuration"]["ProjectName"] = json!("#{sV}"),
            "are not in this format",
        ),
        (
            "source and variables",
            |it| {
                it["stages"][0]["actions"][0]["configuration"]["S3ObjectKey"] =
                    json!("#{variables.env}")
            },
            "cannot be used in source actions",
        ),
        (
            "other key of codepipeline",
            |it| {
                it["stages"][1]["actions"][0]["configuration"]["ProjectName"] =
                    json!("#{codepipeline.Name}")
            },
            "a key that does not exist",
        ),
        (
            "itself",
            |it| it["stages"][1]["actions"][0]["configuration"]["ProjectName"] = json!("#{bV.k}"),
            NO_SPACE,
        ),
        (
            "later",
            |it| it["stages"][0]["actions"][0]["configuration"]["S3ObjectKey"] = json!("#{bV.k}"),
            NO_SPACE,
        ),
        (
            "unknown in commands",
            |it| it["stages"][2]["actions"][0]["commands"] = json!(["true", "#{nope.k}"]),
            "stages[2].actions[0].commands[1]",
        ),
        (
            "unknown in a rule",
            |it| it["stages"][1]["beforeEntry"] = compared("#{nope.k}"),
            "stages[1].beforeEntry.conditions[0].rules[0].configuration.Variable",
        ),
        (
            "rule before its stage",
            |it| it["stages"][1]["beforeEntry"] = compared("#{bV.k}"),
            NO_SPACE,
        ),
        (
            "reserved codepipeline",
            |it| it["stages"][1]["actions"][0]["namespace"] = json!("codepipeline"),
            "are reserved",
        ),
        (
            "reserved variables",
            |it| it["stages"][1]["actions"][0]["namespace"] = json!("variables"),
            "are reserved",
        ),
        (
            "name of an artifact",
            |it| it["stages"][1]["actions"][0]["namespace"] = json!("s"),
            "must not have the name of an artifact",
        ),
        (
            "twice",
            |it| it["stages"][1]["actions"][0]["namespace"] = json!("sV"),
            "must be unique",
        ),
    ];
    for (name, change, says) in cases {
        let mut definition = three();
        change(&mut definition);
        let found = findings(definition);
        match says {
            "" => assert!(found.is_empty(), "{name}: {found:?}"),
            says => assert!(
                found.len() == 1 && found[0].contains(says),
                "{name}: {found:?}"
            ),
        }
    }
    let mut artifact = three();
    let mut reads = rule(json!({"FunctionName": "f"}));
    reads["ruleTypeId"]["provider"] = json!("LambdaInvoke");
    reads["inputArtifacts"] = json!([{"name": "b"}]);
    artifact["stages"][1]["beforeEntry"] = gate(reads);
    let found = findings(artifact);
    assert!(
        found[0].contains("rules[0].inputArtifacts[0].name: Input Artifact Bundle b"),
        "{found:?}"
    );
}

#[test]
fn s1_7_lengths_and_numbers_of_the_definition() {
    for (variables, good) in [
        (
            json!(
                (0..50)
                    .map(|n| json!({"name": format!("v{n}")}))
                    .collect::<Vec<_>>()
            ),
            true,
        ),
        (
            json!(
                (0..51)
                    .map(|n| json!({"name": format!("v{n}")}))
                    .collect::<Vec<_>>()
            ),
            false,
        ),
        (json!([{"name": "a".repeat(128)}]), true),
        (json!([{"name": "a".repeat(129)}]), false),
        (json!([{"name": "a@-_9Z"}]), true),
        (json!([{"name": "a.b"}]), false),
        (json!([{"name": ""}]), false),
        (json!([{"name": "a"}, {"name": "a"}]), false),
        (
            json!([{"name": "a", "defaultValue": "x".repeat(1000)}]),
            true,
        ),
        (
            json!([{"name": "a", "defaultValue": "x".repeat(1001)}]),
            false,
        ),
        (json!([{"name": "a", "defaultValue": ""}]), false),
        (json!([{"name": "a", "description": "x".repeat(200)}]), true),
        (
            json!([{"name": "a", "description": "x".repeat(201)}]),
            false,
        ),
    ] {
        let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"])]);
        let shown = variables.to_string();
        definition["variables"] = variables;
        let found = findings(definition);
        assert_eq!(found.is_empty(), good, "{shown:.60}: {found:?}");
    }
    // the unresolved value of an action has at most 1000 characters, of a rule 10,000
    for (length, good) in [(1000, true), (1001, false)] {
        let mut definition = three();
        definition["stages"][1]["actions"][0]["configuration"]["ProjectName"] =
            json!("x".repeat(length));
        assert_eq!(findings(definition).is_empty(), good, "{length}");
    }
    for (length, good) in [(10_000, true), (10_001, false)] {
        let mut definition = three();
        definition["stages"][1]["beforeEntry"] = compared(&"x".repeat(length));
        assert_eq!(findings(definition).is_empty(), good, "{length}");
    }
}

fn start_with(variables: &[(&str, &str)]) -> Event {
    let Event::Start {
        pipeline,
        trigger,
        source_revisions,
        client_token,
        ..
    } = start("p")
    else {
        panic!()
    };
    let variables = variables
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Event::Start {
        pipeline,
        trigger,
        variables: variables.collect(),
        source_revisions,
        client_token,
    }
}

#[test]
fn s1_7_values_at_start() {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"])]);
    definition["variables"] = json!([{"name": "must"}, {"name": "may", "defaultValue": "d"}]);
    definition["stages"][1]["actions"][0]["configuration"]["ProjectName"] =
        json!("#{variables.must}-#{variables.may}");
    let long = "x".repeat(1000);
    let longer = "x".repeat(1001);
    for (given, outcome) in [
        (vec![("must", "m")], Ok("m-d")),
        (vec![("must", "m"), ("may", "n")], Ok("m-n")),
        (vec![("must", "#{variables.may}")], Ok("#{variables.may}-d")),
        (vec![("must", &long)], Ok("")),
        (vec![], Err("have no default value and must be given: must")),
        (vec![("may", "n")], Err("must be given: must")),
        (vec![("must", "")], Err("length greater than or equal to 1")),
        (
            vec![("must", &longer)],
            Err("length less than or equal to 1000"),
        ),
        (
            vec![("must", "m"), ("Must", "m")],
            Err("does not declare the variable 'Must'"),
        ),
        (
            vec![("must", "m"), ("other", "x")],
            Err("does not declare the variable 'other'"),
        ),
    ] {
        let mut desk = Desk::with(declared(definition.clone()));
        match outcome {
            Ok(project) => {
                desk.tell(start_with(&given));
                desk.succeed("s");
                let task = desk.task("b");
                if !project.is_empty() {
                    assert_eq!(task.configuration["ProjectName"], project);
                }
            }
            Err(says) => {
                let refused = desk.refused(start_with(&given));
                assert!(refused.starts_with("ValidationException"), "{refused}");
                assert!(refused.contains(says), "{given:?}: {refused}");
                assert!(desk.state.pipelines["p"].executions.is_empty());
            }
        }
    }
    // an execution that nobody could give values to fails before anything starts
    let mut desk = Desk::new();
    desk.tell(Event::CreatePipeline {
        definition: declared(definition),
        tags: BTreeMap::new(),
        start: true,
    });
    assert_eq!(desk.statuses(), "Failed");
    assert_eq!(desk.running(), "");
    let trigger = &desk.state.pipelines["p"].executions.last().unwrap().trigger;
    let made = Trigger {
        trigger_type: "CreatePipeline".to_owned(),
        trigger_detail: trigger.trigger_detail.clone(),
        reference: None,
    };
    assert_eq!(*trigger, made);
}

#[test]
fn s1_7_everything_is_resolved_before_the_action_starts() {
    let mut definition = three();
    definition["stages"][1]["actions"][0]["configuration"]["ProjectName"] =
        json!("#{sV.k}#{sV.k}/#{variables.env}");
    let last = &mut definition["stages"][2]["actions"][0];
    last["commands"] = json!([
        "echo #{sV.k}",
        format!("echo {EXECUTION}"),
        "echo $#{ #{unclosed"
    ]);
    last["environmentVariables"] = json!([{"name": "K", "value": "<#{bV.out}>"}]);
    definition["stages"][2]["beforeEntry"] = compared("#{bV.out}");
    let mut desk = Desk::with(declared(definition));
    let id = desk.start();
    let source = desk.task("s");
    desk.tell(succeeded_with(
        &source.action_execution,
        &[("k", "#{bV.out}")],
    ));
    let build = desk.task("b");
    // a value is not looked at again
    assert_eq!(
        build.configuration["ProjectName"],
        "#{bV.out}#{bV.out}/test"
    );
    let (_, run) = desk.state.pipelines["p"].latest_run("Build", "b").unwrap();
    assert_eq!(run.resolved_configuration, build.configuration);
    desk.tell(succeeded_with(&build.action_execution, &[("out", "x")]));
    let run = desk.task("c");
    let commands = [
        "echo #{bV.out}".to_owned(),
        format!("echo {id}"),
        "echo $#{ #{unclosed".to_owned(),
    ];
    assert_eq!(run.commands, commands);
    assert_eq!(run.environment[0].value, "<x>");
    let rule = &desk.state.pipelines["p"].executions[0].stages[2].conditions[0].rules[0];
    assert_eq!(rule.resolved_configuration["Variable"], "x");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s1_7_a_key_that_was_not_produced_fails_with_configuration_error() {
    let mut definition = three();
    definition["stages"][1]["actions"][0]["configuration"]["ProjectName"] = json!("#{sV.nothing}");
    let mut desk = Desk::with(declared(definition));
    desk.start();
    desk.succeed("s");
    assert_eq!(desk.statuses(), "Failed");
    assert_eq!(desk.running(), "", "nothing was performed");
    let (_, run) = desk.state.pipelines["p"].latest_run("Build", "b").unwrap();
    let error = run.error.as_ref().unwrap();
    assert_eq!(error.code, "ConfigurationError");
    assert!(
        error.message.contains("'#{sV.nothing}' cannot be resolved"),
        "{}",
        error.message
    );
    // of a rule the condition is Errored
    let mut definition = three();
    definition["stages"][1]["beforeEntry"] = compared("#{sV.nothing}");
    let mut desk = Desk::with(declared(definition));
    desk.start();
    desk.succeed("s");
    let condition = &desk.state.pipelines["p"].executions[0].stages[1].conditions[0];
    assert_eq!(condition.status, ConditionStatus::Errored);
}

#[test]
fn s1_7_without_a_namespace_variables_are_seen_and_not_referenced() {
    let mut definition = three();
    let action = definition["stages"][0]["actions"][0]
        .as_object_mut()
        .unwrap();
    action.remove("namespace");
    let mut desk = Desk::with(declared(definition));
    desk.start();
    let source = desk.task("s");
    desk.tell(succeeded_with(&source.action_execution, &[("k", "v")]));
    let execution = &desk.state.pipelines["p"].executions[0];
    assert_eq!(execution.stages[0].actions[0].variables["k"], "v");
    assert!(execution.namespaces.is_empty());
}

#[test]
fn s10_sizes_of_outputs_and_of_what_is_resolved() {
    let bytes = |total: usize| "v".repeat(total - 1);
    // an action of a provider
    for (size, ends) in [
        (OUTPUT_VARIABLES_BYTES, ActionStatus::Succeeded),
        (OUTPUT_VARIABLES_BYTES + 1, ActionStatus::Failed),
    ] {
        let mut desk = Desk::with(declared(three()));
        desk.start();
        let source = desk.task("s");
        desk.tell(succeeded_with(
            &source.action_execution,
            &[("k", &bytes(size))],
        ));
        let run = &desk.state.pipelines["p"].executions[0].stages[0].actions[0];
        assert_eq!(run.status, ends, "{size}");
    }
    // a job
    let mut desk = Desk::with(declared(pipeline(&[("Source", &["s"]), ("Call", &["l"])])));
    desk.start();
    desk.succeed("s");
    let job = desk.task("l").job.unwrap().id;
    let report = |variables: &[(&str, &str)]| {
        let mut event = job_succeeded(&job, None);
        if let Event::JobSucceeded {
            variables: kept, ..
        } = &mut event
        {
            kept.extend(
                variables
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
            );
        }
        event
    };
    let refused = desk.refused(report(&[("k", &bytes(OUTPUT_VARIABLES_BYTES + 1))]));
    assert!(
        refused.starts_with("OutputVariablesSizeExceededException"),
        "{refused:.80}"
    );
    for key in ["", "a.b", "ü", "a b"] {
        let refused = desk.refused(report(&[(key, "v")]));
        assert!(
            refused.starts_with("ValidationException"),
            "{key}: {refused}"
        );
    }
    desk.tell(report(&[(
        "a@-_9Z",
        &"v".repeat(OUTPUT_VARIABLES_BYTES - 6),
    )]));
    assert_eq!(desk.statuses(), "Succeeded");
    // what is resolved: `ProjectName` and its value
    for (size, code) in [
        (RESOLVED_CONFIGURATION_BYTES - 11, ""),
        (RESOLVED_CONFIGURATION_BYTES - 10, "ConfigurationError"),
    ] {
        let mut definition = three();
        definition["stages"][1]["actions"][0]["configuration"]["ProjectName"] = json!("#{sV.k}");
        let mut desk = Desk::with(declared(definition));
        desk.start();
        let source = desk.task("s");
        desk.tell(succeeded_with(
            &source.action_execution,
            &[("k", &"v".repeat(size))],
        ));
        let (_, run) = desk.state.pipelines["p"].latest_run("Build", "b").unwrap();
        let found = run.error.as_ref().map_or("", |it| it.code.as_str());
        assert_eq!(found, code, "{size}");
    }
    // and of a rule
    let mut definition = three();
    definition["stages"][1]["beforeEntry"] = compared("#{sV.k}");
    let mut desk = Desk::with(declared(definition));
    desk.start();
    let source = desk.task("s");
    desk.tell(succeeded_with(
        &source.action_execution,
        &[("k", &"v".repeat(RESOLVED_CONFIGURATION_BYTES))],
    ));
    let rule = &desk.state.pipelines["p"].executions[0].stages[1].conditions[0].rules[0];
    assert!(
        rule.error
            .as_ref()
            .unwrap()
            .message
            .contains("102400 are allowed"),
        "{:?}",
        rule.error
    );
}
