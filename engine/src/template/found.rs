//! What a template defines beside its pipeline: functions, buckets, topics, build projects and state machines.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Choice, Problem, each, object, resolve::Resolver};

/// All of it, by the names that the pipeline knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub buckets: BTreeMap<String, FoundBucket>,
    /// Protocol and endpoint of each subscription.
    pub topics: BTreeMap<String, Vec<(String, String)>>,
    pub builds: BTreeMap<String, FoundBuild>,
    pub functions: BTreeMap<String, FoundFunction>,
    pub machines: BTreeMap<String, FoundMachine>,
    /// What could not be taken over, and why.
    pub notes: Vec<String>,
}

/// A bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundBucket {
    pub versioned: bool,
    pub website: bool,
}

/// A build project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundBuild {
    /// Its text, or a path in the source.
    pub buildspec: Option<String>,
    pub environment: BTreeMap<String, String>,
    pub parameter_store: BTreeMap<String, String>,
    pub secrets_manager: BTreeMap<String, String>,
    pub cache: bool,
    pub timeout_minutes: Option<u32>,
    pub image: Option<String>,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFunction {
    pub code: Code,
    pub runtime: String,
    pub handler: String,
    pub environment: BTreeMap<String, String>,
    pub timeout_seconds: u32,
    pub memory_mb: u32,
}

/// Where a function's code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// In the template itself.
    Inline(String),
    /// A folder, seen from the template.
    Folder(String),
    /// In a bucket: nothing of it is here.
    Elsewhere,
}

/// A state machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundMachine {
    pub definition: Definition,
    pub express: bool,
}

/// A state machine's definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// JSON.
    Text(String),
    /// A file, seen from the template, and what stands for its `${NAME}`.
    File(String, BTreeMap<String, String>),
}

/// Lambda's own.
const TIMEOUT: u32 = 3;
const MEMORY: u32 = 128;

/// Everything of a template that the engine can play. A resource that cannot be resolved is noted and left out: the
/// pipeline may never touch it.
///
/// # Errors
/// The template has no resources.
pub fn found(template: &Value, choice: &Choice) -> Result<Found, Problem> {
    let template = &each::expanded(template, choice)?;
    let resources = object(template, "Resources")?;
    let resolver = Resolver {
        template,
        resources,
        choice,
    };
    let mut all = Found::default();
    for (id, resource) in resources {
        if let Err(problem) = take(&resolver, id, resource, &mut all) {
            all.notes.push(format!("{id} is left out: {problem}"));
        }
    }
    let subscriptions = resources
        .iter()
        .filter(|(_, it)| it["Type"] == "AWS::SNS::Subscription");
    for (id, resource) in subscriptions {
        match subscription(&resolver, id, resource) {
            Ok((topic, pair)) => all.topics.entry(topic).or_default().push(pair),
            Err(problem) => all.notes.push(format!("{id} is left out: {problem}")),
        }
    }
    Ok(all)
}

fn take(
    resolver: &Resolver<'_>,
    id: &str,
    resource: &Value,
    all: &mut Found,
) -> Result<(), Problem> {
    let kind = resource["Type"].as_str().unwrap_or_default();
    let taken = [
        "AWS::S3::Bucket",
        "AWS::SNS::Topic",
        "AWS::CodeBuild::Project",
        "AWS::Lambda::Function",
        "AWS::Serverless::Function",
        "AWS::StepFunctions::StateMachine",
        "AWS::Serverless::StateMachine",
    ];
    if !taken.contains(&kind) || !resolver.exists(id, resource)? {
        return Ok(());
    }
    let place = format!("Resources.{id}.Properties");
    let physical = resolver.physical(id, resource, &place)?;
    let name = physical.rsplit(':').next().unwrap_or_default().to_owned();
    let one = |property: &str| resolver.member(&resource["Properties"], property, &place);
    let text = |property: &str| -> Result<Option<String>, Problem> {
        Ok(one(property)?.and_then(|value| value.as_str().map(str::to_owned)))
    };
    match kind {
        "AWS::S3::Bucket" => {
            let bucket = FoundBucket {
                versioned: one("VersioningConfiguration")?
                    .is_some_and(|it| it["Status"] == "Enabled"),
                website: one("WebsiteConfiguration")?.is_some(),
            };
            all.buckets.insert(name, bucket);
        }
        "AWS::SNS::Topic" => {
            let list = one("Subscription")?.unwrap_or_default();
            let pairs = list.as_array().into_iter().flatten().filter_map(pair);
            all.topics.entry(name).or_default().extend(pairs);
        }
        "AWS::CodeBuild::Project" => {
            let source = one("Source")?.unwrap_or_default();
            let minutes = number(one("TimeoutInMinutes")?.as_ref());
            let cache = one("Cache")?.unwrap_or_default();
            let mut build = FoundBuild {
                buildspec: source["BuildSpec"].as_str().map(buildspec),
                cache: cache["Type"]
                    .as_str()
                    .is_some_and(|kind| kind != "NO_CACHE"),
                timeout_minutes: minutes,
                ..FoundBuild::default()
            };
            let environment = one("Environment")?.unwrap_or_default();
            build.image = environment["Image"].as_str().map(str::to_owned);
            let skipped = variables(&environment, &mut build);
            let note = |it: String| format!("{name}: the environment variable {it}");
            all.notes.extend(skipped.into_iter().map(note));
            all.builds.insert(name, build);
        }
        "AWS::Lambda::Function" | "AWS::Serverless::Function" => {
            let environment = one("Environment")?.unwrap_or_default();
            let function = FoundFunction {
                code: code(resolver, id, resource)?,
                runtime: text("Runtime")?
                    .or_else(|| resolver.global("Runtime"))
                    .unwrap_or_default(),
                handler: text("Handler")?
                    .or_else(|| resolver.global("Handler"))
                    .unwrap_or_default(),
                environment: texts(&environment["Variables"]),
                timeout_seconds: number(one("Timeout")?.as_ref()).unwrap_or(TIMEOUT),
                memory_mb: number(one("MemorySize")?.as_ref()).unwrap_or(MEMORY),
            };
            all.functions.insert(name, function);
        }
        _ => {
            let machine = FoundMachine {
                express: text("StateMachineType")?.or(text("Type")?).as_deref() == Some("EXPRESS"),
                definition: definition(resolver, resource, &place)?,
            };
            all.machines.insert(name, machine);
        }
    }
    Ok(())
}

