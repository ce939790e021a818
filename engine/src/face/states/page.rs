//! Lists in pages: the token is the place to go on from.

use serde_json::{Value, json};

use super::{Fault, refuse};

/// One page of `items` under `key`; at most 1,000 at once, 100 when `maxResults` says nothing.
pub fn page(body: &Value, key: &str, items: Vec<Value>) -> Result<Value, Fault> {
    let most = match body["maxResults"].as_u64() {
        None | Some(0) => 100,
        Some(n) => usize::try_from(n.min(1_000)).unwrap_or(1_000),
    };
    let from: usize = match body["nextToken"].as_str() {
        None => 0,
        Some(token) => token
            .strip_prefix("at-")
            .and_then(|n| n.parse().ok())
            .ok_or_else(|| refuse("InvalidToken", "Invalid Token: 'Invalid token'"))?,
    };
    let total = items.len();
    let shown: Vec<Value> = items.into_iter().skip(from).take(most).collect();
    let mut answer = json!({key: shown});
    if from + most < total {
        answer["nextToken"] = format!("at-{}", from + most).into();
    }
    Ok(answer)
}
