//! The Query protocol: `Name.member.1.Name=value` to JSON, JSON to XML.

use serde_json::{Map, Value};

use super::{super::call::escape, Fault};

const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";
/// Members that are numbers in the model.
const NUMBERS: [&str; 6] = [
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Period",
    "Threshold",
    "MaxRecords",
    "EvaluationInterval",
];
/// Members that are true or false in the model.
const FLAGS: [&str; 2] = ["ActionsEnabled", "ReturnData"];
/// Nested more deeply than anything the model has.
const DEPTH: usize = 8;

/// A call's members.
pub(super) fn read(form: &[(String, String)]) -> Result<Value, Fault> {
    let mut members = Value::Object(Map::new());
    for (name, value) in form {
        if name == "Action" || name == "Version" {
            continue;
        }
        let path: Vec<&str> = name.split('.').filter(|part| *part != "member").collect();
        if path.len() > DEPTH {
            return Err(unreadable(name));
        }
        let place = path
            .iter()
            .try_fold(&mut members, |at, part| down(at, part));
        let last = path.last().copied().unwrap_or_default();
        *place.ok_or_else(|| unreadable(name))? =
            scalar(last, value).ok_or_else(|| unreadable(name))?;
    }
    Ok(members)
}

/// The place of a member or of a list's element; lists are sent in order.
fn down<'a>(at: &'a mut Value, part: &str) -> Option<&'a mut Value> {
    let Ok(number) = part.parse::<usize>() else {
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        return Some(at.as_object_mut()?.entry(part).or_insert(Value::Null));
    };
    if at.is_null() {
        *at = Value::Array(Vec::new());
    }
    let list = at.as_array_mut()?;
    let index = number.checked_sub(1)?;
    if index == list.len() {
        list.push(Value::Null);
    }
    list.get_mut(index)
}

fn scalar(name: &str, text: &str) -> Option<Value> {
    if NUMBERS.contains(&name) {
        return serde_json::from_str::<serde_json::Number>(text)
            .ok()
            .map(Value::Number);
    }
    if FLAGS.contains(&name) {
        return text.parse().ok().map(Value::Bool);
    }
    Some(text.into())
}

fn unreadable(name: &str) -> Fault {
    Fault::new(
        400,
        "MalformedInput",
        format!("the parameter {name} cannot be read"),
    )
}

/// A reply.
pub(super) fn write(operation: &str, reply: &Value, request_id: &str) -> String {
    let mut result = String::new();
    element(&mut result, "", reply);
    if !result.is_empty() {
        result = format!("<{operation}Result>{result}</{operation}Result>");
    }
    format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\">{result}<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    )
}

fn element(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                out.push_str(&format!("<{name}>"));
                element(out, name, value);
                out.push_str(&format!("</{name}>"));
            }
        }
        Value::Array(list) => {
            for value in list {
                out.push_str("<member>");
                element(out, "", value);
                out.push_str("</member>");
            }
        }
        Value::String(text) => out.push_str(&escape(text)),
        Value::Number(number) if name.ends_with("Timestamp") => {
            let millis = number.as_f64().unwrap_or_default() * 1000.0;
            let at = jiff::Timestamp::from_millisecond(millis as i64);
            out.push_str(&format!("{:.3}", at.unwrap_or_default()));
        }
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::Bool(flag) => out.push_str(&flag.to_string()),
        Value::Null => {}
    }
}
