//! Terraform's JSON form: finds the `aws_codepipeline` and resolves what refers to this document itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Choice, Problem, problem};

/// References inside references end here.
const MAX_DEPTH: usize = 32;
const PIPELINE: &str = "aws_codepipeline";

/// Whether a document is Terraform's.
pub fn is_terraform(document: &Value) -> bool {
    document["resource"].is_object() || document["resource"].is_array()
}

/// The pipeline, in the API's spelling.
///
/// # Errors
/// No or several pipelines, or a value that this document alone cannot give.
pub fn pipeline(document: &Value, choice: &Choice) -> Result<Value, Problem> {
    let pipelines = blocks(document, "resource", PIPELINE);
    let names: Vec<&String> = pipelines.keys().collect();
    let (id, block) = match (&choice.logical_id, names.as_slice()) {
        (Some(id), _) => match pipelines.get_key_value(id) {
            Some(found) => found,
            None => return problem(format!("no {PIPELINE} is named {id}; there is {names:?}")),
        },
        (None, [id]) => (*id, &pipelines[*id]),
        (None, []) => return problem(format!("no resource is an {PIPELINE}")),
        (None, _) => {
            return problem(format!(
                "several pipelines: choose one with --logical-id from {names:?}"
            ));
        }
    };
    let scope = Scope { document, choice };
    let place = format!("{PIPELINE}.{id}");
    let block = scope.value(block, &place, 0)?;
    let stages = list(&block["stage"]).into_iter().map(|stage| {
        let actions: Vec<Value> = list(&stage["action"]).into_iter().map(action).collect();
        json!({"name": stage["name"], "actions": actions})
    });
    let mut made = json!({
        "name": block["name"],
        "roleArn": block["role_arn"],
        "stages": stages.collect::<Vec<_>>(),
    });
    let stores = list(&block["artifact_store"]);
    match stores.as_slice() {
        [one] if one["region"].is_null() => made["artifactStore"] = store(one),
        many => {
            for one in many {
                let region = one["region"].as_str().unwrap_or(&choice.region).to_owned();
                made["artifactStores"][region] = store(one);
            }
        }
    }
    for (from, to) in [
        ("pipeline_type", "pipelineType"),
        ("execution_mode", "executionMode"),
    ] {
        if !block[from].is_null() {
            made[to] = block[from].clone();
        }
    }
    let variables: Vec<Value> = list(&block["variable"])
        .into_iter()
        .map(|it| renamed(&it, &[("default_value", "defaultValue")]))
        .collect();
    if !variables.is_empty() {
        made["variables"] = variables.into();
    }
    Ok(made)
}

fn store(block: &Value) -> Value {
    let mut made = json!({"type": "S3", "location": block["location"]});
    if let Some(key) = list(&block["encryption_key"]).first() {
        made["encryptionKey"] = json!({"id": key["id"], "type": key["type"]});
    }
    made
}

fn action(block: Value) -> Value {
    let mut made = json!({
        "name": block["name"],
        "actionTypeId": {
            "category": block["category"], "owner": block["owner"],
            "provider": block["provider"], "version": texted(&block["version"]),
        },
    });
    let named = |list: &Value| -> Vec<Value> {
        let names = list.as_array().into_iter().flatten();
        names.map(|name| json!({"name": name})).collect()
    };
    if let Some(configuration) = block["configuration"].as_object() {
        let texts = configuration.iter();
        let texts = texts.map(|(key, value)| (key.clone(), texted(value)));
        made["configuration"] = Value::Object(texts.collect());
    }
    for (from, to) in [
        ("input_artifacts", "inputArtifacts"),
        ("output_artifacts", "outputArtifacts"),
    ] {
        if !block[from].is_null() {
            made[to] = named(&block[from]).into();
        }
    }
    for (from, to) in [
        ("run_order", "runOrder"),
        ("region", "region"),
        ("namespace", "namespace"),
        ("role_arn", "roleArn"),
        ("timeout_in_minutes", "timeoutInMinutes"),
    ] {
        if !block[from].is_null() {
            made[to] = block[from].clone();
        }
    }
    made
}

fn texted(value: &Value) -> Value {
    match value {
        Value::String(_) | Value::Null => value.clone(),
        other => Value::String(other.to_string()),
    }
}

fn renamed(block: &Value, names: &[(&str, &str)]) -> Value {
    let pairs = block.as_object().into_iter().flatten();
    let pairs = pairs.map(|(key, value)| {
        let new = names.iter().find(|(from, _)| from == key);
        (
            new.map_or(key.clone(), |(_, to)| (*to).to_owned()),
            value.clone(),
        )
    });
    Value::Object(pairs.collect())
}

/// A block may stand alone or in a list.
fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    }
}

