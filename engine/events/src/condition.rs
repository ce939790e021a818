//! One condition of a pattern: what the values of a field are compared with.

use std::net::IpAddr;

use serde_json::{Map, Number, Value};

use crate::locate::Step;

/// EventBridge compares numbers within this range only.
const NUMBER_LIMIT: f64 = 5e9;

/// What one value of a field may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// This string, boolean or null.
    Is(Value),
    /// This number, however it is written.
    Number(Number),
    /// A text that fits.
    Text(Text),
    /// A value that fits none of these.
    AnythingBut(Vec<Self>),
    /// There is a value, or there is none.
    Exists(bool),
    /// A number between these; `true` includes the bound.
    Numeric {
        /// Lower bound.
        low: Option<(f64, bool)>,
        /// Upper bound.
        high: Option<(f64, bool)>,
    },
    /// An address of this network: its first bits.
    Cidr(IpAddr, u8),
}

/// What a text may be; `true` ignores the case (the text is kept in lower case then).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// Begins so.
    Prefix(String, bool),
    /// Ends so.
    Suffix(String, bool),
    /// Is this in any case.
    IgnoreCase(String),
    /// Consists of these parts with anything between them.
    Wildcard(Vec<String>),
}

/// Why a condition is none: AWS's reason, and where below the condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Broken {
    pub reason: String,
    pub path: Vec<Step>,
}

type Parsed<T> = Result<T, Broken>;

impl Condition {
    /// Whether a leaf value fits. [`Condition::Exists`] is decided by the pattern, which sees whether there is one.
    pub fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Is(wanted) => wanted == value,
            Self::Number(wanted) => value.as_number().is_some_and(|number| same(wanted, number)),
            Self::Text(text) => value.as_str().is_some_and(|value| text.holds(value)),
            Self::AnythingBut(others) => !others.iter().any(|other| other.holds(value)),
            Self::Exists(wanted) => *wanted,
            Self::Numeric { low, high } => value.as_f64().is_some_and(|value| {
                low.is_none_or(|(low, with)| value > low || (with && value == low))
                    && high.is_none_or(|(high, with)| value < high || (with && value == high))
            }),
            Self::Cidr(network, bits) => value
                .as_str()
                .and_then(|text| text.parse().ok())
                .is_some_and(|address| first_bits(address, *bits) == first_bits(*network, *bits)),
        }
    }

    pub(crate) fn parse(value: &Value) -> Parsed<Self> {
        match value {
            Value::Object(fields) => expression(fields),
            Value::Array(_) => broken("Match value must be String, number, true, false, or null"),
            Value::Number(number) => Ok(Self::Number(number.clone())),
            other => Ok(Self::Is(other.clone())),
        }
    }
}

impl Text {
    fn holds(&self, value: &str) -> bool {
        let cased = |ignore: bool| {
            if ignore {
                value.to_lowercase()
            } else {
                value.to_owned()
            }
        };
        match self {
            Self::Prefix(prefix, ignore) => cased(*ignore).starts_with(prefix),
            Self::Suffix(suffix, ignore) => cased(*ignore).ends_with(suffix),
            Self::IgnoreCase(wanted) => value.to_lowercase() == *wanted,
            Self::Wildcard(parts) => wildcard(parts, value),
        }
    }
}

fn expression(fields: &Map<String, Value>) -> Parsed<Condition> {
    let Some((name, argument)) = fields.iter().next() else {
        return broken("Match expression name not found");
    };
    let parsed = match name.as_str() {
        "exactly" => text(argument, "exact").map(|t| Condition::Is(Value::from(t))),
        "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => {
            text_condition(name, argument).map(Condition::Text)
        }
        "anything-but" => anything_but(argument),
        "exists" => match argument {
            Value::Bool(wanted) => Ok(Condition::Exists(*wanted)),
            _ => broken("exists match pattern must be either true or false."),
        },
        "numeric" => match argument {
            Value::Array(terms) => numeric(terms),
            _ => broken("Value of numeric must be an array."),
        },
        "cidr" => text(argument, "cidr").and_then(|text| cidr(&text)),
        other => broken(&format!("Unrecognized match type {other}")),
    };
    let parsed = parsed.map_err(|broken| below(broken, Step::Key(name.clone())))?;
    only_one(fields)?;
    Ok(parsed)
}

