//! Definitions that are refused: exception, text and place of the first finding.

use engine_plan::{
    check::{Surroundings, check, parse, parse_action_type},
    definition::CustomActionType,
};
use serde_json::{Value, json};

use crate::harness::pipeline;

fn worker() -> CustomActionType {
    parse_action_type(json!({
        "category": "Test", "provider": "Worker", "version": "1",
        "configurationProperties": [
            {"name": "Job", "required": true, "key": true, "secret": false, "queryable": true},
            {"name": "Token", "required": false, "key": false, "secret": true}],
        "inputArtifactDetails": {"minimumCount": 0, "maximumCount": 1},
        "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 0},
    }))
    .unwrap()
}

fn base() -> Value {
    pipeline(&[("Source", &["s"]), ("Build", &["b", "a@2"])])
}

/// `place: exception: message` of every finding.
fn findings(value: Value) -> Vec<String> {
    let text =
        |finding: &engine_plan::check::Finding| format!("{}: {}", finding.place, finding.refusal);
    match parse(value) {
        Err(finding) => vec![text(&finding)],
        Ok(definition) => {
            let surroundings = Surroundings {
                known: &[worker()],
                region: "eu-west-1",
            };
            check(&definition, surroundings).iter().map(text).collect()
        }
    }
}

/// Changes one place of a good definition (JSON pointer; null removes) and compares the first finding.
fn refused(pointer: &str, change: Value, expected: &str) {
    let mut value = base();
    put(&mut value, pointer, change.clone());
    let found = findings(value);
    assert_eq!(
        found.first().map(String::as_str),
        Some(expected),
        "{pointer} = {change}"
    );
}

fn put(value: &mut Value, pointer: &str, change: Value) {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let parent = value.pointer_mut(parent).unwrap();
    match (parent, last.parse::<usize>()) {
        (Value::Array(items), Ok(index)) if index == items.len() => items.push(change),
        (parent, Ok(index)) => parent[index] = change,
        (parent, Err(_)) => parent[last] = change,
    }
}

#[test]
fn good_definitions_have_no_findings() {
    assert_eq!(findings(base()), [""; 0]);
    let mut all = base();
    put(&mut all, "/executionMode", json!("QUEUED"));
    put(&mut all, "/variables", json!([{"name": "env"}]));
    put(&mut all, "/stages/0/actions/0/roleArn", Value::Null);
    put(
        &mut all,
        "/stages/1/actions/1/configuration",
        json!({"CustomData": "#{variables.env} #{sV.VersionId} #{codepipeline.PipelineExecutionId}"}),
    );
    put(
        &mut all,
        "/stages/1/actions/2",
        json!({"name": "w", "actionTypeId": {"category": "Test", "owner": "Custom", "provider": "Worker", "version": "1"},
            "configuration": {"Job": "nightly"}}),
    );
    assert_eq!(findings(all), [""; 0]);
}

