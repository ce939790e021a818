//! What an action is, for people and for tools: one description, from which the command line's text, the JSON Schema,
//! the page under `docs/actions` and the custom action type in `infra` are made.
//!
//! It is constant data: a function carries a few kilobytes of text and no schema library. That it agrees with the
//! parameters as they are read is checked by the testkit's `describes`.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::action::Action;

/// An action that says what it is.
pub trait Described: Action {
    /// What it is.
    const DESCRIPTION: Description;
}

/// What an action is.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// One sentence.
    pub summary: &'static str,
    /// Category of its custom action type: `Build`, `Deploy`, `Test` or `Invoke`.
    pub category: &'static str,
    /// Provider of its custom action type, 1 to 35 characters.
    pub provider: &'static str,
    /// Fewest and most input artifacts.
    pub inputs: (u8, u8),
    /// Fewest and most output artifacts.
    pub outputs: (u8, u8),
    /// Its parameters, the most wanted first.
    pub parameters: &'static [Parameter],
    /// Output variables and what they hold.
    pub variables: &'static [(&'static str, &'static str)],
    /// Whether it keeps what it started in the ledger's table.
    pub ledger: bool,
    /// Permissions beside those of its host, the ledger and secrets: `service:Operation`, and what for.
    pub permissions: &'static [(&'static str, &'static str)],
}

/// What reading the secrets that parameters name takes.
const SECRETS: [(&str, &str); 2] = [
    (
        "secretsmanager:GetSecretValue",
        "on secrets that parameters name with `secretsmanager:`",
    ),
    (
        "ssm:GetParameter",
        "on secrets that parameters name with `ssm:`",
    ),
];
/// What the ledger takes.
const LEDGER: [(&str, &str); 4] = [
    (
        "dynamodb:GetItem",
        "on the table: what was started, so that it is started once",
    ),
    ("dynamodb:PutItem", "the same"),
    ("dynamodb:DeleteItem", "the same"),
    (
        "dynamodb:Query",
        "on the table: what a pipeline that was stopped has running",
    ),
];

/// One parameter.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// As it is written.
    pub name: &'static str,
    /// What it can be.
    pub kind: Kind,
    /// Whether it must be given.
    pub required: bool,
    /// As JSON; `None`: nothing.
    pub default: Option<&'static str>,
    /// One sentence, at most 160 characters.
    pub meaning: &'static str,
}

/// A parameter that must be given.
pub const fn required(name: &'static str, kind: Kind, meaning: &'static str) -> Parameter {
    Parameter {
        required: true,
        ..optional(name, kind, meaning)
    }
}

/// One that need not.
pub const fn optional(name: &'static str, kind: Kind, meaning: &'static str) -> Parameter {
    Parameter {
        name,
        kind,
        required: false,
        default: None,
        meaning,
    }
}

/// One with a default, as JSON.
pub const fn defaulted(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    meaning: &'static str,
) -> Parameter {
    Parameter {
        default: Some(default),
        ..optional(name, kind, meaning)
    }
}

/// What a parameter can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number between two bounds.
    Number(u64, u64),
    /// `true` or `false`.
    Boolean,
    /// A list of texts.
    List,
    /// Names with texts.
    Map,
    /// A JSON object, in place or as its text.
    Object,
    /// A reference to a secret.
    Secret,
    /// What a worker is chosen by: 1 to 50 letters, digits, `-` and `_`. As a property of a custom action type it is
    /// queryable, of which there is at most one, and must be given.
    Route,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// What of a description is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    Text,
    /// JSON Schema of the parameters.
    Schema,
    /// Markdown.
    Page,
    /// A CloudFormation resource.
    ActionType,
}

/// Most properties of a custom action type.
pub const MAX_PROPERTIES: usize = 10;
/// Longest description of one.
pub const MAX_MEANING: usize = 160;

