//! CloudFormation templates: finds the pipeline and resolves what refers to this template itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::load::Choice;

/// Nesting of functions deeper than this is refused.
const MAX_DEPTH: usize = 64;

/// What cannot be resolved, and where.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Problem(String);

fn problem<T>(text: impl Into<String>) -> Result<T, Problem> {
    Err(Problem(text.into()))
}

/// YAML to JSON; CloudFormation's short forms (`!Ref X`) become their long ones.
///
/// # Errors
/// Keys that are not texts, numbers JSON has not, unknown tags.
pub fn from_yaml(value: yaml_serde::Value) -> Result<Value, Problem> {
    use yaml_serde::Value as Yaml;
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(b) => Value::Bool(b),
        Yaml::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (Some(i), _, _) => json!(i),
            (_, Some(u), _) => json!(u),
            (_, _, Some(f)) => json!(f),
            _ => return problem("a number that JSON cannot hold"),
        },
        Yaml::String(s) => Value::String(s),
        Yaml::Sequence(items) => {
            Value::Array(items.into_iter().map(from_yaml).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let key = match key {
                    Yaml::String(s) => s,
                    Yaml::Number(n) => n.to_string(),
                    Yaml::Bool(b) => b.to_string(),
                    _ => return problem("a key that is not a text"),
                };
                map.insert(key, from_yaml(value)?);
            }
            Value::Object(map)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!');
            let inner = from_yaml(tagged.value)?;
            match name {
                "Ref" | "Condition" => json!({ name: inner }),
                "GetAtt" => match inner {
                    Value::String(s) => {
                        let (resource, attribute) = s.split_once('.').unwrap_or((&s, ""));
                        json!({"Fn::GetAtt": [resource, attribute]})
                    }
                    other => json!({"Fn::GetAtt": other}),
                },
                "Sub" | "Join" | "Select" | "Split" | "If" | "Equals" | "And" | "Or" | "Not"
                | "FindInMap" | "ImportValue" | "Base64" | "GetAZs" | "Cidr" | "ToJsonString"
                | "Length" => {
                    json!({ (format!("Fn::{name}")): inner })
                }
                _ => return problem(format!("unknown tag !{name}")),
            }
        }
    })
}

/// The pipeline of a template, in the API's spelling.
///
/// # Errors
/// No or several pipelines, or a value that this template alone cannot give.
pub fn pipeline(template: &Value, choice: &Choice) -> Result<Value, Problem> {
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

struct Resolver<'a> {
    template: &'a Value,
    resources: &'a Map<String, Value>,
    choice: &'a Choice,
}