/// The blocks of one kind by name; Terraform takes objects and lists of objects.
fn blocks(document: &Value, section: &str, kind: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for section in list(&document[section]) {
        for named in list(&section[kind]) {
            for (name, block) in named.as_object().cloned().unwrap_or_default() {
                let first = list(&block).into_iter().next();
                all.extend(first.map(|block| (name, block)));
            }
        }
    }
    all
}

struct Scope<'a> {
    document: &'a Value,
    choice: &'a Choice,
}

impl Scope<'_> {
    fn value(&self, value: &Value, place: &str, depth: usize) -> Result<Value, Problem> {
        if depth > MAX_DEPTH {
            return problem(format!("{place} is nested too deeply"));
        }
        Ok(match value {
            Value::String(text) => self.text(text, place, depth)?,
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(at, item)| self.value(item, &format!("{place}[{at}]"), depth + 1))
                    .collect::<Result<_, _>>()?
            }
            Value::Object(map) => {
                let mut out = Map::new();
                for (key, inner) in map {
                    let inner = self.value(inner, &format!("{place}.{key}"), depth + 1)?;
                    out.insert(key.clone(), inner);
                }
                Value::Object(out)
            }
            other => other.clone(),
        })
    }

    /// A text with its `${…}` replaced; one that is nothing else keeps the value's own type. `#{…}` is CodePipeline's.
    fn text(&self, text: &str, place: &str, depth: usize) -> Result<Value, Problem> {
        let whole = text
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'));
        if let Some(inside) = whole.filter(|it| !it.contains("${") && !it.contains('}')) {
            return self.expression(inside.trim(), place, depth);
        }
        let (mut out, mut rest) = (String::new(), text);
        while let Some(start) = rest.find("${") {
            let (before, after) = rest.split_at(start);
            // `$${` is a `${` itself
            if let Some(before) = before.strip_suffix('$') {
                out += before;
                out += "${";
                rest = &after[2..];
                continue;
            }
            out += before;
            let Some(length) = after.find('}') else {
                return problem(format!("{place}: a ${{ is not closed"));
            };
            let found = self.expression(after[2..length].trim(), place, depth)?;
            match texted(&found) {
                Value::String(text) => out += &text,
                _ => return problem(format!("{place}: {} is no text", &after[2..length])),
            }
            rest = &after[length + 1..];
        }
        out += rest;
        Ok(Value::String(out))
    }

    fn expression(&self, text: &str, place: &str, depth: usize) -> Result<Value, Problem> {
        let unknown = || {
            problem(format!(
                "{place}: ${{{text}}} cannot be resolved from this document alone; write the value out"
            ))
        };
        let parts: Vec<&str> = text.split('.').collect();
        match parts.as_slice() {
            ["var", name] => {
                if let Some(given) = self.choice.parameters.get(*name) {
                    return Ok(Value::String(given.clone()));
                }
                let declared = list(&self.document["variable"]);
                let mut declared = declared.iter().filter_map(|all| all.get(*name));
                let declared = declared.next().map(list).unwrap_or_default();
                match declared.first().and_then(|it| it.get("default")) {
                    Some(default) => self.value(default, place, depth + 1),
                    None => problem(format!(
                        "{place}: variable {name} has no default: give --parameter {name}=VALUE"
                    )),
                }
            }
            ["local", name] => {
                let locals = list(&self.document["locals"]);
                let mut found = locals.iter().filter_map(|all| all.get(*name));
                match found.next() {
                    Some(value) => self.value(value, place, depth + 1),
                    None => unknown(),
                }
            }
            ["data", "aws_caller_identity", _, "account_id"] => {
                Ok(Value::String(self.choice.account.clone()))
            }
            ["data", "aws_region", _, "name" | "region" | "id"] => {
                Ok(Value::String(self.choice.region.clone()))
            }
            ["data", "aws_partition", _, "partition"] => Ok(json!("aws")),
            [kind, name, attribute] => match blocks(self.document, "resource", kind).get(*name) {
                Some(block) => match self.attribute(kind, name, block, attribute, place, depth)? {
                    Some(value) => Ok(value),
                    None => unknown(),
                },
                None => unknown(),
            },
            _ => unknown(),
        }
    }

    fn attribute(
        &self,
        kind: &str,
        name: &str,
        block: &Value,
        attribute: &str,
        place: &str,
        depth: usize,
    ) -> Result<Option<Value>, Problem> {
        if let Some(value) = block.get(attribute) {
            return self.value(value, place, depth + 1).map(Some);
        }
        let key = match kind {
            "aws_s3_bucket" => "bucket",
            "aws_lambda_function" => "function_name",
            "aws_codecommit_repository" => "repository_name",
            _ => "name",
        };
        let own = match block.get(key) {
            Some(value) => texted(&self.value(value, place, depth + 1)?),
            None => Value::String(format!("stagewright-{}", name.replace('_', "-"))),
        };
        let own = own.as_str().unwrap_or(name);
        let (account, region) = (&self.choice.account, &self.choice.region);
        let arn =
            |service: &str, rest: String| format!("arn:aws:{service}:{region}:{account}:{rest}");
        Ok(Some(Value::String(match (kind, attribute) {
            ("aws_s3_bucket", "id" | "bucket") => own.to_owned(),
            ("aws_s3_bucket", "arn") => format!("arn:aws:s3:::{own}"),
            ("aws_iam_role", "arn") => format!("arn:aws:iam::{account}:role/{own}"),
            ("aws_sns_topic", "arn" | "id") => arn("sns", own.to_owned()),
            ("aws_lambda_function", "arn") => arn("lambda", format!("function:{own}")),
            ("aws_sfn_state_machine", "arn" | "id") => arn("states", format!("stateMachine:{own}")),
            ("aws_codebuild_project", "arn") => arn("codebuild", format!("project/{own}")),
            ("aws_kms_key", "arn") => arn("kms", format!("key/{name}")),
            (
                "aws_codestarconnections_connection" | "aws_codeconnections_connection",
                "arn" | "id",
            ) => arn("codestar-connections", format!("connection/{own}")),
            (_, "name" | "id" | "function_name" | "repository_name") => own.to_owned(),
            _ => return Ok(None),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(document: &Value) -> Result<Value, String> {
        let choice = Choice {
            region: "eu-west-1".to_owned(),
            account: "123456789012".to_owned(),
            ..Choice::default()
        };
        pipeline(document, &choice).map_err(|it| it.to_string())
    }

    #[test]
    fn a_document_gives_its_pipeline() {
        let document = json!({
            "variable": {"branch": {"default": "main"}},
            "locals": {"prefix": "shop-${var.branch}"},
            "data": {"aws_caller_identity": {"me": {}}},
            "resource": {
                "aws_s3_bucket": {"store": {"bucket": "artifacts-${data.aws_caller_identity.me.account_id}"}},
                "aws_iam_role": {"pipeline": [{"name": "release"}]},
                "aws_codepipeline": {"release": {
                    "name": "${local.prefix}-release", "role_arn": "${aws_iam_role.pipeline.arn}", "pipeline_type": "V2",
                    "artifact_store": {"location": "${aws_s3_bucket.store.bucket}", "type": "S3"},
                    "variable": [{"name": "Who", "default_value": "all"}],
                    "stage": [{"name": "Source", "action": [{"name": "Source", "category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1",
                        "output_artifacts": ["App"], "configuration": {"RepositoryName": "app", "BranchName": "${var.branch}", "PollForSourceChanges": false}}]},
                        {"name": "Say", "action": {"name": "Say", "category": "Approval", "owner": "AWS", "provider": "Manual", "version": 1, "run_order": 2,
                            "configuration": {"CustomData": "#{variables.Who} $${x}"}}}],
                }}
            }
        });
        let made = of(&document).unwrap();
        assert_eq!(made["name"], "shop-main-release");
        assert_eq!(made["roleArn"], "arn:aws:iam::123456789012:role/release");
        assert_eq!(made["artifactStore"]["location"], "artifacts-123456789012");
        assert_eq!(
            made["variables"],
            json!([{"name": "Who", "defaultValue": "all"}])
        );
        let source = &made["stages"][0]["actions"][0];
        assert_eq!(source["configuration"]["PollForSourceChanges"], "false");
        assert_eq!(source["outputArtifacts"], json!([{"name": "App"}]));
        let say = &made["stages"][1]["actions"][0];
        assert_eq!(say["actionTypeId"]["version"], "1");
        assert_eq!(say["configuration"]["CustomData"], "#{variables.Who} ${x}");
        assert_eq!(say["runOrder"], 2);
    }

    #[test]
    fn what_cannot_be_resolved_is_named() {
        let with = |name: &str| json!({"resource": {"aws_codepipeline": {"p": {"name": name}}}});
        for (document, expected) in [
            (
                json!({"resource": {}}),
                "no resource is an aws_codepipeline",
            ),
            (
                with("${module.x.y}"),
                "aws_codepipeline.p.name: ${module.x.y} cannot be resolved from this document alone; write the value out",
            ),
            (
                with("${var.x}"),
                "aws_codepipeline.p.name: variable x has no default: give --parameter x=VALUE",
            ),
            (
                with("a ${var.x"),
                "aws_codepipeline.p.name: a ${ is not closed",
            ),
        ] {
            assert_eq!(of(&document), Err(expected.to_owned()));
        }
    }
}