fn text_condition(name: &str, argument: &Value) -> Parsed<Text> {
    let nested = argument.get("equals-ignore-case");
    match (name, nested) {
        ("prefix", Some(nested)) => ignoring(argument, nested).map(|t| Text::Prefix(t, true)),
        ("suffix", Some(nested)) => ignoring(argument, nested).map(|t| Text::Suffix(t, true)),
        ("prefix", None) => text(argument, name).map(|t| Text::Prefix(t, false)),
        ("suffix", None) => text(argument, name).map(|t| Text::Suffix(t, false)),
        ("wildcard", _) => text(argument, name)
            .and_then(|t| parts(&t))
            .map(Text::Wildcard),
        _ => text(argument, name).map(|t| Text::IgnoreCase(t.to_lowercase())),
    }
}

fn ignoring(argument: &Value, nested: &Value) -> Parsed<String> {
    if let Some(fields) = argument.as_object() {
        only_one(fields)?;
    }
    text(nested, "equals-ignore-case")
        .map(|t| t.to_lowercase())
        .map_err(|broken| below(broken, Step::Key("equals-ignore-case".to_owned())))
}

fn anything_but(argument: &Value) -> Parsed<Condition> {
    let others = match argument {
        Value::Object(fields) => {
            let Some((name, value)) = fields.iter().next() else {
                return broken("Anything-But expression name not found");
            };
            if !["prefix", "suffix", "equals-ignore-case", "wildcard"].contains(&name.as_str()) {
                return broken(&format!("Unsupported anything-but pattern: {name}"));
            }
            only_one(fields)?;
            let one = |value: &Value| {
                if ["prefix", "suffix"].contains(&name.as_str()) && value.as_str() == Some("") {
                    return broken("Null prefix/suffix not allowed");
                }
                text_condition(name, value).map(Condition::Text)
            };
            match value {
                Value::Array(list) if !list.is_empty() => each(list, one),
                one_value => one(one_value).map(|condition| vec![condition]),
            }
            .map_err(|broken| below(broken, Step::Key(name.clone())))?
        }
        Value::Array(list) => {
            let others = each(list, |value| match value {
                Value::String(_) | Value::Number(_) => Condition::parse(value),
                _ => broken("Inside anything but list, start|null|boolean is not supported."),
            })?;
            let numbers = list.iter().filter(|value| value.is_number()).count();
            if list.is_empty() || (numbers != 0 && numbers != list.len()) {
                return broken(
                    "Inside anything but list, either all values are number or string, mixed type is not supported",
                );
            }
            others
        }
        Value::String(_) | Value::Number(_) => vec![Condition::parse(argument)?],
        _ => {
            return broken("Value of anything-but must be an array or single string/number value.");
        }
    };
    Ok(Condition::AnythingBut(others))
}

fn numeric(terms: &[Value]) -> Parsed<Condition> {
    let Some(operator) = terms.first().and_then(Value::as_str) else {
        let shown = terms.first().map(Value::to_string).unwrap_or_default();
        return broken(&format!("Invalid member in numeric match: {shown}"));
    };
    let named = if operator == "=" { "equals" } else { operator };
    if !["=", "<", "<=", ">", ">="].contains(&operator) {
        return broken(&format!("Unrecognized numeric range operator: {operator}"));
    }
    let first = number(terms.get(1), named)?;
    let with = operator.ends_with('=');
    let from_below = operator.starts_with('>');
    let (low, mut high) = match operator {
        "=" => (Some((first, true)), Some((first, true))),
        _ if from_below => (Some((first, with)), None),
        _ => (None, Some((first, with))),
    };
    if let Some(second) = terms.get(2) {
        if !from_below {
            return broken("Too many elements in numeric expression");
        }
        let Some(operator) = second.as_str() else {
            return broken(&format!("Bad value in numeric range: {second}"));
        };
        if !["<", "<="].contains(&operator) {
            return broken(&format!("Bad numeric range operator: {operator}"));
        }
        let top = number(terms.get(3), operator)?;
        if terms.len() > 4 {
            return broken("Too many terms in numeric range expression");
        }
        if top <= first {
            return broken("Bottom must be less than top");
        }
        high = Some((top, operator == "<="));
    }
    Ok(Condition::Numeric { low, high })
}

