//! Tags of state machines and activities.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Fault, JsonAnswer, need, read_tags, refuse};
use crate::{app::App, states::Book};

fn tags<'a>(book: &'a mut Book, arn: &str) -> Result<&'a mut BTreeMap<String, String>, Fault> {
    let name = book.find(arn).map(|(name, _, _)| name.to_owned());
    let found = match name {
        Some(name) => book.machines.get_mut(&name).map(|m| &mut m.tags),
        None => book
            .activities
            .values_mut()
            .find(|a| a.arn == arn)
            .map(|a| &mut a.tags),
    };
    found.ok_or_else(|| refuse("ResourceNotFound", format!("Resource not found: '{arn}'")))
}

pub fn add(app: &App, body: &Value) -> JsonAnswer {
    let arn = need(body, "resourceArn")?;
    app.workflows.change(|book| {
        tags(book, arn)?.extend(read_tags(body));
        Ok::<_, Fault>(json!({}))
    })
}

pub fn remove(app: &App, body: &Value) -> JsonAnswer {
    let arn = need(body, "resourceArn")?;
    app.workflows.change(|book| {
        let tags = tags(book, arn)?;
        for key in body["tagKeys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            tags.remove(key);
        }
        Ok::<_, Fault>(json!({}))
    })
}

pub fn list(app: &App, body: &Value) -> JsonAnswer {
    let arn = need(body, "resourceArn")?;
    let mut copy = app.workflows.read(Book::clone);
    let shown: Vec<Value> = tags(&mut copy, arn)?
        .iter()
        .map(|(k, v)| json!({"key": k, "value": v}))
        .collect();
    Ok(json!({"tags": shown}))
}