impl std::str::FromStr for Form {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "text" => Self::Text,
            "schema" => Self::Schema,
            "page" => Self::Page,
            "action-type" => Self::ActionType,
            _ => return Err("expected text, schema, page or action-type"),
        })
    }
}

impl Description {
    /// In this form; `name` is the action's folder name.
    pub fn show(&self, name: &str, form: Form) -> String {
        match form {
            Form::Text => self.text(name),
            Form::Schema => format!("{:#}\n", self.schema(name)),
            Form::Page => self.page(name),
            Form::ActionType => self.action_type(name),
        }
    }

    /// All permissions beside those of its host, and what for.
    pub fn needs(&self) -> Vec<(&'static str, &'static str)> {
        let mut needs = self.permissions.to_vec();
        if self
            .parameters
            .iter()
            .any(|it| matches!(it.kind, Kind::Secret))
        {
            needs.extend(SECRETS);
        }
        if self.ledger {
            needs.extend(LEDGER);
        }
        needs
    }

    fn text(&self, name: &str) -> String {
        let mut out = format!("{name}: {}\n\nParameters\n", self.summary);
        let width = self.parameters.iter().map(|p| p.name.len()).max();
        let width = width.unwrap_or_default();
        for parameter in self.parameters {
            let (name, meaning, facts) = (parameter.name, parameter.meaning, parameter.facts());
            let _ = writeln!(out, "  {name:width$}  {meaning} ({facts})");
        }
        let mut list = |title: &str, pairs: &[(&str, &str)]| {
            if !pairs.is_empty() {
                let width = pairs.iter().map(|(name, _)| name.len()).max();
                let width = width.unwrap_or_default();
                let _ = writeln!(out, "\n{title}");
                for (name, meaning) in pairs {
                    let _ = writeln!(out, "  {name:width$}  {meaning}");
                }
            }
        };
        list("Output variables", self.variables);
        list("Permissions", &self.needs());
        let _ = writeln!(
            out,
            "\nArtifacts: {} in, {} out. As a custom action: {}/{}/1",
            bounds(self.inputs),
            bounds(self.outputs),
            self.category,
            self.provider
        );
        out
    }

    /// JSON Schema (2020-12) of the parameters.
    pub fn schema(&self, name: &str) -> Value {
        let properties: Map<String, Value> = self
            .parameters
            .iter()
            .map(|parameter| (parameter.name.to_owned(), parameter.schema()))
            .collect();
        let required: Vec<&str> = self
            .parameters
            .iter()
            .filter(|parameter| parameter.required)
            .map(|parameter| parameter.name)
            .collect();
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": name,
            "description": self.summary, "type": "object", "properties": properties,
            "required": required, "additionalProperties": false
        })
    }

    fn page(&self, name: &str) -> String {
        let mut out = format!(
            "# {name}\n\n{}\n\nMade from the action's own description (`stagewright describe {name}`); hosts and ways to give parameters: \
             [hosts.md](../hosts.md).\n\n| parameter | meaning | |\n| --- | --- | --- |\n",
            self.summary
        );
        for parameter in self.parameters {
            let (name, meaning, facts) = (parameter.name, parameter.meaning, parameter.facts());
            let _ = writeln!(out, "| `{name}` | {meaning} | {facts} |");
        }
        let mut table = |title: &str, pairs: &[(&str, &str)]| {
            if !pairs.is_empty() {
                let _ = writeln!(out, "\n| {title} | |\n| --- | --- |");
                for (name, meaning) in pairs {
                    let _ = writeln!(out, "| `{name}` | {meaning} |");
                }
            }
        };
        table("output variable", self.variables);
        table("permission", &self.needs());
        let _ = writeln!(
            out,
            "\nInput artifacts: {}; output artifacts: {}. As a custom action: category `{}`, provider `{}`, version `1`\n\
             ([template](../../infra/custom-action-types.yaml)).",
            bounds(self.inputs),
            bounds(self.outputs),
            self.category,
            self.provider
        );
        out
    }

    /// `AWS::CodePipeline::CustomActionType`, as one resource of a YAML template. What does not fit into ten properties
    /// goes through the property `Parameters`.
    fn action_type(&self, name: &str) -> String {
        let id: String = name.split('-').map(capital).collect();
        let detail =
            |(least, most): (u8, u8)| format!("{{MinimumCount: {least}, MaximumCount: {most}}}");
        let mut out = format!(
            "  {id}Type:\n    Type: AWS::CodePipeline::CustomActionType\n    DeletionPolicy: Retain\n    UpdateReplacePolicy: Retain\n    Properties:\n      Category: {}\n      Provider: {}\n      \
             Version: '1'\n      InputArtifactDetails: {}\n      OutputArtifactDetails: {}\n      ConfigurationProperties:\n",
            self.category,
            self.provider,
            detail(self.inputs),
            detail(self.outputs)
        );
        let room = MAX_PROPERTIES - 1;
        for parameter in self.parameters.iter().take(room) {
            let kind = match parameter.kind {
                Kind::Number(..) => "Number",
                Kind::Boolean => "Boolean",
                _ => "String",
            };
            let route = parameter.kind == Kind::Route;
            let required = parameter.required || route;
            let name = parameter.name;
            property(&mut out, (name, route), required, kind, parameter.meaning);
        }
        let all = "Any of the parameters as one JSON object, or file:PATH of an input artifact";
        let name = crate::drive::parameters::PROPERTY;
        property(&mut out, (name, false), false, "String", all);
        out
    }
}