#[test]
fn the_model_is_checked_first() {
    let failed = "failed to satisfy constraint: Member must";
    for (pointer, change, place, exception, text) in [
        ("/name", json!("a b"), "name", "ValidationException",
            format!("1 validation error detected: Value 'a b' at 'pipeline.name' {failed} satisfy regular expression pattern: [A-Za-z0-9.@\\-_]+")),
        ("/stages/1/name", json!("é"), "stages[1].name", "ValidationException",
            format!("1 validation error detected: Value 'é' at 'pipeline.stages.2.member.name' {failed} satisfy regular expression pattern: [A-Za-z0-9.@\\-_]+")),
        ("/roleArn", json!("nobody"), "roleArn", "ValidationException",
            format!("1 validation error detected: Value 'nobody' at 'pipeline.roleArn' {failed} satisfy regular expression pattern: arn:aws(-[\\w]+)*:iam::[0-9]{{12}}:role/.*")),
        ("/roleArn", Value::Null, "roleArn", "ValidationException",
            format!("1 validation error detected: Value null at 'pipeline.roleArn' {failed} not be null")),
        ("/stages/1/actions/0/actionTypeId/category", json!("Bild"), "stages[1].actions[0].actionTypeId.category", "ValidationException",
            format!("1 validation error detected: Value 'Bild' at 'pipeline.stages.2.member.actions.1.member.actionTypeId.category' {failed} satisfy enum value set: [Source, Build, Deploy, Test, Invoke, Approval, Compute]")),
        ("/stages/1/actions/0/runOrder", json!(0), "stages[1].actions[0].runOrder", "ValidationException",
            format!("1 validation error detected: Value '0' at 'pipeline.stages.2.member.actions.1.member.runOrder' {failed} have value greater than or equal to 1")),
        ("/stages/1/actions/0/runOrder", json!("1"), "stages[1].actions[0].runOrder", "SerializationException",
            "STRING_VALUE can not be converted to an Integer".to_owned()),
        ("/stages/1/actions/0/configuration/ProjectName", json!(true), "stages[1].actions[0].configuration.ProjectName", "SerializationException",
            "TRUE_VALUE can not be converted to a String".to_owned()),
        ("/stages/1/actions/0/configuration/ProjectName", json!("x".repeat(1001)), "stages[1].actions[0].configuration.ProjectName", "ValidationException",
            "1 validation error detected: Value at 'pipeline.stages.2.member.actions.1.member.configuration' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 1000, Member must have length greater than or equal to 1]".to_owned()),
        ("/stages/1/actions", json!({}), "stages[1].actions", "SerializationException",
            "Start of structure or map found where not expected.".to_owned()),
        ("/stages/1/actions/0/runorder", json!(1), "stages[1].actions[0].runorder", "ValidationException",
            "Unknown parameter in pipeline.stages.2.member.actions.1.member: \"runorder\", must be one of: name, actionTypeId, runOrder, configuration, commands, environmentVariables, outputVariables, outputArtifacts, inputArtifacts, roleArn, region, namespace, timeoutInMinutes".to_owned()),
        ("/stages/0/actions/0/outputArtifacts/0/name", json!("a.b"), "stages[0].actions[0].outputArtifacts[0].name", "ValidationException",
            format!("1 validation error detected: Value 'a.b' at 'pipeline.stages.1.member.actions.1.member.outputArtifacts.1.member.name' {failed} satisfy regular expression pattern: [a-zA-Z0-9_\\-]+")),
        ("/artifactStore/location", json!("b"), "artifactStore.location", "ValidationException",
            format!("1 validation error detected: Value 'b' at 'pipeline.artifactStore.location' {failed} have length greater than or equal to 3")),
        ("/stages/1/actions/1/timeoutInMinutes", json!(4), "stages[1].actions[1].timeoutInMinutes", "ValidationException",
            format!("1 validation error detected: Value '4' at 'pipeline.stages.2.member.actions.2.member.timeoutInMinutes' {failed} have value greater than or equal to 5")),
        ("/triggers", json!([{"providerType": "CodeStarSourceConnection", "gitConfiguration": {"sourceActionName": "s",
            "push": [{}, {}, {}, {}]}}]), "triggers[0].gitConfiguration.push", "ValidationException",
            format!("1 validation error detected: Value at 'pipeline.triggers.1.member.gitConfiguration.push' {failed} have length less than or equal to 3")),
    ] {
        refused(pointer, change, &format!("{place}: {exception}: {text}"));
    }
    assert_eq!(
        findings(json!([])),
        [": SerializationException: Start of list found where not expected"]
    );
}

