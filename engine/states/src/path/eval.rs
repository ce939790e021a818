//! Path and data to values.

use std::borrow::Cow;

use serde_json::Value;

use super::{Data, JsonPath, NoMatch, Root, Segment};

impl JsonPath {
    /// The value a definite path leads to, or the list of all values an indefinite one matches.
    ///
    /// # Errors
    /// [`NoMatch`] for a definite path that leads nowhere; an indefinite one then gives an empty list.
    pub fn get<'a>(&self, data: &'a dyn Data) -> Result<Cow<'a, Value>, NoMatch> {
        let root = match &self.root {
            Root::Input => data.input(),
            Root::Context => data.context(),
            Root::Variable(name) => data
                .variable(name)
                .ok_or_else(|| NoMatch(format!("No such variable: ${name}")))?,
        };
        self.get_in(root)
    }

    /// As [`JsonPath::get`], with the root's value given.
    ///
    /// # Errors
    /// As [`JsonPath::get`].
    pub fn get_in<'a>(&self, root: &'a Value) -> Result<Cow<'a, Value>, NoMatch> {
        let (steps, call) = match self.segments.split_last() {
            Some((Segment::Call(call), steps)) => (steps, Some(call)),
            _ => (self.segments.as_slice(), None),
        };
        let definite = steps
            .iter()
            .all(|s| matches!(s, Segment::Name(_) | Segment::Index(_)));
        let value = if definite {
            Cow::Borrowed(one(steps, root)?)
        } else {
            Cow::Owned(all(steps, root, root).into_iter().cloned().collect())
        };
        match call {
            None => Ok(value),
            Some(call) => call
                .apply(&value)
                .map(Cow::Owned)
                .ok_or_else(|| NoMatch(format!("No results for path: {}", place(steps)))),
        }
    }
}

/// Jayway's writing of a path: `$['a'][0]`.
fn place(steps: &[Segment]) -> String {
    steps.iter().fold("$".to_owned(), |path, step| match step {
        Segment::Name(name) => format!("{path}['{name}']"),
        Segment::Index(index) => format!("{path}[{index}]"),
        _ => format!("{path}[…]"),
    })
}

fn one<'a>(steps: &[Segment], root: &'a Value) -> Result<&'a Value, NoMatch> {
    let mut value = root;
    for (i, step) in steps.iter().enumerate() {
        let last = i + 1 == steps.len();
        let found = match (step, value) {
            (Segment::Name(name), Value::Object(fields)) => fields.get(name),
            (Segment::Name(name), Value::Null) if !last => {
                return Err(NoMatch(format!(
                    "Missing property in path {}['{name}']",
                    place(&steps[..i])
                )));
            }
            (Segment::Name(name), other) => {
                return Err(NoMatch(format!(
                    "Expected to find an object with property ['{name}'] in path {} but found '{}'. This is not a json \
                     object according to the JsonProvider: \
                     'com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider'.",
                    place(&steps[..i]),
                    java_class(other)
                )));
            }
            (Segment::Index(index), Value::Array(items)) => nth(items, *index),
            (Segment::Index(index), other) => {
                return Err(NoMatch(format!(
                    "Filter: [{index}] can only be applied to arrays. Current context is: {other}"
                )));
            }
            _ => None,
        };
        value = found.ok_or_else(|| {
            NoMatch(match step {
                Segment::Name(_) if !last => {
                    format!("Missing property in path {}", place(&steps[..=i]))
                }
                _ => format!("No results for path: {}", place(&steps[..=i])),
            })
        })?;
    }
    Ok(value)
}

const fn java_class(value: &Value) -> &'static str {
    match value {
        Value::Null => "com.fasterxml.jackson.databind.node.NullNode",
        Value::Bool(_) => "com.fasterxml.jackson.databind.node.BooleanNode",
        Value::Number(_) => "com.fasterxml.jackson.databind.node.NumericNode",
        Value::String(_) => "com.fasterxml.jackson.databind.node.TextNode",
        Value::Array(_) => "com.fasterxml.jackson.databind.node.ArrayNode",
        Value::Object(_) => "com.fasterxml.jackson.databind.node.ObjectNode",
    }
}

fn nth(items: &[Value], index: i64) -> Option<&Value> {
    items.get(at(index, items.len())?)
}

/// A place in a list of `length`; negative ones count from the end.
fn at(index: i64, length: usize) -> Option<usize> {
    if index < 0 {
        length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
    } else {
        usize::try_from(index).ok()
    }
}

pub(super) fn all<'a>(steps: &[Segment], value: &'a Value, root: &'a Value) -> Vec<&'a Value> {
    let mut values = vec![value];
    for step in steps {
        let mut next = Vec::new();
        for value in values {
            matches(step, value, root, &mut next);
        }
        values = next;
    }
    values
}

fn matches<'a>(step: &Segment, value: &'a Value, root: &'a Value, out: &mut Vec<&'a Value>) {
    match (step, value) {
        (Segment::Name(name), Value::Object(fields)) => out.extend(fields.get(name)),
        // Jayway applies a name to each item of a list only after `..` or `[*]`; there the values are items already.
        (Segment::Names(names), Value::Object(fields)) => {
            out.extend(names.iter().filter_map(|n| fields.get(n)));
        }
        (Segment::Index(index), Value::Array(items)) => out.extend(nth(items, *index)),
        (Segment::Indices(indices), Value::Array(items)) => {
            out.extend(indices.iter().filter_map(|i| nth(items, *i)));
        }
        (Segment::Slice(from, to, step), Value::Array(items)) => {
            slice(items, *from, *to, *step, out);
        }
        (Segment::Wild, Value::Array(items)) => out.extend(items),
        (Segment::Wild, Value::Object(fields)) => out.extend(fields.values()),
        (Segment::Filter(filter), Value::Array(items)) => {
            // AWS: "@ does not match scalar values. It only matches objects."
            out.extend(
                items
                    .iter()
                    .filter(|i| i.is_object() && filter.accepts(i, root)),
            );
        }
        (Segment::Filter(filter), Value::Object(_)) if filter.accepts(value, root) => {
            out.push(value);
        }
        (Segment::Deep(inner), _) => deep(inner, value, root, out),
        _ => {}
    }
}

fn deep<'a>(inner: &Segment, value: &'a Value, root: &'a Value, out: &mut Vec<&'a Value>) {
    matches(inner, value, root, out);
    match value {
        Value::Array(items) => items.iter().for_each(|v| deep(inner, v, root, out)),
        Value::Object(fields) => fields.values().for_each(|v| deep(inner, v, root, out)),
        _ => {}
    }
}

fn slice<'a>(
    items: &'a [Value],
    from: Option<i64>,
    to: Option<i64>,
    step: Option<i64>,
    out: &mut Vec<&'a Value>,
) {
    let bound = |index: i64| {
        if index < 0 {
            at(index, items.len()).unwrap_or(0)
        } else {
            usize::try_from(index)
                .unwrap_or(usize::MAX)
                .min(items.len())
        }
    };
    let (from, to) = (from.map_or(0, bound), to.map_or(items.len(), bound));
    let step = usize::try_from(step.unwrap_or(1)).unwrap_or(1);
    if from < to {
        out.extend(items[from..to].iter().step_by(step));
    }
}
