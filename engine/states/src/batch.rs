//! `ItemBatcher`: items in groups.

use serde_json::{Map, Value};

use crate::{definition::Batch, env::Env, limit, payload, trouble::Trouble};

/// How large a group may be, and what stands beside its items.
pub struct Limits {
    items: usize,
    bytes: usize,
    input: Option<Value>,
}

impl Batch {
    pub fn limits(&self, env: &Env<'_>) -> Result<Limits, Trouble> {
        let amount = |amount: &Option<crate::definition::Amount>| {
            let most = amount.as_ref().map(|a| a.whole(env)).transpose()?;
            Ok(usize::try_from(most.unwrap_or(u64::MAX)).unwrap_or(usize::MAX))
        };
        Ok(Limits {
            items: amount(&self.items)?.max(1),
            bytes: amount(&self.bytes)?.min(limit::PAYLOAD_BYTES),
            input: self.input.as_ref().map(|t| t.render(env)).transpose()?,
        })
    }
}

/// What each iteration gets.
pub fn group(items: Vec<Value>, limits: &Limits) -> Vec<Value> {
    let mut groups: Vec<Vec<Value>> = Vec::new();
    let mut size = 0;
    for item in items {
        let bytes = payload::bytes(&item) + 1;
        match groups.last_mut() {
            Some(group) if group.len() < limits.items && size + bytes <= limits.bytes => {
                size += bytes;
                group.push(item);
            }
            _ => {
                size = bytes;
                groups.push(vec![item]);
            }
        }
    }
    let whole = |items: Vec<Value>| {
        let mut out = Map::new();
        if let Some(input) = &limits.input {
            out.insert("BatchInput".to_owned(), input.clone());
        }
        out.insert("Items".to_owned(), Value::Array(items));
        Value::Object(out)
    };
    groups.into_iter().map(whole).collect()
}
