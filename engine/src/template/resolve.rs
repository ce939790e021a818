//! Intrinsic functions of a template, as far as the template alone can resolve them.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{Choice, Problem, each, problem};

/// Nesting of functions deeper than this is refused.
const MAX_DEPTH: usize = 64;

pub(super) struct Resolver<'a> {
    pub(super) template: &'a Value,
    pub(super) resources: &'a Map<String, Value>,
    pub(super) choice: &'a Choice,
}

impl Resolver<'_> {
    /// `None` is `AWS::NoValue`: the member is left out.
    pub(super) fn value(
        &self,
        value: &Value,
        place: &str,
        depth: usize,
    ) -> Result<Option<Value>, Problem> {
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

    /// A member of a resource's properties.
    pub(super) fn member(
        &self,
        properties: &Value,
        name: &str,
        place: &str,
    ) -> Result<Option<Value>, Problem> {
        match properties.get(name) {
            Some(value) => self.value(value, &format!("{place}.{name}"), 0),
            None => Ok(None),
        }
    }

    /// SAM's `Globals.Function`.
    pub(super) fn global(&self, name: &str) -> Option<String> {
        let value = self.template["Globals"]["Function"][name].as_str();
        value.map(str::to_owned)
    }

    /// Whether the resource's condition holds.
    pub(super) fn exists(&self, id: &str, resource: &Value) -> Result<bool, Problem> {
        match resource["Condition"].as_str() {
            Some(name) => self.condition(name, &format!("Resources.{id}"), 0),
            None => Ok(true),
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
            "Fn::FindInMap" => self.find_in_map(argument, place, depth),
            "Fn::ImportValue" => {
                let name = self.text(argument, place, depth)?;
                self.import(&name, place, depth)
            }
            "Fn::Transform" => {
                let name = argument["Name"].as_str().unwrap_or("Fn::Transform");
                problem(format!("{place}: {}", each::not_run(name)))
            }
            "Fn::Base64" => {
                let inner = self.text(argument, place, depth)?;
                text(STANDARD.encode(inner))
            }
            "Fn::GetAZs" => Ok(Some(
                ["a", "b", "c"]
                    .map(|zone| Value::String(format!("{}{zone}", self.choice.region)))
                    .to_vec()
                    .into(),
            )),
            "Fn::Length" => {
                let list = self.value(argument, place, depth)?;
                let length = list.as_ref().and_then(Value::as_array).map(Vec::len);
                let length = length.ok_or_else(|| Problem(format!("{place} should be a list")))?;
                Ok(Some(Value::from(length)))
            }
            "Fn::ToJsonString" => {
                let inner = self.value(argument, place, depth)?.unwrap_or(Value::Null);
                text(inner.to_string())
            }
            other => problem(format!(
                "{place}: {other} cannot be resolved here; write the value out"
            )),
        }
    }

    fn find_in_map(
        &self,
        argument: &Value,
        place: &str,
        depth: usize,
    ) -> Result<Option<Value>, Problem> {
        let parts = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        let (keys, default) = match parts {
            [keys @ .., last] if !last["DefaultValue"].is_null() => {
                (keys, Some(&last["DefaultValue"]))
            }
            keys => (keys, None),
        };
        let keys = keys.iter().map(|key| self.text(key, place, depth));
        let keys: Vec<String> = keys.collect::<Result<_, _>>()?;
        let found = match keys.as_slice() {
            [map, first, second] => &self.template["Mappings"][map][first][second],
            _ => &Value::Null,
        };
        match (found, default) {
            (Value::Null, Some(default)) => self.value(default, place, depth),
            (Value::Null, None) => {
                problem(format!("{place}: Fn::FindInMap finds nothing for {keys:?}"))
            }
            (found, _) => Ok(Some(found.clone())),
        }
    }

    /// What this template itself exports, else what was given for the name.
    fn import(&self, name: &str, place: &str, depth: usize) -> Result<Option<Value>, Problem> {
        let outputs = self.template["Outputs"].as_object();
        for output in outputs.into_iter().flat_map(Map::values) {
            let exported = &output["Export"]["Name"];
            if !exported.is_null() && self.text(exported, place, depth)? == name {
                return self.value(&output["Value"], place, depth);
            }
        }
        let given = self.choice.parameters.get(name);
        let given = given.ok_or_else(|| {
            Problem(format!(
                "{place}: no output of this template is exported as {name}: give --parameter {name}=VALUE"
            ))
        })?;
        Ok(Some(Value::String(given.clone())))
    }

    pub(super) fn text(&self, value: &Value, place: &str, depth: usize) -> Result<String, Problem> {
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
                (Some(given), _) => Ok(typed(parameter, given)),
                (None, Some(Value::String(default))) => Ok(typed(parameter, default)),
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

/// A parameter of a list type is a list; one that names a parameter of Systems Manager stays its name.
fn typed(parameter: &Value, text: &str) -> Value {
    let kind = parameter["Type"].as_str().unwrap_or_default();
    match kind == "CommaDelimitedList" || kind.starts_with("List<") {
        true => text.split(',').map(str::trim).collect::<Vec<_>>().into(),
        false => Value::String(text.to_owned()),
    }
}
