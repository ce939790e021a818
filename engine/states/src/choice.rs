//! Choice rules: which branch is taken.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value;

use crate::{env::Env, jsonata::Query, path::JsonPath, trouble::Trouble};

/// A rule.
#[derive(Debug)]
pub enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Compare(Comparison),
    /// JSONata's `Condition`.
    Condition(Query),
    Fixed(bool),
}

/// One comparison.
#[derive(Debug)]
pub struct Comparison {
    pub variable: JsonPath,
    pub operator: Operator,
    pub operand: Term,
}

#[derive(Debug)]
pub enum Term {
    Literal(Value),
    Path(JsonPath),
}

/// What two values are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    Text,
    Number,
    Flag,
    Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Equals,
    Less,
    LessEquals,
    Greater,
    GreaterEquals,
}

/// A comparison operator: its field in a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Compare(Domain, Order),
    Matches,
    IsNull,
    IsPresent,
    IsNumeric,
    IsString,
    IsBoolean,
    IsTimestamp,
}

impl Operator {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Compare(Domain::Text, Order::Equals),
        Self::Compare(Domain::Text, Order::Less),
        Self::Compare(Domain::Text, Order::LessEquals),
        Self::Compare(Domain::Text, Order::Greater),
        Self::Compare(Domain::Text, Order::GreaterEquals),
        Self::Compare(Domain::Number, Order::Equals),
        Self::Compare(Domain::Number, Order::Less),
        Self::Compare(Domain::Number, Order::LessEquals),
        Self::Compare(Domain::Number, Order::Greater),
        Self::Compare(Domain::Number, Order::GreaterEquals),
        Self::Compare(Domain::Flag, Order::Equals),
        Self::Compare(Domain::Time, Order::Equals),
        Self::Compare(Domain::Time, Order::Less),
        Self::Compare(Domain::Time, Order::LessEquals),
        Self::Compare(Domain::Time, Order::Greater),
        Self::Compare(Domain::Time, Order::GreaterEquals),
        Self::Matches,
        Self::IsNull,
        Self::IsPresent,
        Self::IsNumeric,
        Self::IsString,
        Self::IsBoolean,
        Self::IsTimestamp,
    ];

    const fn names(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Compare(Domain::Text, Order::Equals) => {
                ("StringEquals", Some("StringEqualsPath"))
            }
            Self::Compare(Domain::Text, Order::Less) => {
                ("StringLessThan", Some("StringLessThanPath"))
            }
            Self::Compare(Domain::Text, Order::LessEquals) => {
                ("StringLessThanEquals", Some("StringLessThanEqualsPath"))
            }
            Self::Compare(Domain::Text, Order::Greater) => {
                ("StringGreaterThan", Some("StringGreaterThanPath"))
            }
            Self::Compare(Domain::Text, Order::GreaterEquals) => (
                "StringGreaterThanEquals",
                Some("StringGreaterThanEqualsPath"),
            ),
            Self::Compare(Domain::Number, Order::Equals) => {
                ("NumericEquals", Some("NumericEqualsPath"))
            }
            Self::Compare(Domain::Number, Order::Less) => {
                ("NumericLessThan", Some("NumericLessThanPath"))
            }
            Self::Compare(Domain::Number, Order::LessEquals) => {
                ("NumericLessThanEquals", Some("NumericLessThanEqualsPath"))
            }
            Self::Compare(Domain::Number, Order::Greater) => {
                ("NumericGreaterThan", Some("NumericGreaterThanPath"))
            }
            Self::Compare(Domain::Number, Order::GreaterEquals) => (
                "NumericGreaterThanEquals",
                Some("NumericGreaterThanEqualsPath"),
            ),
            // Only equality is offered for flags.
            Self::Compare(Domain::Flag, _) => ("BooleanEquals", Some("BooleanEqualsPath")),
            Self::Compare(Domain::Time, Order::Equals) => {
                ("TimestampEquals", Some("TimestampEqualsPath"))
            }
            Self::Compare(Domain::Time, Order::Less) => {
                ("TimestampLessThan", Some("TimestampLessThanPath"))
            }
            Self::Compare(Domain::Time, Order::LessEquals) => (
                "TimestampLessThanEquals",
                Some("TimestampLessThanEqualsPath"),
            ),
            Self::Compare(Domain::Time, Order::Greater) => {
                ("TimestampGreaterThan", Some("TimestampGreaterThanPath"))
            }
            Self::Compare(Domain::Time, Order::GreaterEquals) => (
                "TimestampGreaterThanEquals",
                Some("TimestampGreaterThanEqualsPath"),
            ),
            Self::Matches => ("StringMatches", None),
            Self::IsNull => ("IsNull", None),
            Self::IsPresent => ("IsPresent", None),
            Self::IsNumeric => ("IsNumeric", None),
            Self::IsString => ("IsString", None),
            Self::IsBoolean => ("IsBoolean", None),
            Self::IsTimestamp => ("IsTimestamp", None),
        }
    }

    pub const fn field(self) -> &'static str {
        self.names().0
    }

    pub const fn path_field(self) -> Option<&'static str> {
        self.names().1
    }

    /// Whether a rule may write this value down, or the type it wants.
    pub fn takes(self, value: &Value) -> Result<(), &'static str> {
        let (good, wanted) = match self {
            Self::Compare(Domain::Text, _) | Self::Matches => (value.is_string(), "String"),
            Self::Compare(Domain::Number, _) => (value.is_number(), "Number"),
            Self::Compare(Domain::Time, _) => {
                (value.as_str().and_then(timestamp).is_some(), "Timestamp")
            }
            _ => (value.is_boolean(), "Boolean"),
        };
        if good { Ok(()) } else { Err(wanted) }
    }
}

