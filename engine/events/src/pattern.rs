//! Event patterns: which events a rule wants. Fields are AND-ed, values of a field OR-ed, as in AWS's event ruler.

use serde_json::{Map, Value};

use crate::{
    condition::{Broken, Condition, below, broken},
    locate::{Step, locate},
};

/// Names that mean something else inside `$or`.
const RESERVED: [&str; 10] = [
    "exactly",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "numeric",
    "cidr",
    "equals-ignore-case",
    "wildcard",
    "$or",
];

/// A checked pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    root: Node,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Node {
    fields: Vec<(String, Field)>,
    /// Of each list one node must match.
    either: Vec<Vec<Self>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Field {
    Leaf(Vec<Condition>),
    Below(Node),
}

/// A text that is no pattern, in AWS's words (`InvalidEventPatternException`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "Event pattern is not valid. Reason: {reason} at [Source: (String)\"{text}\"; line: {line}, column: {column}]"
)]
pub struct PatternError {
    /// What is wrong.
    pub reason: String,
    /// The whole pattern.
    pub text: String,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] with the place of the first thing that is wrong.
    pub fn compile(text: &str) -> Result<Self, PatternError> {
        let fail = |reason: String, (line, column)| PatternError {
            reason,
            text: text.to_owned(),
            line,
            column,
        };
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let said = error.to_string();
            let reason = said
                .rfind(" at line ")
                .map_or(said.as_str(), |at| &said[..at]);
            fail(reason.to_owned(), (error.line(), error.column()))
        })?;
        Self::from_value(&value).map_err(|broken| fail(broken.reason, locate(text, &broken.path)))
    }

    fn from_value(value: &Value) -> Result<Self, Broken> {
        match value {
            Value::Object(fields) => Ok(Self {
                root: node(fields, false)?,
            }),
            _ => broken("Filter is not an object"),
        }
    }

    /// Whether an event fits.
    pub fn matches(&self, event: &Value) -> bool {
        self.root.matches(std::slice::from_ref(event))
    }
}

fn node(fields: &Map<String, Value>, in_or: bool) -> Result<Node, Broken> {
    if fields.is_empty() {
        return broken("Empty objects are not allowed");
    }
    let mut node_ = Node::default();
    for (name, value) in fields {
        let here = |broken| below(broken, Step::Key(name.clone()));
        if name == "$or" {
            node_.either.push(alternatives(value).map_err(here)?);
            continue;
        }
        if in_or && RESERVED.contains(&name.as_str()) {
            let text =
                format!("{name} is Ruler reserved fieldName which cannot be used inside $or.");
            return broken(&text).map_err(here);
        }
        let field = match value {
            Value::Object(inner) => node(inner, in_or).map(Field::Below),
            Value::Array(list) if list.is_empty() => broken("Empty arrays are not allowed"),
            Value::Array(list) => conditions(list).map(Field::Leaf),
            _ => broken(&format!("\"{name}\" must be an object or an array")),
        };
        node_.fields.push((name.clone(), field.map_err(here)?));
    }
    Ok(node_)
}

fn alternatives(value: &Value) -> Result<Vec<Node>, Broken> {
    let Value::Array(list) = value else {
        return broken("It must be an Array followed with $or.");
    };
    let one = |(at, value): (usize, &Value)| {
        let parsed = match value {
            Value::Object(fields) => node(fields, true),
            _ => broken("Only JSON object is allowed in array of $or relationship."),
        };
        parsed.map_err(|broken| below(broken, Step::Index(at)))
    };
    let nodes: Vec<Node> = list.iter().enumerate().map(one).collect::<Result<_, _>>()?;
    if nodes.len() < 2 {
        return broken("There must have at least 2 Objects in $or relationship.");
    }
    Ok(nodes)
}

fn conditions(list: &[Value]) -> Result<Vec<Condition>, Broken> {
    let numbered = list.iter().enumerate();
    numbered
        .map(|(at, value)| Condition::parse(value).map_err(|broken| below(broken, Step::Index(at))))
        .collect()
}

impl Node {
    /// Whether one of these values, which stand side by side in an array of the event, has everything that is asked.
    fn matches(&self, values: &[Value]) -> bool {
        values.iter().any(|value| match value {
            Value::Array(inner) => self.matches(inner),
            _ => {
                self.fields
                    .iter()
                    .all(|(name, field)| field.matches(name, value, values))
                    && self.either.iter().all(|nodes| {
                        nodes
                            .iter()
                            .any(|node| node.matches(std::slice::from_ref(value)))
                    })
            }
        })
    }
}

impl Field {
    fn matches(&self, name: &str, value: &Value, beside: &[Value]) -> bool {
        let found = value.get(name);
        match self {
            Self::Below(node) => match found {
                Some(found) => node.matches(std::slice::from_ref(found)),
                // A field that must not be there is not there either when what would hold it is absent.
                None => node.matches(&[Value::Null]),
            },
            Self::Leaf(conditions) => {
                let mut leaves = Vec::new();
                gather(found, &mut leaves);
                if leaves.is_empty() {
                    let nowhere = beside.iter().all(|value| {
                        let mut leaves = Vec::new();
                        gather(value.get(name), &mut leaves);
                        leaves.is_empty()
                    });
                    return nowhere && conditions.contains(&Condition::Exists(false));
                }
                leaves
                    .iter()
                    .any(|leaf| conditions.iter().any(|condition| condition.holds(leaf)))
            }
        }
    }
}

/// The values a field has: its own, or those of its array; an object is none.
fn gather<'v>(value: Option<&'v Value>, leaves: &mut Vec<&'v Value>) {
    match value {
        None | Some(Value::Object(_)) => {}
        Some(Value::Array(list)) => list.iter().for_each(|item| gather(Some(item), leaves)),
        Some(leaf) => leaves.push(leaf),
    }
}

#[cfg(test)]
mod tests;
