//! CloudFormation templates: finds the pipeline and resolves what refers to this template itself.

mod each;
pub mod found;
mod names;
mod resolve;
mod terraform;
mod yaml;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use resolve::Resolver;
pub use terraform::{is_terraform, pipeline as of_terraform};
pub use yaml::from_yaml;

/// What a template may need.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Which resource, when there are several pipelines.
    pub logical_id: Option<String>,
    /// Parameter values.
    pub parameters: BTreeMap<String, String>,
    /// Region and account for pseudo parameters.
    pub region: String,
    /// 12 digits.
    pub account: String,
}

/// What cannot be resolved, and where.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Problem(String);

fn problem<T>(text: impl Into<String>) -> Result<T, Problem> {
    Err(Problem(text.into()))
}

/// The pipeline of a template, in the API's spelling.
///
/// # Errors
/// No or several pipelines, or a value that this template alone cannot give.
pub fn pipeline(template: &Value, choice: &Choice) -> Result<Value, Problem> {
    let template = &each::expanded(template, choice)?;
    let resources = object(template, "Resources")?;
    let found: Vec<&String> = resources
        .iter()
        .filter(|(_, r)| r["Type"] == "AWS::CodePipeline::Pipeline")
        .map(|(id, _)| id)
        .collect();
    let id = match (&choice.logical_id, found.as_slice()) {
        (Some(id), _) if found.contains(&id) => id,
        (Some(id), _) => {
            return problem(format!(
                "no AWS::CodePipeline::Pipeline has the logical id {id}; there is {found:?}"
            ));
        }
        (None, [one]) => *one,
        (None, []) => return problem("no resource is an AWS::CodePipeline::Pipeline"),
        (None, _) => {
            return problem(format!(
                "several pipelines: choose one with --logical-id from {found:?}"
            ));
        }
    };
    let resolver = Resolver {
        template,
        resources,
        choice,
    };
    let place = format!("Resources.{id}.Properties");
    let properties = resolver.value(&resources[id]["Properties"], &place, 0)?;
    let Some(Value::Object(properties)) = properties else {
        return problem(format!("{place} is missing"));
    };
    let mut pipeline = api_spelling(Value::Object(properties));
    let fields = pipeline
        .as_object_mut()
        .ok_or_else(|| Problem("not a pipeline".to_owned()))?;
    fields
        .entry("name")
        .or_insert_with(|| Value::String(id.clone()));
    fields.remove("tags");
    fields.remove("restartExecutionOnUpdate");
    fields.remove("disableInboundStageTransitions");
    if let Some(Value::Array(stores)) = fields.remove("artifactStores") {
        let by_region: Map<String, Value> = stores
            .iter()
            .filter_map(|s| Some((s["region"].as_str()?.to_owned(), s["artifactStore"].clone())))
            .collect();
        fields.insert("artifactStores".to_owned(), Value::Object(by_region));
    }
    Ok(pipeline)
}

/// Members whose keys are the user's own and stay as they are.
fn is_free_form(key: &str) -> bool {
    matches!(key, "Configuration")
}

fn api_spelling(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| {
                    let value = if is_free_form(&key) {
                        texts(value)
                    } else {
                        api_spelling(value)
                    };
                    let mut letters = key.chars();
                    let lower = letters
                        .next()
                        .map(|c| c.to_lowercase().collect::<String>() + letters.as_str())
                        .unwrap_or_default();
                    (lower, value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(api_spelling).collect()),
        other => other,
    }
}

/// Configuration values are texts in the API; CloudFormation takes numbers, booleans and JSON too.
fn texts(value: Value) -> Value {
    let Value::Object(map) = value else {
        return value;
    };
    Value::Object(
        map.into_iter()
            .map(|(key, value)| match value {
                Value::String(_) => (key, value),
                other => (key, Value::String(other.to_string())),
            })
            .collect(),
    )
}

fn object<'a>(value: &'a Value, key: &str) -> Result<&'a Map<String, Value>, Problem> {
    value[key]
        .as_object()
        .ok_or_else(|| Problem(format!("{key} is missing or not a map")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn choice() -> Choice {
        Choice {
            region: "eu-west-1".to_owned(),
            account: "123456789012".to_owned(),
            ..Choice::default()
        }
    }

    #[test]
    fn a_template_gives_its_pipeline() {
        let yaml = r"
Parameters: {Branch: {Type: String, Default: main}}
Resources:
  Bucket: {Type: AWS::S3::Bucket}
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: approvals}}
  Role: {Type: AWS::IAM::Role}
  Release:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      RoleArn: !GetAtt Role.Arn
      ArtifactStore: {Type: S3, Location: !Ref Bucket}
      Stages:
        - Name: Source
          Actions:
            - Name: App
              ActionTypeId: {Category: Source, Owner: AWS, Provider: CodeCommit, Version: '1'}
              Configuration: {RepositoryName: app, BranchName: !Ref Branch, PollForSourceChanges: false}
              OutputArtifacts: [{Name: App}]
        - Name: Approve
          Actions:
            - Name: Ok
              ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: '1'}
              Configuration: {NotificationArn: !Ref Topic, CustomData: !Sub 'in ${AWS::Region} of ${Bucket}'}