fn number(value: Option<&Value>, operator: &str) -> Parsed<f64> {
    let Some(number) = value.and_then(Value::as_f64) else {
        return broken(&format!("Value of {operator} must be numeric"));
    };
    if number.abs() > NUMBER_LIMIT {
        return broken("Value must be between -5.0E9 and 5.0E9, inclusive");
    }
    Ok(number)
}

fn cidr(text: &str) -> Parsed<Condition> {
    let Some((address, bits)) = text.split_once('/') else {
        return broken("Malformed CIDR, one '/' required");
    };
    let Ok(bits) = bits.parse::<u8>() else {
        return broken("Malformed CIDR, mask bits must be an integer");
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return broken(&format!("Nonstandard IP address: {address}"));
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    if bits > most {
        return broken(&format!("Malformed CIDR, mask bits must not exceed {most}"));
    }
    Ok(Condition::Cidr(address, bits))
}

/// The network of an address, and whether it is of version 4.
fn first_bits(address: IpAddr, bits: u8) -> (bool, u128) {
    let (number, shift) = match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32_u32.saturating_sub(bits.into())),
        IpAddr::V6(v6) => (v6.to_bits(), 128_u32.saturating_sub(bits.into())),
    };
    (address.is_ipv4(), number.checked_shr(shift).unwrap_or(0))
}

/// The texts between the stars of a wildcard; a backslash keeps the next star or backslash as it is.
fn parts(text: &str) -> Parsed<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars().enumerate();
    let mut after_star = false;
    while let Some((at, c)) = characters.next() {
        let star = c == '*';
        if star && after_star {
            return broken(&format!("Consecutive wildcard characters at pos {at}"));
        }
        after_star = star;
        let plain = match c {
            '*' => {
                parts.push(String::new());
                continue;
            }
            '\\' => match characters.next() {
                Some((_, next @ ('*' | '\\'))) => next,
                _ => return broken(&format!("Invalid escape character at pos {at}")),
            },
            other => other,
        };
        if let Some(last) = parts.last_mut() {
            last.push(plain);
        }
    }
    Ok(parts)
}

fn wildcard(parts: &[String], value: &str) -> bool {
    let Some((first, rest)) = parts.split_first() else {
        return false;
    };
    let Some((last, middle)) = rest.split_last() else {
        return value == first;
    };
    let Some(mut left) = value
        .strip_prefix(first.as_str())
        .and_then(|left| left.strip_suffix(last.as_str()))
    else {
        return false;
    };
    for part in middle {
        match left.split_once(part.as_str()) {
            Some((_, behind)) => left = behind,
            None => return false,
        }
    }
    true
}

fn same(wanted: &Number, number: &Number) -> bool {
    wanted == number || wanted.as_f64() == number.as_f64()
}

fn text(value: &Value, name: &str) -> Parsed<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        _ => broken(&format!("{name} match pattern must be a string")),
    }
}

fn each(list: &[Value], one: impl Fn(&Value) -> Parsed<Condition>) -> Parsed<Vec<Condition>> {
    let numbered = list.iter().enumerate();
    numbered
        .map(|(at, value)| one(value).map_err(|broken| below(broken, Step::Index(at))))
        .collect()
}

fn only_one(fields: &Map<String, Value>) -> Parsed<()> {
    if fields.len() == 1 {
        Ok(())
    } else {
        broken("Only one key allowed in match expression")
    }
}

pub(crate) fn broken<T>(reason: &str) -> Parsed<T> {
    Err(Broken {
        reason: reason.to_owned(),
        path: Vec::new(),
    })
}

pub(crate) fn below(mut broken: Broken, step: Step) -> Broken {
    broken.path.insert(0, step);
    broken
}
