//! Pages of lists sorted by name: the token is the name that the next page begins with.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::face::Fault;

/// What a page holds at most, when the request does not say (EventBridge's limit).
const MOST: usize = 100;

/// The members of a request for a page.
pub(super) struct Page<'a> {
    /// `Limit`.
    pub limit: Option<usize>,
    /// `NextToken`.
    pub token: Option<&'a str>,
}

/// One page under `member` of items that come sorted by their names.
pub(super) fn page<'i>(
    member: &str,
    wanted: &Page<'_>,
    items: impl Iterator<Item = (&'i str, Value)>,
) -> Result<Value, Fault> {
    let from = wanted.token.map(name).transpose()?.unwrap_or_default();
    let mut items = items.skip_while(|(name, _)| **name < *from);
    let list: Vec<Value> = items
        .by_ref()
        .take(wanted.limit.unwrap_or(MOST))
        .map(|(_, item)| item)
        .collect();
    let mut answer = Map::new();
    answer.insert(member.to_owned(), Value::Array(list));
    if let Some((next, _)) = items.next() {
        let token = BASE64_URL_SAFE_NO_PAD.encode(next);
        answer.insert("NextToken".to_owned(), Value::from(token));
    }
    Ok(Value::Object(answer))
}

fn name(token: &str) -> Result<String, Fault> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    decoded
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| {
            Fault::new(
                400,
                "ValidationException",
                "Parameter NextToken is not valid.",
            )
        })
}
