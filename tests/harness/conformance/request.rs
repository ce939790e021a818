//! Builds requests: templates with changed places, repeated values, captured values.

use std::{collections::BTreeMap, fs};

use serde_json::{Map, Value};

use super::{folder, model::Model};

/// What `templates.yaml` holds: values that requests start from, and steps that cases start with.
#[derive(Debug)]
pub struct Templates {
    /// The service model.
    pub model: Model,
    values: Map<String, Value>,
    setups: Map<String, Value>,
}

impl Templates {
    /// Reads the file.
    ///
    /// # Panics
    /// When it is missing or wrong.
    pub fn load() -> Self {
        let text = fs::read_to_string(folder().join("templates.yaml")).expect("templates.yaml");
        let mut all: Value = yaml_serde::from_str(&text).expect("templates.yaml is YAML");
        let mut take = |name: &str| match all[name].take() {
            Value::Object(map) => map,
            other => panic!("templates.yaml: `{name}` is {other}"),
        };
        Self {
            model: Model::load(),
            values: take("values"),
            setups: take("setups"),
        }
    }

    /// The steps of a setup.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn setup(&self, name: &str) -> &[Value] {
        match self.setups.get(name) {
            Some(Value::Array(steps)) => steps,
            _ => panic!("templates.yaml has no setup `{name}`"),
        }
    }

    /// A request with everything put in, what was captured too.
    ///
    /// # Errors
    /// A name that nothing is known of.
    pub fn fill(&self, value: &Value, known: &BTreeMap<String, Value>) -> Result<Value, String> {
        insert(&self.expand(value)?, known)
    }

    /// `{from: NAME, /place: change}`, `{times: [value, n]}`, `{each: [n, "x{n}"]}`, `{entries: [n, "k{n}", value]}`.
    ///
    /// # Errors
    /// A template that is not there.
    pub fn expand(&self, value: &Value) -> Result<Value, String> {
        let Value::Object(map) = value else {
            return match value {
                Value::Array(items) => items.iter().map(|item| self.expand(item)).collect(),
                other => Ok(other.clone()),
            };
        };
        if let Some(name) = map.get("from").and_then(Value::as_str) {
            let base = self
                .values
                .get(name)
                .ok_or(format!("no template `{name}`"))?;
            let mut made = self.expand(base)?;
            let mut changes = map.clone();
            changes.remove("from");
            patch(&mut made, &Value::Object(changes));
            return self.expand(&made);
        }
        let [(word, Value::Array(given))] = &map.iter().collect::<Vec<_>>()[..] else {
            let members = map.iter();
            let members = members.map(|(name, it)| Ok((name.clone(), self.expand(it)?)));
            return members
                .collect::<Result<Map<_, _>, String>>()
                .map(Value::Object);
        };
        let number = |at: usize| given.get(at).and_then(Value::as_u64).unwrap_or_default();
        let made = |at: usize| self.expand(given.get(at).unwrap_or(&Value::Null));
        match word.as_str() {
            "times" => Ok(match made(0)? {
                Value::String(text) => Value::String(text.repeat(number(1) as usize)),
                other => Value::Array(vec![other; number(1) as usize]),
            }),
            "each" => {
                let item = made(1)?;
                Ok((1..=number(0)).map(|n| numbered(&item, n)).collect())
            }
            "entries" => {
                let (key, value) = (made(1)?, made(2)?);
                let key = key.as_str().unwrap_or_default();
                let entry = |n: u64| (key.replace("{n}", &n.to_string()), numbered(&value, n));
                Ok(Value::Object((1..=number(0)).map(entry).collect()))
            }
            _ => {
                let items = Value::Array(given.clone());
                let member = ((*word).clone(), self.expand(&items)?);
                Ok(Value::Object([member].into_iter().collect()))
            }
        }
    }
}

fn insert(value: &Value, known: &BTreeMap<String, Value>) -> Result<Value, String> {
    match value {
        Value::Object(map) => {
            let members = map.iter();
            let members = members.map(|(name, it)| Ok((name.clone(), insert(it, known)?)));
            members
                .collect::<Result<Map<_, _>, String>>()
                .map(Value::Object)
        }
        Value::Array(items) => items.iter().map(|item| insert(item, known)).collect(),
        Value::String(text) => captured(text, known),
        other => Ok(other.clone()),
    }
}

/// Changes places (JSON pointers) of a value; null takes a member away, the index after the last adds an item.
///
/// # Panics
/// When a place's parent is not there.
pub fn patch(value: &mut Value, changes: &Value) {
    for (pointer, change) in changes.as_object().into_iter().flatten() {
        let (parent, last) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        let mut place = &mut *value;
        for name in parent.split('/').skip(1) {
            place = match (name.parse::<usize>(), place) {
                (Ok(index), Value::Array(items)) => items
                    .get_mut(index)
                    .unwrap_or_else(|| panic!("no place {pointer}")),
                (_, Value::Object(map)) => {
                    map.entry(name).or_insert_with(|| Value::Object(Map::new()))
                }
                (_, other) => panic!("no place {pointer} in {other}"),
            };
        }
        match (place, last.parse::<usize>()) {
            (Value::Array(items), Ok(index)) if index == items.len() => items.push(change.clone()),
            (Value::Array(items), Ok(index)) if change.is_null() => drop(items.remove(index)),
            (Value::Array(items), Ok(index)) => items[index] = change.clone(),
            (Value::Object(map), _) if change.is_null() => drop(map.remove(last)),
            (Value::Object(map), _) => drop(map.insert(last.to_owned(), change.clone())),
            (other, _) => panic!("no place {pointer} in {other}"),
        }
    }
}

/// A value with `{n}` in its texts replaced.
pub fn numbered(value: &Value, n: u64) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("{n}", &n.to_string())),
        Value::Array(items) => items.iter().map(|item| numbered(item, n)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), numbered(value, n)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// `$name` is the captured value as it is, `${name}` in a text its text.
fn captured(text: &str, known: &BTreeMap<String, Value>) -> Result<Value, String> {
    let find = |name: &str| {
        let value = known.get(name).cloned();
        value.ok_or(format!("nothing was captured as `{name}`"))
    };
    // anything else after it is a JSONPath
    let is_name = |it: &&str| it.starts_with(|c: char| c.is_ascii_alphabetic());
    if let Some(name) = text.strip_prefix('$').filter(is_name) {
        return find(name);
    }
    let mut made = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or(format!("`${{` in {text}"))?;
        made += before;
        let value = find(name)?;
        made += &value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        rest = after;
    }
    Ok(Value::String(made + rest))
}
