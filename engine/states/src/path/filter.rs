//! `[?(…)]`: which items a filter keeps.

use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;

use super::{BadPath, Segment, eval::all, parse::Cursor};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    Or(Vec<Filter>),
    And(Vec<Filter>),
    Not(Box<Filter>),
    Exists(Term),
    Compare(Term, Operator, Term),
    Like(Term, Pattern),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    Here(Vec<Segment>),
    Root(Vec<Segment>),
    Literal(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

#[derive(Debug, Clone)]
pub(crate) struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// How deep `!` and `(` may nest.
const NESTING: usize = 64;

impl Filter {
    pub(super) fn parse(cursor: &mut Cursor) -> Result<Self, BadPath> {
        any(cursor, 0)
    }

    pub(super) fn accepts(&self, here: &Value, root: &Value) -> bool {
        match self {
            Self::Or(parts) => parts.iter().any(|p| p.accepts(here, root)),
            Self::And(parts) => parts.iter().all(|p| p.accepts(here, root)),
            Self::Not(inner) => !inner.accepts(here, root),
            Self::Exists(operand) => operand.value(here, root).is_some(),
            Self::Compare(left, operator, right) => {
                operator.holds(left.value(here, root), right.value(here, root))
            }
            Self::Like(operand, pattern) => operand
                .value(here, root)
                .and_then(Value::as_str)
                .is_some_and(|text| pattern.0.is_match(text)),
        }
    }
}

impl Term {
    fn value<'a>(&'a self, here: &'a Value, root: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Here(steps) => all(steps, here, root).into_iter().next(),
            Self::Root(steps) => all(steps, root, root).into_iter().next(),
            Self::Literal(value) => Some(value),
        }
    }
}

impl Operator {
    fn holds(self, left: Option<&Value>, right: Option<&Value>) -> bool {
        let (Some(left), Some(right)) = (left, right) else {
            return self == Self::Different && left.is_some() != right.is_some();
        };
        let order = match (left, right) {
            (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
            (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
            _ => None,
        };
        let same = order.map_or_else(|| left == right, |o| o.is_eq());
        let listed = || right.as_array().is_some_and(|items| items.contains(left));
        match self {
            Self::Equal => same,
            Self::Different => !same,
            Self::Less => order.is_some_and(|o| o.is_lt()),
            Self::LessOrEqual => order.is_some_and(|o| o.is_le()),
            Self::Greater => order.is_some_and(|o| o.is_gt()),
            Self::GreaterOrEqual => order.is_some_and(|o| o.is_ge()),
            Self::In => listed(),
            Self::NotIn => !listed(),
        }
    }
}

fn any(cursor: &mut Cursor, depth: usize) -> Result<Filter, BadPath> {
    let mut parts = vec![every(cursor, depth)?];
    loop {
        cursor.blanks();
        if !cursor.take("||") {
            break;
        }
        parts.push(every(cursor, depth)?);
    }
    Ok(only(parts, Filter::Or))
}

fn every(cursor: &mut Cursor, depth: usize) -> Result<Filter, BadPath> {
    let mut parts = vec![single(cursor, depth)?];
    loop {
        cursor.blanks();
        if !cursor.take("&&") {
            break;
        }
        parts.push(single(cursor, depth)?);
    }
    Ok(only(parts, Filter::And))
}

fn only(mut parts: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        join(parts)
    }
}

fn single(cursor: &mut Cursor, depth: usize) -> Result<Filter, BadPath> {
    if depth > NESTING {
        return Err(cursor.bad("a filter nested too deeply"));
    }
    cursor.blanks();
    if cursor.take("!") {
        return Ok(Filter::Not(Box::new(single(cursor, depth + 1)?)));
    }
    if cursor.take("(") {
        let inner = any(cursor, depth + 1)?;
        cursor.blanks();
        return if cursor.take(")") {
            Ok(inner)
        } else {
            Err(cursor.bad("a parenthesis is not closed"))
        };
    }
    let left = operand(cursor)?;
    cursor.blanks();
    if cursor.take("=~") {
        return Ok(Filter::Like(left, pattern(cursor)?));
    }
    let operators = [
        ("==", Operator::Equal),
        ("!=", Operator::Different),
        ("<=", Operator::LessOrEqual),
        ("<", Operator::Less),
        (">=", Operator::GreaterOrEqual),
        (">", Operator::Greater),
        ("in ", Operator::In),
        ("nin ", Operator::NotIn),
    ];
    match operators.into_iter().find(|(text, _)| cursor.take(text)) {
        Some((_, operator)) => Ok(Filter::Compare(left, operator, operand(cursor)?)),
        None => Ok(Filter::Exists(left)),
    }
}

fn operand(cursor: &mut Cursor) -> Result<Term, BadPath> {
    cursor.blanks();
    match cursor.peek() {
        Some('@') => {
            cursor.at += 1;
            Ok(Term::Here(cursor.segments(true)?))
        }
        Some('$') => {
            cursor.at += 1;
            Ok(Term::Root(cursor.segments(true)?))
        }
        Some(_) => Ok(Term::Literal(literal(cursor)?)),
        None => Err(cursor.bad("a value is missing")),
    }
}

fn literal(cursor: &mut Cursor) -> Result<Value, BadPath> {
    cursor.blanks();
    match cursor.peek() {
        Some('\'' | '"') => Ok(Value::String(cursor.quoted()?)),
        Some('[') => {
            cursor.at += 1;
            let mut items = Vec::new();
            cursor.blanks();
            while !cursor.take("]") {
                items.push(literal(cursor)?);
                cursor.blanks();
                cursor.take(",");
                cursor.blanks();
            }
            Ok(Value::Array(items))
        }
        _ => {
            let word = cursor.take_while(|c| c.is_ascii_alphanumeric() || "+-._".contains(c));
            serde_json::from_str(&word).map_err(|_| cursor.bad("not a literal"))
        }
    }
}

fn pattern(cursor: &mut Cursor) -> Result<Pattern, BadPath> {
    cursor.blanks();
    if !cursor.take("/") {
        return Err(cursor.bad("a pattern is written /…/"));
    }
    let mut text = String::new();
    loop {
        match cursor.peek() {
            None => return Err(cursor.bad("a pattern is not closed")),
            Some('/') => break,
            Some('\\') => {
                cursor.at += 1;
                match cursor.peek() {
                    Some('/') => text.push('/'),
                    Some(c) => text.extend(['\\', c]),
                    None => return Err(cursor.bad("a pattern is not closed")),
                }
            }
            Some(c) => text.push(c),
        }
        cursor.at += 1;
    }
    cursor.at += 1;
    let flags = cursor.take_while(|c| c.is_ascii_alphabetic());
    // Jayway matches the whole text.
    RegexBuilder::new(&format!("^(?:{text})$"))
        .case_insensitive(flags.contains('i'))
        .build()
        .map(Pattern)
        .map_err(|_| cursor.bad("not a pattern"))
}
