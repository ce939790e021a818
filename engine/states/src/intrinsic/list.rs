//! The functions on arrays.

use serde_json::Value;

use super::text;
use crate::limit;

/// The array at a place.
pub fn items(arguments: &[Value], index: usize) -> Result<&Vec<Value>, String> {
    arguments
        .get(index)
        .and_then(Value::as_array)
        .ok_or_else(|| format!("Invalid Arguments: argument {} is not an array.", index + 1))
}

/// The number at a place, rounded to a whole one.
pub fn whole(arguments: &[Value], index: usize) -> Result<i64, String> {
    let value = arguments.get(index).unwrap_or(&Value::Null);
    if let Some(number) = value.as_i64() {
        return Ok(number);
    }
    let number = value
        .as_f64()
        .ok_or_else(|| format!("Invalid Arguments: argument {} is not a number.", index + 1))?;
    // Java's Math.round: half goes up.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "out of range becomes the nearest, as in Java"
    )]
    Ok((number + 0.5).floor() as i64)
}

pub fn partition(arguments: &[Value]) -> Result<Value, String> {
    let size = usize::try_from(whole(arguments, 1)?)
        .ok()
        .filter(|s| *s > 0)
        .ok_or("Invalid Arguments: the chunk size must be above 0.")?;
    Ok(items(arguments, 0)?
        .chunks(size)
        .map(|c| Value::from(c.to_vec()))
        .collect())
}

pub fn contains(arguments: &[Value]) -> Result<Value, String> {
    Ok(Value::Bool(
        items(arguments, 0)?.iter().any(|v| same(v, &arguments[1])),
    ))
}

/// Equal as JSON, numbers by value.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

pub fn range(arguments: &[Value]) -> Result<Value, String> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a range has at most 1,000 numbers"
    )]
    let number = |i| whole(arguments, i).map(|n| n as f64);
    let numbers = text::range(number(0)?, number(1)?, number(2)?, limit::ARRAY_RANGE)?;
    Ok(numbers.into_iter().map(text::number).collect())
}

pub fn item(arguments: &[Value]) -> Result<Value, String> {
    let index = whole(arguments, 1)?;
    usize::try_from(index)
        .ok()
        .and_then(|i| items(arguments, 0).ok()?.get(i))
        .cloned()
        .ok_or_else(|| format!("Invalid Arguments: there is no item {index}."))
}

pub fn unique(arguments: &[Value]) -> Result<Value, String> {
    let mut kept: Vec<Value> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for item in items(arguments, 0)? {
        let new = match item {
            Value::Number(n) => seen.insert(format!("n{}", n.as_f64().unwrap_or_default())),
            other => seen.insert(other.to_string()),
        };
        if new {
            kept.push(item.clone());
        }
    }
    Ok(Value::Array(kept))
}
