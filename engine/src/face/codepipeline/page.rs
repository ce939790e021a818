//! Pages of long lists: the token names where the next page starts, so that new entries do not shift it.

use std::borrow::Cow;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use engine_plan::{refusal::Refusal, state::Execution};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Items of a page unless the request says less.
pub(super) const MOST: usize = 100;

/// Reads a token of the same operation; `None` starts at the first page.
pub(super) fn position<P: DeserializeOwned>(token: Option<&str>) -> Result<Option<P>, Refusal> {
    let Some(token) = token else { return Ok(None) };
    BASE64_URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok())
        .map(Some)
        .ok_or_else(invalid)
}

/// The refusal of a token that this operation did not give.
pub(super) fn invalid() -> Refusal {
    Refusal::new(
        "InvalidNextTokenException",
        "The next token was specified in an invalid format. Make sure that the next token you provided is the token returned by a previous call.",
    )
}

/// One page of what executions, newest first, hold: `items` gives it in the page's order, each with its position. `from`
/// is the position of the first item; positions fall.
pub(super) fn page_of<'a, P: Serialize + PartialOrd>(
    name: &str,
    executions: impl Iterator<Item = Result<(usize, Cow<'a, Execution>), Refusal>>,
    from: Option<&P>,
    items: impl Fn(usize, &Execution) -> Vec<(P, Value)>,
    size: Option<usize>,
) -> Result<Value, Refusal> {
    let size = size.unwrap_or(MOST);
    let mut list = Vec::new();
    for execution in executions {
        let (number, run) = execution?;
        let items = items(number, &run).into_iter();
        list.extend(items.filter(|(at, _)| from.is_none_or(|from| at <= from)));
        if list.len() > size {
            break;
        }
    }
    Ok(page(name, list.into_iter(), Some(size), MOST))
}

/// One page under `name`: at most `size` of the items, each with its position.
pub(super) fn page<P: Serialize>(
    name: &str,
    mut items: impl Iterator<Item = (P, Value)>,
    size: Option<usize>,
    most: usize,
) -> Value {
    let list: Vec<Value> = items
        .by_ref()
        .take(size.unwrap_or(most))
        .map(|(_, item)| item)
        .collect();
    let mut page = Map::new();
    page.insert(name.to_owned(), Value::Array(list));
    if let Some((next, _)) = items.next()
        && let Ok(json) = serde_json::to_vec(&next)
    {
        page.insert(
            "nextToken".to_owned(),
            Value::from(BASE64_URL_SAFE_NO_PAD.encode(json)),
        );
    }
    Value::Object(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_with_the_place_of_the_next() {
        let items = |from: u32| (from..5).map(|n| (n, Value::from(n)));
        let first = page("list", items(0), Some(3), 100);
        assert_eq!(first["list"], serde_json::json!([0, 1, 2]));
        let next: Option<u32> = position(first["nextToken"].as_str()).unwrap();
        assert_eq!(next, Some(3));
        let last = page("list", items(3), None, 100);
        assert_eq!(last, serde_json::json!({"list": [3, 4]}));
        let broken = position::<u32>(Some("%%%")).unwrap_err();
        assert_eq!(broken.exception, "InvalidNextTokenException");
    }
}