#[test]
fn the_service_checks_follow() {
    let action = "InvalidActionDeclarationException";
    let stage = "InvalidStageDeclarationException";
    let structure = "InvalidStructureException";
    let source = base()["stages"][0]["actions"][0].clone();
    let build = base()["stages"][1]["actions"][0].clone();
    let format = "Valid format for a pipeline execution variable reference is a namespace and a key separated by a period (.). The following pipeline execution variables";
    let at = "StageName=[Build], ActionName=[a], ActionConfigurationKey=[CustomData]";
    for (pointer, change, place, exception, text) in [
        ("/stages", json!([base()["stages"][0]]), "stages", structure, "Pipeline has only 1 stage(s). There should be a minimum of 2 stages in a pipeline".to_owned()),
        ("/stages", json!(vec![json!({"name": "S", "actions": []}); 51]), "stages", structure,
            "Pipeline has too many stages. There can only be up to 50 stages in a pipeline".to_owned()),
        ("/stages/0/actions/1", build.clone(), "stages[0].actions[1].actionTypeId.category", structure,
            "Pipeline should start with a stage that only contains source actions".to_owned()),
        ("/stages/1/actions/2", source.clone(), "stages[1].actions[2].actionTypeId.category", structure,
            "Source actions can only be included in the first stage of the pipeline".to_owned()),
        ("/stages/1/name", json!("Source"), "stages[1].name", stage, "Stage name 'Source' is used more than once".to_owned()),
        ("/stages/1/actions", json!([]), "stages[1].actions", stage,
            "Stage 'Build' has no actions. There should be a minimum of 1 action in a stage".to_owned()),
        ("/stages/1/actions/1/name", json!("b"), "stages[1].actions[1].name", action,
            "Action name 'b' is used more than once in stage 'Build'".to_owned()),
        ("/stages/1/actions/0/actionTypeId/provider", json!("Jenkins"), "stages[1].actions[0].actionTypeId", action,
            "ActionType (Category: 'Build', Provider: 'Jenkins', Owner: 'AWS', Version: '1') in action 'b' is not available in region 'EU_WEST_1'".to_owned()),
        ("/stages/1/actions/0/inputArtifacts", json!([]), "stages[1].actions[0].inputArtifacts", action,
            "Action b declares 0 input artifacts which is less than the minimum count (1)".to_owned()),
        ("/stages/1/actions/1/inputArtifacts", json!([{"name": "s"}]), "stages[1].actions[1].inputArtifacts", action,
            "Action a declares 1 input artifacts which is more than the maximum count (0)".to_owned()),
        ("/stages/1/actions/0/configuration", json!({}), "stages[1].actions[0].configuration.ProjectName", action,
            "Action configuration for action 'b' is missing required configuration 'ProjectName'".to_owned()),
        ("/stages/1/actions/0/configuration/Project", json!("x"), "stages[1].actions[0].configuration.Project", action,
            "Action configuration for action 'b' contains unknown configuration 'Project'".to_owned()),
        ("/stages/1/actions/0/actionTypeId", json!({"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"}),
            "stages[1].actions[0].configuration.ProjectName", action,
            "Action configuration for action 'b' contains unknown configuration 'ProjectName'".to_owned()),
        ("/stages/1/actions/0/commands", json!(["ls"]), "stages[1].actions[0].commands", action,
            "Action b cannot have the field commands: it is only available for the Commands action".to_owned()),
        ("/stages/1/actions/0/timeoutInMinutes", json!(5), "stages[1].actions[0].timeoutInMinutes", action,
            "Action b cannot have the field timeoutInMinutes: it is only available for the manual approval action".to_owned()),
        ("/stages/1/actions/0/outputArtifacts/0/name", json!("s"), "stages[1].actions[0].outputArtifacts[0].name", structure,
            "Output Artifact Bundle name must be unique within the pipeline. s has been used more than once.".to_owned()),
        ("/stages/1/actions/0/inputArtifacts/0/name", json!("x"), "stages[1].actions[0].inputArtifacts[0].name", action,
            "Input Artifact Bundle x in action b is not declared as Output Artifact Bundle in any of the preceding actions".to_owned()),
        ("/stages/1/actions/0/inputArtifacts/0/name", json!("b"), "stages[1].actions[0].inputArtifacts[0].name", action,
            "Input Artifact Bundle b in action b is not declared as Output Artifact Bundle in any of the preceding actions".to_owned()),
        ("/stages/1/actions/0/namespace", json!("sV"), "stages[1].actions[0].namespace", action,
            "Namespaces must be unique across the pipeline definition. The following occur more than once in the pipeline. StageName=[Build], ActionName=[b], Namespace=[sV]".to_owned()),
        ("/stages/1/actions/0/namespace", json!("variables"), "stages[1].actions[0].namespace", action,
            "The namespaces codepipeline and variables are reserved. StageName=[Build], ActionName=[b], Namespace=[variables]".to_owned()),
        ("/stages/1/actions/1/configuration", json!({"CustomData": "see #{nope.x}"}), "stages[1].actions[1].configuration.CustomData", action,
            format!("{format} are referencing a namespace that does not exist. {at}, VariableReferenceText=[#{{nope.x}}]")),
        ("/stages/1/actions/1", json!({"name": "a", "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"},
            "configuration": {"CustomData": "#{bV.x}"}}), "stages[1].actions[1].configuration.CustomData", action,
            format!("{format} are referencing a namespace that does not exist. {at}, VariableReferenceText=[#{{bV.x}}]")),
        ("/stages/1/actions/1/configuration", json!({"CustomData": "#{variables.x}"}), "stages[1].actions[1].configuration.CustomData", action,
            format!("{format} are referencing a pipeline variable that does not exist. {at}, VariableReferenceText=[#{{variables.x}}]")),
        ("/stages/1/actions/1/configuration", json!({"CustomData": "#{CommitId}"}), "stages[1].actions[1].configuration.CustomData", action,
            format!("{format} are not in this format. {at}, VariableReferenceText=[#{{CommitId}}]")),
        ("/variables", json!([{"name": "V"}, {"name": "V"}]), "variables[1].name", structure,
            "Variable names must be unique. The following variable name is already in use: V".to_owned()),
        ("/triggers", json!([{"providerType": "CodeStarSourceConnection", "gitConfiguration": {"sourceActionName": "s"}}]),
            "triggers[0].gitConfiguration.sourceActionName", structure,
            "Triggers for connections must reference a CodeStarSourceConnection action.".to_owned()),
        ("/stages/1/actions/0/region", json!("us-east-1"), "stages[1].actions[0].region", structure,
            "Your pipeline contains actions in more than one region. Use 'pipeline.artifactStores' instead of 'pipeline.artifactStore' to declare an artifact store, such as an artifact bucket, for each region where you have an action.".to_owned()),
        ("/stages/0/actions/0/region", json!("us-east-1"), "stages[0].actions[0].region", action,
            "Action 's' cannot run in region 'us-east-1'. Source, third-party and custom actions can only run in the region of the pipeline".to_owned()),
        ("/artifactStore", Value::Null, "artifactStore", structure,
            "Pipeline must declare either 'pipeline.artifactStore' or 'pipeline.artifactStores'".to_owned()),
        ("/stages/1/onFailure", json!({"result": "ROLLBACK", "conditions": [{"result": "ROLLBACK"}]}), "stages[1].onFailure", stage,
            "The following stage cannot have a failure exit gate configured with both top level result and conditions: 'Build".to_owned()),
        ("/stages/1/onFailure", json!({"result": "SKIP"}), "stages[1].onFailure.result", stage,
            "Stage 'Build' declares onFailure with the result SKIP, which is not one of RETRY, ROLLBACK".to_owned()),
        ("/stages/1/onFailure", json!({"result": "ROLLBACK", "retryConfiguration": {}}), "stages[1].onFailure.retryConfiguration", stage,
            "Stage 'Build' declares a retryConfiguration without the result RETRY".to_owned()),
        ("/stages/0/onFailure", json!({"result": "ROLLBACK"}), "stages[0].onFailure", stage,
            "Stage 'Source' contains source actions and cannot be rolled back".to_owned()),
    ] {
        refused(pointer, change, &format!("{place}: {exception}: {text}"));
    }
}