impl Rule {
    /// Whether the rule matches.
    pub fn holds(&self, env: &Env<'_>, index: usize) -> Result<bool, Trouble> {
        match self {
            Self::Fixed(flag) => Ok(*flag),
            Self::Condition(query) => {
                let field = format!("Choices[{index}]/Condition");
                match query.evaluate(env, &field)? {
                    Value::Bool(flag) => Ok(flag),
                    other => Err(crate::step::wrong_type(query, &field, "boolean", &other)),
                }
            }
            Self::Not(rule) => Ok(!rule.holds(env, index)?),
            Self::And(rules) => {
                for rule in rules {
                    if !rule.holds(env, index)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(rules) => {
                for rule in rules {
                    if rule.holds(env, index)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Compare(comparison) => comparison.holds(env),
        }
    }
}

impl Comparison {
    fn holds(&self, env: &Env<'_>) -> Result<bool, Trouble> {
        let variable = self.variable.get(env);
        if self.operator == Operator::IsPresent {
            let Term::Literal(Value::Bool(wanted)) = self.operand else {
                return Ok(false);
            };
            return Ok(variable.is_ok() == wanted);
        }
        let invalid = |path: &JsonPath| {
            Trouble::Runtime(format!(
                "Invalid path '{}': The choice state's condition path references an invalid value.",
                path.source()
            ))
        };
        let variable = variable.map_err(|_| invalid(&self.variable))?;
        let operand = match &self.operand {
            Term::Literal(value) => std::borrow::Cow::Borrowed(value),
            Term::Path(path) => path.get(env).map_err(|_| invalid(path))?,
        };
        Ok(compare(self.operator, &variable, &operand))
    }
}

fn compare(operator: Operator, value: &Value, operand: &Value) -> bool {
    let is = |found: bool| operand.as_bool() == Some(found);
    match operator {
        Operator::IsNull => is(value.is_null()),
        Operator::IsPresent => is(true),
        Operator::IsNumeric => is(value.is_number()),
        Operator::IsString => is(value.is_string()),
        Operator::IsBoolean => is(value.is_boolean()),
        Operator::IsTimestamp => is(value.as_str().and_then(timestamp).is_some()),
        Operator::Matches => match (value, operand) {
            (Value::String(text), Value::String(pattern)) => matches(text, pattern),
            _ => false,
        },
        Operator::Compare(domain, order) => {
            let found = match (domain, value, operand) {
                // Java compares UTF-16 units.
                (Domain::Text, Value::String(a), Value::String(b)) => {
                    Some(a.encode_utf16().cmp(b.encode_utf16()))
                }
                (Domain::Number, Value::Number(a), Value::Number(b)) => {
                    a.as_f64().partial_cmp(&b.as_f64())
                }
                (Domain::Flag, Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
                (Domain::Time, Value::String(a), Value::String(b)) => {
                    match (timestamp(a), timestamp(b)) {
                        (Some(a), Some(b)) => Some(a.cmp(&b)),
                        _ => None,
                    }
                }
                _ => None,
            };
            found.is_some_and(|found| match order {
                Order::Equals => found == Ordering::Equal,
                Order::Less => found == Ordering::Less,
                Order::LessEquals => found != Ordering::Greater,
                Order::Greater => found == Ordering::Greater,
                Order::GreaterEquals => found != Ordering::Less,
            })
        }
    }
}

/// A timestamp as the language has it: RFC 3339, `T` and `Z` in capitals.
pub fn timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let zoned =
        text.ends_with('Z') || text.len() > 6 && matches!(bytes[text.len() - 6], b'+' | b'-');
    if bytes.get(10) != Some(&b'T') || !zoned {
        return None;
    }
    text.parse().ok()
}

/// `*` stands for any text, `\*` for itself.
fn matches(text: &str, pattern: &str) -> bool {
    let mut parts = vec![String::new()];
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let last = parts.len() - 1;
        match c {
            '*' => parts.push(String::new()),
            '\\' if matches!(chars.peek(), Some('*' | '\\')) => parts[last].extend(chars.next()),
            c => parts[last].push(c),
        }
    }
    let Some((first, rest)) = parts.split_first() else {
        return false;
    };
    let Some((end, middle)) = rest.split_last() else {
        return text == first;
    };
    let Some(mut left) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        match left.find(part.as_str()) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(end.as_str())
}
