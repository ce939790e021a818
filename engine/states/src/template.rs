//! Payload templates: JSON with expressions in it, of either query language.

use serde_json::{Map, Value};

use crate::{
    env::Env,
    intrinsic::{Intrinsic, is_call},
    jsonata::{self, Query},
    path::JsonPath,
    trouble::Trouble,
};

/// A parsed template. A part without expressions is one literal.
#[derive(Debug)]
pub enum Template {
    Literal(Value),
    Object(Vec<(String, Template)>),
    Array(Vec<Template>),
    Path { path: JsonPath, field: String },
    Call(Intrinsic),
    Query { query: Query, field: String },
}

/// A part of a template that is not right, and where: the keys to it.
#[derive(Debug)]
pub struct BadPart {
    pub at: Vec<String>,
    pub reason: String,
}

/// A path or a call: the value of a JSONPath expression.
pub fn expression(text: &str, field: &str) -> Result<Template, String> {
    if is_call(text) {
        return text
            .parse()
            .map(Template::Call)
            .map_err(|e: crate::intrinsic::BadCall| e.to_string());
    }
    text.parse()
        .map(|path| Template::Path {
            path,
            field: field.to_owned(),
        })
        .map_err(|e: crate::path::BadPath| e.to_string())
}

impl Template {
    /// Reads a template in which the values of fields that end with `.$` are expressions.
    pub fn paths(value: &Value, at: &mut Vec<String>, bad: &mut Vec<BadPart>) -> Self {
        match value {
            Value::Object(fields) => {
                let parts = fields
                    .iter()
                    .map(|(key, value)| {
                        at.push(key.clone());
                        let part = match (key.strip_suffix(".$"), value) {
                            (None, _) => (key.clone(), Self::paths(value, at, bad)),
                            (Some(name), Value::String(text)) => {
                                let part = expression(text, key).unwrap_or_else(|_| {
                                    bad.push(BadPart {
                                        at: at.clone(),
                                        reason: format!(
                                            "The value for the field '{key}' must be a valid JSONPath or a valid \
                                             intrinsic function call"
                                        ),
                                    });
                                    Self::Literal(Value::Null)
                                });
                                (name.to_owned(), part)
                            }
                            (Some(name), _) => {
                                bad.push(BadPart {
                                    at: at.clone(),
                                    reason: format!(
                                        "The value for the field '{key}' must be a STRING that contains a JSONPath but \
                                         was a {}",
                                        type_name(value)
                                    ),
                                });
                                (name.to_owned(), Self::Literal(Value::Null))
                            }
                        };
                        at.pop();
                        part
                    })
                    .collect();
                Self::object(parts)
            }
            Value::Array(items) => Self::array(items, at, bad, Self::paths),
            other => Self::Literal(other.clone()),
        }
    }

    /// Reads a template in which texts `{% … %}` are expressions.
    pub fn queries(value: &Value, at: &mut Vec<String>, bad: &mut Vec<BadPart>) -> Self {
        match value {
            Value::Object(fields) => {
                let parts = fields
                    .iter()
                    .map(|(key, value)| {
                        at.push(key.clone());
                        let part = Self::queries(value, at, bad);
                        at.pop();
                        (key.clone(), part)
                    })
                    .collect();
                Self::object(parts)
            }
            Value::Array(items) => Self::array(items, at, bad, Self::queries),
            Value::String(text) => match jsonata::inside(text) {
                None => Self::Literal(value.clone()),
                Some(inner) => match inner.parse() {
                    Ok(query) => Self::Query {
                        query,
                        field: at.join("/"),
                    },
                    Err(e) => {
                        bad.push(BadPart {
                            at: at.clone(),
                            reason: format!(
                                "The JSONata expression '{}' is not valid: {e}",
                                inner.trim()
                            ),
                        });
                        Self::Literal(Value::Null)
                    }
                },
            },
            other => Self::Literal(other.clone()),
        }
    }

    fn array(
        items: &[Value],
        at: &mut Vec<String>,
        bad: &mut Vec<BadPart>,
        read: fn(&Value, &mut Vec<String>, &mut Vec<BadPart>) -> Self,
    ) -> Self {
        let parts: Vec<Self> = items
            .iter()
            .enumerate()
            .map(|(i, item)| {
                at.push(i.to_string());
                let part = read(item, at, bad);
                at.pop();
                part
            })
            .collect();
        if parts.iter().all(|p| matches!(p, Self::Literal(_))) {
            return Self::Literal(parts.into_iter().filter_map(Self::literal).collect());
        }
        Self::Array(parts)
    }

    fn object(parts: Vec<(String, Self)>) -> Self {
        if parts.iter().all(|(_, p)| matches!(p, Self::Literal(_))) {
            let fields = parts
                .into_iter()
                .filter_map(|(k, p)| Some((k, p.literal()?)));
            return Self::Literal(Value::Object(fields.collect()));
        }
        Self::Object(parts)
    }

    fn literal(self) -> Option<Value> {
        match self {
            Self::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The template's value.
    pub fn render(&self, env: &Env<'_>) -> Result<Value, Trouble> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Object(parts) => {
                let mut fields = Map::with_capacity(parts.len());
                for (key, part) in parts {
                    fields.insert(key.clone(), part.render(env)?);
                }
                Value::Object(fields)
            }
            Self::Array(parts) => parts.iter().map(|p| p.render(env)).collect::<Result<_, _>>()?,
            Self::Call(call) => call.evaluate(env)?,
            Self::Query { query, field } => query.evaluate(env, field)?,
            Self::Path { path, field } => path
                .get(env)
                .map_err(|_| {
                    Trouble::Runtime(format!(
                        "The JSONPath '{}' specified for the field '{field}' could not be found in the input '{}'",
                        path.source(),
                        env.input
                    ))
                })?
                .into_owned(),
        })
    }
}

/// JSON's name of a value's type, in capitals as AWS writes it.
pub const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL",
        Value::Bool(_) => "BOOLEAN",
        Value::Number(_) => "NUMBER",
        Value::String(_) => "STRING",
        Value::Array(_) => "ARRAY",
        Value::Object(_) => "OBJECT",
    }
}