fn subscription(
    resolver: &Resolver<'_>,
    id: &str,
    resource: &Value,
) -> Result<(String, (String, String)), Problem> {
    let place = format!("Resources.{id}.Properties");
    let topic = resolver.text(&resource["Properties"]["TopicArn"], &place, 0)?;
    let all = resolver.value(&resource["Properties"], &place, 0)?;
    let pair = pair(&all.unwrap_or_default());
    let pair = pair.ok_or_else(|| Problem(format!("{place} needs Protocol and Endpoint")))?;
    Ok((
        topic.rsplit(':').next().unwrap_or_default().to_owned(),
        pair,
    ))
}

fn pair(subscription: &Value) -> Option<(String, String)> {
    let endpoint = subscription["Endpoint"].as_str()?;
    let protocol = subscription["Protocol"].as_str()?;
    // functions are known by their names here
    let endpoint = match protocol {
        "lambda" => endpoint.rsplit(':').next().unwrap_or_default(),
        _ => endpoint,
    };
    Some((protocol.to_owned(), endpoint.to_owned()))
}

/// One line of JSON is a text too: with a line break nobody takes it for a path.
fn buildspec(text: &str) -> String {
    match text.trim_start().starts_with('{') && !text.contains('\n') {
        true => format!("{text}\n"),
        false => text.to_owned(),
    }
}

/// Takes the variables over; those that are left out, and why.
fn variables(environment: &Value, build: &mut FoundBuild) -> Vec<String> {
    let mut skipped = Vec::new();
    let list = environment["EnvironmentVariables"].as_array();
    for variable in list.into_iter().flatten() {
        let name = variable["Name"].as_str().unwrap_or_default();
        let into = match variable["Type"].as_str() {
            None | Some("PLAINTEXT") => &mut build.environment,
            Some("PARAMETER_STORE") => &mut build.parameter_store,
            Some("SECRETS_MANAGER") => &mut build.secrets_manager,
            Some(kind) => {
                skipped.push(format!("{name} of type {kind} is left out"));
                continue;
            }
        };
        if let Some(value) = scalar(&variable["Value"]) {
            into.insert(name.to_owned(), value);
        }
    }
    skipped
}

fn texts(map: &Value) -> BTreeMap<String, String> {
    let pairs = map.as_object().into_iter().flatten();
    pairs
        .filter_map(|(name, value)| Some((name.clone(), scalar(value)?)))
        .collect()
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn number(value: Option<&Value>) -> Option<u32> {
    scalar(value?)?.parse().ok()
}

fn code(resolver: &Resolver<'_>, id: &str, resource: &Value) -> Result<Code, Problem> {
    let properties = &resource["Properties"];
    let place = format!("Resources.{id}.Properties");
    // CDK says which folder it took for an asset
    if let Some(folder) = resource["Metadata"]["aws:asset:path"].as_str() {
        return Ok(Code::Folder(folder.to_owned()));
    }
    let inline = [&properties["Code"]["ZipFile"], &properties["InlineCode"]];
    if let Some(inline) = inline.into_iter().find(|it| !it.is_null()) {
        return Ok(Code::Inline(resolver.text(inline, &place, 0)?));
    }
    let folder = properties["CodeUri"]
        .as_str()
        .or(properties["Code"].as_str());
    let folder = folder
        .map(str::to_owned)
        .or_else(|| resolver.global("CodeUri"));
    Ok(match folder {
        Some(folder) if !folder.starts_with("s3://") => Code::Folder(folder),
        _ => Code::Elsewhere,
    })
}

fn definition(
    resolver: &Resolver<'_>,
    resource: &Value,
    place: &str,
) -> Result<Definition, Problem> {
    let properties = &resource["Properties"];
    let one = |property: &str| resolver.member(properties, property, place);
    let substitutions = texts(&one("DefinitionSubstitutions")?.unwrap_or_default());
    if let Some(text) = one("DefinitionString")? {
        let text = text
            .as_str()
            .map(str::to_owned)
            .unwrap_or_else(|| text.to_string());
        return Ok(Definition::Text(substituted(&text, &substitutions)));
    }
    if let Some(definition) = one("Definition")? {
        let text = definition.to_string();
        return Ok(Definition::Text(substituted(&text, &substitutions)));
    }
    match one("DefinitionUri")? {
        Some(Value::String(file)) if !file.starts_with("s3://") => {
            Ok(Definition::File(file, substitutions))
        }
        _ => Err(Problem(format!("{place} has no definition that is here"))),
    }
}

/// A definition with `${NAME}` replaced.
pub fn substituted(text: &str, by: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (name, value) in by {
        text = text.replace(&format!("${{{name}}}"), value);
    }
    text
}

#[cfg(test)]
mod tests;
