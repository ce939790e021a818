//! What an `ItemReader` found, to items: JSON, JSON lines, CSV.

use serde_json::{Map, Value};

use crate::trouble::Trouble;

/// Reads the text of an object in the form that `ReaderConfig` says.
pub(crate) fn read(text: &str, config: &Value) -> Result<Vec<Value>, Trouble> {
    match config
        .get("InputType")
        .and_then(Value::as_str)
        .unwrap_or("JSON")
    {
        "JSON" => match pointed(text, config)? {
            Ok(Value::Array(items)) => Ok(items),
            Ok(Value::Object(fields)) => Ok(fields
                .into_iter()
                .map(|(key, value)| serde_json::json!({"Key": key, "Value": value}))
                .collect()),
            Ok(_) => Err(failed("Attempting to map over non-iterable node.")),
            Err(e) => Err(failed(format!("The JSON file could not be read: {e}"))),
        },
        "JSONL" => text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| {
                serde_json::from_str(line)
                    .map_err(|e| failed(format!("The JSONL file could not be read: {e}")))
            })
            .collect(),
        "CSV" => csv(text, config),
        other => Err(failed(format!(
            "The input type {other} is not supported here: JSON, JSONL or CSV."
        ))),
    }
}

/// The same for whoever has the text of several objects; the cause of a refusal.
///
/// # Errors
/// It is not in that form.
pub fn parse(text: &str, config: &Value) -> Result<Vec<Value>, String> {
    read(text, config).map_err(|trouble| trouble.cause("", 0))
}

fn failed(cause: impl Into<String>) -> Trouble {
    Trouble::ItemReader(cause.into())
}

/// The part of a JSON text that `ItemsPointer` names, else all of it.
fn pointed(text: &str, config: &Value) -> Result<serde_json::Result<Value>, Trouble> {
    let (Some(pointer), Ok(mut whole)) = (
        config["ItemsPointer"].as_str(),
        serde_json::from_str::<Value>(text),
    ) else {
        return Ok(serde_json::from_str(text));
    };
    let found = whole.pointer_mut(pointer).map(Value::take);
    let missing = || {
        failed(format!(
            "The JSON file has nothing at the pointer {pointer}."
        ))
    };
    found.map(Ok).ok_or_else(missing)
}

fn csv(text: &str, config: &Value) -> Result<Vec<Value>, Trouble> {
    let delimiter = match config
        .get("CSVDelimiter")
        .and_then(Value::as_str)
        .unwrap_or("COMMA")
    {
        "COMMA" => ',',
        "PIPE" => '|',
        "SEMICOLON" => ';',
        "SPACE" => ' ',
        "TAB" => '\t',
        other => return Err(failed(format!("There is no delimiter {other}."))),
    };
    let mut rows = rows(text.strip_prefix('\u{feff}').unwrap_or(text), delimiter).into_iter();
    let given = config.get("CSVHeaders").and_then(Value::as_array);
    let header: Vec<String> = match config.get("CSVHeaderLocation").and_then(Value::as_str) {
        Some("GIVEN") => given
            .ok_or_else(|| failed("CSVHeaders is missing."))?
            .iter()
            .filter_map(|h| h.as_str().map(str::to_owned))
            .collect(),
        Some("FIRST_ROW") => rows.next().unwrap_or_default(),
        other => {
            return Err(failed(format!(
                "There is no CSVHeaderLocation {}.",
                other.unwrap_or("given")
            )));
        }
    };
    Ok(rows
        .map(|row| {
            let mut cells = row.into_iter();
            let fields: Map<String, Value> = header
                .iter()
                .map(|name| {
                    (
                        name.clone(),
                        Value::String(cells.next().unwrap_or_default()),
                    )
                })
                .collect();
            Value::Object(fields)
        })
        .collect())
}

/// RFC 4180: quotes hold delimiters, line ends and doubled quotes.
fn rows(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            c if quoted => cell.push(c),
            c if c == delimiter => row.push(std::mem::take(&mut cell)),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows.retain(|row| row.len() > 1 || row.iter().any(|c| !c.is_empty()));
    rows
}