impl Resolver<'_> {
    /// `None` is `AWS::NoValue`: the member is left out.
    fn value(&self, value: &Value, place: &str, depth: usize) -> Result<Option<Value>, Problem> {
        if depth > MAX_DEPTH {
            return problem(format!("{place} is nested too deeply"));
        }
        match value {
            Value::Object(map) => {
                if let (1, Some((key, argument))) = (map.len(), map.iter().next())
                    && (key == "Ref" || key.starts_with("Fn::"))
                {
                    return self.function(key, argument, place, depth + 1);
                }
                let mut out = Map::new();
                for (key, inner) in map {
                    if let Some(inner) = self.value(inner, &format!("{place}.{key}"), depth + 1)? {
                        out.insert(key.clone(), inner);
                    }
                }
                Ok(Some(Value::Object(out)))
            }
            Value::Array(items) => {
                let mut out = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    out.extend(self.value(item, &format!("{place}[{index}]"), depth + 1)?);
                }
                Ok(Some(Value::Array(out)))
            }
            other => Ok(Some(other.clone())),
        }
    }

    fn function(
        &self,
        name: &str,
        argument: &Value,
        place: &str,
        depth: usize,
    ) -> Result<Option<Value>, Problem> {
        let text = |s: String| Ok(Some(Value::String(s)));
        match name {
            "Ref" => match argument.as_str() {
                Some("AWS::NoValue") => Ok(None),
                Some(id) => self.reference(id, place).map(Some),
                None => problem(format!("{place}: Ref needs a name")),
            },
            "Fn::GetAtt" => {
                let parts = self.texts(argument, place, depth)?;
                match parts.as_slice() {
                    [id, attribute] => text(self.attribute(id, attribute, place)?),
                    _ => problem(format!(
                        "{place}: Fn::GetAtt needs a resource and an attribute"
                    )),
                }
            }
            "Fn::Sub" => text(self.substitute(argument, place, depth)?),
            "Fn::Join" => {
                let separator = argument[0].as_str().unwrap_or_default();
                text(self.texts(&argument[1], place, depth)?.join(separator))
            }
            "Fn::Split" => {
                let separator = argument[0].as_str().unwrap_or_default().to_owned();
                let whole = self.text(&argument[1], place, depth)?;
                Ok(Some(
                    whole
                        .split(separator.as_str())
                        .map(|s| Value::String(s.to_owned()))
                        .collect(),
                ))
            }
            "Fn::Select" => {
                let index = self.text(&argument[0], place, depth)?;
                let list = self.value(&argument[1], place, depth)?;
                index
                    .parse::<usize>()
                    .ok()
                    .and_then(|i| list.as_ref()?.get(i).cloned())
                    .map(Some)
                    .ok_or_else(|| Problem(format!("{place}: Fn::Select has no item {index}")))
            }
            "Fn::If" => {
                let condition = argument[0].as_str().unwrap_or_default();
                let branch = if self.condition(condition, place, depth)? {
                    &argument[1]
                } else {
                    &argument[2]
                };
                self.value(branch, place, depth)
            }
            "Fn::FindInMap" => {
                let keys = self.texts(argument, place, depth)?;
                match keys.as_slice() {
                    [map, first, second]
                        if !self.template["Mappings"][map][first][second].is_null() =>
                    {
                        Ok(Some(self.template["Mappings"][map][first][second].clone()))
                    }
                    _ => problem(format!("{place}: Fn::FindInMap finds nothing for {keys:?}")),
                }
            }
            "Fn::ToJsonString" => {
                let inner = self.value(argument, place, depth)?.unwrap_or(Value::Null);
                text(inner.to_string())
            }
            other => problem(format!(
                "{place}: {other} cannot be resolved from this template alone; give the value with --parameter or write it out"
            )),
        }
    }

    fn text(&self, value: &Value, place: &str, depth: usize) -> Result<String, Problem> {
        match self.value(value, place, depth + 1)? {
            Some(Value::String(s)) => Ok(s),
            Some(Value::Number(n)) => Ok(n.to_string()),
            Some(Value::Bool(b)) => Ok(b.to_string()),
            _ => problem(format!("{place} should be a text")),
        }
    }

    fn texts(&self, value: &Value, place: &str, depth: usize) -> Result<Vec<String>, Problem> {
        match self.value(value, place, depth + 1)? {
            Some(Value::Array(items)) => items.iter().map(|i| self.text(i, place, depth)).collect(),
            _ => problem(format!("{place} should be a list")),
        }
    }

    fn reference(&self, id: &str, place: &str) -> Result<Value, Problem> {
        if let Some(value) = self.pseudo(id) {
            return Ok(Value::String(value));
        }
        if let Some(parameter) = self.template["Parameters"].get(id) {
            return match (self.choice.parameters.get(id), parameter.get("Default")) {
                (Some(given), _) => Ok(Value::String(given.clone())),
                (None, Some(Value::String(default))) => Ok(Value::String(default.clone())),
                (None, Some(default)) => Ok(Value::String(default.to_string())),
                (None, None) => problem(format!(
                    "{place}: parameter {id} has no default: give --parameter {id}=VALUE"
                )),
            };
        }
        match self.resources.get(id) {
            Some(resource) => Ok(Value::String(self.physical(id, resource, place)?)),
            None => problem(format!(
                "{place}: {id} is neither a parameter nor a resource of this template"
            )),
        }
    }

    fn pseudo(&self, id: &str) -> Option<String> {
        Some(match id {
            "AWS::Region" => self.choice.region.clone(),
            "AWS::AccountId" => self.choice.account.clone(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackName" => "stagewright".to_owned(),
            "AWS::StackId" => format!(
                "arn:aws:cloudformation:{}:{}:stack/stagewright/local",
                self.choice.region, self.choice.account
            ),
            _ => return None,
        })
    }

    /// What `Ref` of a resource gives: its own name property, or a name made from the logical id.
    fn physical(&self, id: &str, resource: &Value, place: &str) -> Result<String, Problem> {
        let kind = resource["Type"].as_str().unwrap_or_default();
        let name = |property: &str, otherwise: String| match resource["Properties"].get(property) {
            Some(value) => self.text(value, &format!("Resources.{id}.Properties.{property}"), 0),
            None => Ok(otherwise),
        };
        match kind {
            "AWS::S3::Bucket" => name("BucketName", format!("stagewright-{}", id.to_lowercase())),
            "AWS::Lambda::Function" | "AWS::Serverless::Function" => {
                name("FunctionName", id.to_owned())
            }
            "AWS::CodeBuild::Project" => name("Name", id.to_owned()),
            "AWS::CodeCommit::Repository" => name("RepositoryName", id.to_owned()),
            "AWS::ECR::Repository" => name("RepositoryName", id.to_lowercase()),
            "AWS::IAM::Role" => name("RoleName", id.to_owned()),
            "AWS::SNS::Topic" => Ok(self.arn("sns", &name("TopicName", id.to_owned())?)),
            "AWS::StepFunctions::StateMachine" | "AWS::Serverless::StateMachine" => {
                let machine = name("StateMachineName", id.to_owned())?;
                Ok(self.arn("states", &format!("stateMachine:{machine}")))
            }
            "AWS::CodeStarConnections::Connection" | "AWS::CodeConnections::Connection" => {
                let connection = name("ConnectionName", id.to_owned())?;
                Ok(self.arn("codestar-connections", &format!("connection/{connection}")))
            }
            "AWS::KMS::Key" => Ok(id.to_owned()),
            _ => problem(format!(
                "{place}: Ref of {id} ({kind}) is not known here; write the value out"
            )),
        }
    }

    fn attribute(&self, id: &str, attribute: &str, place: &str) -> Result<String, Problem> {
        let Some(resource) = self.resources.get(id) else {
            return problem(format!("{place}: {id} is not a resource of this template"));
        };
        let kind = resource["Type"].as_str().unwrap_or_default();
        let physical = self.physical(id, resource, place)?;
        match (kind, attribute) {
            ("AWS::IAM::Role", "Arn") => Ok(format!(
                "arn:aws:iam::{}:role/{physical}",
                self.choice.account
            )),
            ("AWS::S3::Bucket", "Arn") => Ok(format!("arn:aws:s3:::{physical}")),
            ("AWS::Lambda::Function" | "AWS::Serverless::Function", "Arn") => {
                Ok(self.arn("lambda", &format!("function:{physical}")))
            }
            ("AWS::KMS::Key", "Arn") => Ok(self.arn("kms", &format!("key/{physical}"))),
            ("AWS::CodeBuild::Project", "Arn") => {
                Ok(self.arn("codebuild", &format!("project/{physical}")))
            }
            ("AWS::CodeCommit::Repository", "Name") | ("AWS::SNS::Topic", "TopicArn") => {
                Ok(physical)
            }
            ("AWS::SNS::Topic", "TopicName") => {
                Ok(physical.rsplit(':').next().unwrap_or_default().to_owned())
            }
            (_, "Arn" | "ConnectionArn") if physical.starts_with("arn:") => Ok(physical),
            _ => problem(format!(
                "{place}: {id}.{attribute} ({kind}) is not known here; write the value out"
            )),
        }
    }

    fn arn(&self, service: &str, rest: &str) -> String {
        format!(
            "arn:aws:{service}:{}:{}:{rest}",
            self.choice.region, self.choice.account
        )
    }

    fn substitute(&self, argument: &Value, place: &str, depth: usize) -> Result<String, Problem> {
        let mut own = BTreeMap::new();
        let pattern = match argument {
            Value::String(s) => s,
            Value::Array(parts) => {
                if let Some(Value::Object(map)) = parts.get(1) {
                    for (key, value) in map {
                        own.insert(key.clone(), self.text(value, place, depth)?);
                    }
                }
                parts.first().and_then(Value::as_str).unwrap_or_default()
            }
            _ => return problem(format!("{place}: Fn::Sub needs a text")),
        };
        let mut out = String::new();
        let mut rest = pattern;
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let Some(length) = rest[start..].find('}') else {
                break;
            };
            let name = &rest[start + 2..start + length];
            rest = &rest[start + length + 1..];
            match name.split_once('.') {
                _ if name.starts_with('!') => out.push_str(&format!("${{{}}}", &name[1..])),
                _ if own.contains_key(name) => out.push_str(&own[name]),
                Some((id, attribute)) => out.push_str(&self.attribute(id, attribute, place)?),
                None => out.push_str(self.reference(name, place)?.as_str().unwrap_or_default()),
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn condition(&self, name: &str, place: &str, depth: usize) -> Result<bool, Problem> {
        match self.template["Conditions"].get(name) {
            Some(condition) => self.holds(condition, place, depth),
            None => problem(format!("{place}: condition {name} is not defined")),
        }
    }

    fn holds(&self, condition: &Value, place: &str, depth: usize) -> Result<bool, Problem> {
        if depth > MAX_DEPTH {
            return problem(format!("{place}: conditions are nested too deeply"));
        }
        let all = |list: &Value| -> Result<Vec<bool>, Problem> {
            list.as_array()
                .into_iter()
                .flatten()
                .map(|c| self.holds(c, place, depth + 1))
                .collect()
        };
        let Some((key, argument)) = condition.as_object().and_then(|m| m.iter().next()) else {
            return problem(format!("{place}: a condition should be a function"));
        };
        match key.as_str() {
            "Condition" => self.condition(argument.as_str().unwrap_or_default(), place, depth + 1),
            "Fn::Equals" => {
                Ok(self.text(&argument[0], place, depth)?
                    == self.text(&argument[1], place, depth)?)
            }
            "Fn::And" => Ok(all(argument)?.into_iter().all(|b| b)),
            "Fn::Or" => Ok(all(argument)?.into_iter().any(|b| b)),
            "Fn::Not" => Ok(!all(argument)?.into_iter().any(|b| b)),
            other => problem(format!("{place}: {other} is no condition function")),
        }
    }
}

#[cfg(test)]
mod tests {
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
                "Resources.P.Properties.Name: Fn::ImportValue cannot be resolved from this template alone; give the value with --parameter or write it out",
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