impl Parameter {
    fn facts(&self) -> String {
        let kind = match self.kind {
            Kind::Text => "text".to_owned(),
            Kind::Number(from, to) => format!("number, {from} to {to}"),
            Kind::Boolean => "true or false".to_owned(),
            Kind::List => "list of texts".to_owned(),
            Kind::Map => "names with texts".to_owned(),
            Kind::Object => "JSON object, or its text".to_owned(),
            Kind::Secret => {
                "reference: secretsmanager:NAME, secretsmanager:NAME#FIELD, ssm:NAME".to_owned()
            }
            Kind::Route => "letters, digits, - and _; at most 50".to_owned(),
            Kind::OneOf(words) => words.join(", "),
        };
        match (self.required, self.default) {
            (true, _) => format!("{kind}; required"),
            (false, Some(default)) => format!("{kind}; default {default}"),
            (false, None) => kind,
        }
    }

    fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Text => json!({"type": "string"}),
            Kind::Number(from, to) => json!({"type": "integer", "minimum": from, "maximum": to}),
            Kind::Boolean => json!({"type": "boolean"}),
            Kind::List => json!({"type": "array", "items": {"type": "string"}}),
            Kind::Map => json!({"type": "object", "additionalProperties": {"type": "string"}}),
            Kind::Object => json!({"type": ["object", "string"]}),
            Kind::Secret => json!({"type": "string", "pattern": "^(secretsmanager|ssm):"}),
            Kind::Route => json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,50}$"}),
            Kind::OneOf(words) => json!({"enum": words}),
        };
        schema["description"] = self.meaning.into();
        let default = self
            .default
            .and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(default) = default {
            schema["default"] = default;
        }
        schema
    }
}

fn property(
    out: &mut String,
    (name, queryable): (&str, bool),
    required: bool,
    kind: &str,
    meaning: &str,
) {
    let meaning = meaning.replace('\'', "''");
    let queryable = if queryable { " Queryable: true," } else { "" };
    let _ = writeln!(
        out,
        "        - {{Name: {name}, Key: false, Required: {required},{queryable} Secret: false, Type: {kind}, Description: '{meaning}'}}"
    );
}

fn bounds((least, most): (u8, u8)) -> String {
    if least == most {
        return least.to_string();
    }
    format!("{least} to {most}")
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(chars)
        .collect()
}