#[test]
fn v1_pipelines_have_no_v2_members() {
    for (pointer, change, expected) in [
        (
            "/variables",
            json!([{"name": "V"}]),
            "variables: InvalidStructureException: Pipeline variable can only be used with V2 pipelines",
        ),
        (
            "/executionMode",
            json!("QUEUED"),
            "executionMode: InvalidStructureException: QUEUED or PARALLEL mode can only be used with V2 pipelines",
        ),
        (
            "/stages/1/onSuccess",
            json!({"conditions": [{"result": "FAIL"}]}),
            "stages[1].onSuccess: InvalidStageDeclarationException: Stage level conditions can only be used with V2 pipelines.",
        ),
        (
            "/stages/1/actions/0",
            json!({"name": "c", "actionTypeId": {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"},
            "commands": ["ls"], "inputArtifacts": [{"name": "s"}]}),
            "stages[1].actions[0].actionTypeId.provider: InvalidActionDeclarationException: Commands Action can only be used with V2 pipelines.",
        ),
    ] {
        let mut value = base();
        put(&mut value, "/pipelineType", json!("V1"));
        put(&mut value, pointer, change);
        assert_eq!(
            findings(value.clone()).first().map(String::as_str),
            Some(expected)
        );
        // without a declared type the member makes it V2
        put(&mut value, "/pipelineType", Value::Null);
        assert!(
            !findings(value).iter().any(|it| it.contains("V2 pipelines")),
            "{pointer}"
        );
    }
}

#[test]
fn custom_action_types_are_checked() {
    for (change, expected) in [
        (json!({"Job": "x"}), None),
        (json!({}), Some("is missing required configuration 'Job'")),
        (
            json!({"Job": "x", "Jub": "y"}),
            Some("contains unknown configuration 'Jub'"),
        ),
        (
            json!({"Job": "has space"}),
            Some("has an invalid value for the queryable configuration 'Job'"),
        ),
    ] {
        let mut value = base();
        let custom = json!({"name": "w", "configuration": change.clone(),
            "actionTypeId": {"category": "Test", "owner": "Custom", "provider": "Worker", "version": "1"}});
        put(&mut value, "/stages/1/actions/2", custom);
        let found = findings(value);
        match expected {
            Some(part) => assert!(found[0].contains(part), "{found:?}"),
            None => assert_eq!(found, [""; 0], "{change}"),
        }
    }
    let mut twice = worker();
    twice.configuration_properties[1].queryable = true;
    let refusal = engine_plan::check::check_action_type(&twice).unwrap_err();
    assert_eq!(
        refusal.message,
        "Multiple queryable configuration properties found with names 'Job, Token'. Up to one queryable property may be specified."
    );
    let mut counts = worker();
    counts.input_artifact_details.minimum_count = 2;
    let refusal = engine_plan::check::check_action_type(&counts).unwrap_err();
    assert_eq!(
        refusal.message,
        "Maximum Number of Artifacts (1) has to be greater than or equal to minimum (2)."
    );
}

#[test]
fn s3_6_conditions_are_checked() {
    let rule = |provider: &str, configuration: Value| {
        json!({"name": "r", "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"},
            "configuration": configuration})
    };
    let check = |operator: &str| {
        rule(
            "VariableCheck",
            json!({"Variable": "a", "Value": "b", "Operator": operator}),
        )
    };
    let window = rule(
        "DeploymentWindow",
        json!({"Cron": "0 0 9-17 ? * MON-FRI *"}),
    );
    let commands = |commands: Value| {
        let mut rule = rule("Commands", json!({}));
        rule["commands"] = commands;
        rule
    };
    let mut fed = check("EQ");
    fed["inputArtifacts"] = json!([{"name": "s"}]);
    let one =
        |result: &str, rules: Value| json!({"conditions": [{"result": result, "rules": rules}]});
    for (gate, value, expected) in [
        ("beforeEntry", one("FAIL", json!([check("EQ")])), None),
        ("beforeEntry", one("SKIP", json!([check("MATCHES")])), None),
        (
            "beforeEntry",
            one("FAIL", json!([commands(json!(["make"]))])),
            None,
        ),
        ("onSuccess", one("FAIL", json!([window])), None),
        ("onSuccess", one("ROLLBACK", json!([window])), None),
        (
            "onFailure",
            one(
                "ROLLBACK",
                json!([rule("CodeBuild", json!({"ProjectName": "x"}))]),
            ),
            None,
        ),
        (
            "beforeEntry",
            one("ROLLBACK", json!([window])),
            Some(
                "result: The beforeEntry condition of stage 'Build' must have one of the results FAIL, SKIP, not ROLLBACK",
            ),
        ),
        (
            "onSuccess",
            one("SKIP", json!([check("EQ")])),
            Some(
                "result: The onSuccess condition of stage 'Build' must have one of the results FAIL, ROLLBACK, not SKIP",
            ),
        ),
        (
            "onFailure",
            one("FAIL", json!([check("EQ")])),
            Some(
                "result: The onFailure condition of stage 'Build' must have one of the results ROLLBACK, not FAIL",
            ),
        ),
        (
            "onSuccess",
            json!({"conditions": [{"rules": [check("EQ")]}]}),
            Some(
                "result: The onSuccess condition of stage 'Build' must have one of the results FAIL, ROLLBACK, not none",
            ),
        ),
        (
            "beforeEntry",
            json!({"conditions": [{"result": "FAIL"}]}),
            Some("rules: The beforeEntry condition of stage 'Build' must have at least 1 rule"),
        ),
        (
            "beforeEntry",
            one("FAIL", json!([check("EQ"), check("NE")])),
            Some(
                "rules[1].name: The beforeEntry condition of stage 'Build' uses the rule name 'r' more than once",
            ),
        ),
        (
            "beforeEntry",
            one("FAIL", json!([rule("Moon", json!({}))])),
            Some(
                "rules[0].ruleTypeId: Rule 'r' in stage 'Build' has the unknown type (Provider: 'Moon', Version: '1')",
            ),
        ),
        (
            "beforeEntry",
            one("SKIP", json!([window])),
            Some(
                "rules[0].ruleTypeId.provider: Rule 'r' in stage 'Build' cannot be of type DeploymentWindow in a condition with the result SKIP",
            ),
        ),
        (
            "beforeEntry",
            one("FAIL", json!([rule("LambdaInvoke", json!({}))])),
            Some(
                "rules[0].configuration.FunctionName: Rule 'r' in stage 'Build' is missing required configuration 'FunctionName'",
            ),
        ),
        (
            "beforeEntry",
            one(
                "FAIL",
                json!([rule("LambdaInvoke", json!({"FunctionName": "f", "X": "y"}))]),
            ),
            Some(
                "rules[0].configuration.X: Rule 'r' in stage 'Build' contains unknown configuration 'X'",
            ),
        ),
        (
            "beforeEntry",
            one("FAIL", json!([commands(Value::Null)])),
            Some(
                "rules[0].commands: Rule 'r' in stage 'Build' must have a non-empty commands field",
            ),
        ),
        (
            "beforeEntry",
            one("FAIL", json!([check("LIKE")])),
            Some(
                "rules[0].configuration.Operator: Rule 'r' in stage 'Build' has the operator 'LIKE', which is not one of EQ, NE, CONTAINS, MATCHES",
            ),
        ),
        (
            "beforeEntry",
            one("FAIL", json!([fed])),
            Some(
                "rules[0].inputArtifacts: Rule 'r' in stage 'Build' declares 1 input artifacts which is more than the maximum count (0)",
            ),
        ),
    ] {
        let mut definition = base();
        put(&mut definition, &format!("/stages/1/{gate}"), value);
        let expected = expected.map(|it| {
            let (member, text) = it.split_once(": ").unwrap();
            format!(
                "stages[1].{gate}.conditions[0].{member}: InvalidStageDeclarationException: {text}"
            )
        });
        assert_eq!(findings(definition).first(), expected.as_ref());
    }
}