";
        let document =
            from_yaml(yaml_serde::from_str(yaml).expect("valid YAML")).expect("only known tags");
        let pipeline = pipeline(&document, &choice()).expect("resolves");
        assert_eq!(pipeline["name"], "Release");
        assert_eq!(pipeline["roleArn"], "arn:aws:iam::123456789012:role/Role");
        assert_eq!(pipeline["artifactStore"]["location"], "stagewright-bucket");
        let source = &pipeline["stages"][0]["actions"][0]["configuration"];
        assert_eq!(source["BranchName"], "main");
        assert_eq!(source["PollForSourceChanges"], "false");
        let approve = &pipeline["stages"][1]["actions"][0]["configuration"];
        assert_eq!(
            approve["NotificationArn"],
            "arn:aws:sns:eu-west-1:123456789012:approvals"
        );
        assert_eq!(approve["CustomData"], "in eu-west-1 of stagewright-bucket");
    }

    #[test]
    fn imports_defaults_and_the_language_extensions_are_resolved() {
        let template = json!({
            "Transform": "AWS::LanguageExtensions",
            "Mappings": {"M": {"a": {"b": "c"}}},
            "Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {
                "Name": {"Fn::ImportValue": {"Fn::Sub": "${AWS::Region}-name"}},
                "RoleArn": {"Fn::ImportValue": "role"},
                "Stages": [{"Name": {"Fn::FindInMap": ["M", "x", "b", {"DefaultValue": "none"}]}, "Actions": [
                    {"Name": {"Fn::FindInMap": ["M", "a", "b"]}, "Configuration": {
                        "UserParameters": {"Fn::ToJsonString": {"n": {"Fn::Length": ["x", "y"]}}}}}]}]}}},
            "Outputs": {"Role": {"Value": {"Fn::Sub": "arn:${AWS::AccountId}"}, "Export": {"Name": "role"}}, "Plain": {"Value": "x"}},
        });
        let mut choice = choice();
        let given = ("eu-west-1-name".to_owned(), "shop".to_owned());
        choice.parameters.extend([given]);
        let pipeline = pipeline(&template, &choice).expect("resolves");
        let stage = json!({"name": "none", "actions": [{"name": "c", "configuration": {"UserParameters": "{\"n\":2}"}}]});
        let expected = json!({"name": "shop", "roleArn": "arn:123456789012", "stages": [stage]});
        assert_eq!(pipeline, expected);
    }

    #[test]
    fn what_cannot_be_resolved_is_named() {
        let cases = [
            (
                json!({"Resources": {}}),
                "no resource is an AWS::CodePipeline::Pipeline",
            ),
            (
                json!({"Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {"RoleArn": {"Ref": "Nope"}}}}}),
                "Resources.P.Properties.RoleArn: Nope is neither a parameter nor a resource of this template",
            ),
            (
                json!({"Parameters": {"A": {}}, "Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {"Name": {"Ref": "A"}}}}}),
                "Resources.P.Properties.Name: parameter A has no default: give --parameter A=VALUE",
            ),
            (
                json!({"Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {"Name": {"Fn::ImportValue": "x"}}}}}),
                "Resources.P.Properties.Name: no output of this template is exported as x: give --parameter x=VALUE",
            ),
            (
                json!({"Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {"Name": {"Fn::Cidr": ["x", 1, 2]}}}}}),
                "Resources.P.Properties.Name: Fn::Cidr cannot be resolved here; write the value out",
            ),
            (
                json!({"Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {"Fn::Transform": {"Name": "AWS::Include"}}}}}),
                "Resources.P.Properties: AWS::Include runs on AWS only: take the template that CloudFormation made with it (aws cloudformation get-template --template-stage Processed)",
            ),
            (
                json!({"Mappings": {"M": {"a": {"b": "c"}}}, "Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {"Name": {"Fn::FindInMap": ["M", "x", "b"]}}}}}),
                "Resources.P.Properties.Name: Fn::FindInMap finds nothing for [\"M\", \"x\", \"b\"]",
            ),
        ];
        for (template, expected) in cases {
            assert_eq!(
                pipeline(&template, &choice()).map_err(|p| p.to_string()),
                Err(expected.to_owned())
            );
        }
    }
}
