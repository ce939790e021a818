//! Compares replies with what a case expects.

use std::collections::BTreeMap;

use serde_json::Value;

/// Words of an expectation that stand for more than themselves.
const ABSENT: &str = "<absent>";

/// The first place where a reply differs, if there is one; captures on the way. `whole`: no member beyond the named.
pub fn differs(
    wanted: &Value,
    got: &Value,
    whole: bool,
    known: &mut BTreeMap<String, Value>,
) -> Option<String> {
    compare("", wanted, got, whole, known)
}

fn compare(
    at: &str,
    wanted: &Value,
    got: &Value,
    whole: bool,
    known: &mut BTreeMap<String, Value>,
) -> Option<String> {
    let no = |what: String| Some(format!("at `{}`: {what}", at.trim_start_matches('.')));
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (name, value) in wanted {
                let at = format!("{at}.{name}");
                match (value.as_str(), found.get(name)) {
                    (Some(ABSENT), None) => {}
                    (Some(ABSENT), Some(it)) => return Some(format!("at `{at}`: {it} is there")),
                    (_, None) => return Some(format!("at `{at}`: absent")),
                    (_, Some(it)) => {
                        if let Some(problem) = compare(&at, value, it, whole, known) {
                            return Some(problem);
                        }
                    }
                }
            }
            let more = found
                .keys()
                .find(|name| whole && !wanted.contains_key(*name));
            more.and_then(|name| no(format!("`{name}` is there too")))
        }
        (Value::Array(wanted), Value::Array(found)) => {
            let open = wanted.last().is_some_and(|last| last == "…");
            let wanted = &wanted[..wanted.len() - usize::from(open)];
            if found.len() < wanted.len() || (!open && found.len() > wanted.len()) {
                return no(format!("{} items, not {}", found.len(), wanted.len()));
            }
            wanted
                .iter()
                .zip(found)
                .enumerate()
                .find_map(|(n, (wanted, found))| {
                    compare(&format!("{at}.{n}"), wanted, found, whole, known)
                })
        }
        (Value::String(text), _) => {
            if let Some(name) = text.strip_prefix('=') {
                known.insert(name.to_owned(), got.clone());
                return None;
            }
            if let Some((name, piece)) = within(text, got.as_str().unwrap_or_default()) {
                known.insert(name, piece.into());
                return None;
            }
            let fits = match text.as_str() {
                "<any>" => true,
                "<uuid>" => got.as_str().is_some_and(is_uuid),
                "<time>" => got.as_f64().is_some_and(|n| n > 1.0e9 && n < 1.0e11),
                text => got.as_str().is_some_and(|got| fits(text, got)),
            };
            if fits {
                None
            } else {
                no(format!("{got} is not {wanted}"))
            }
        }
        (wanted, got) if wanted == got => None,
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (wanted, got) => no(format!("{got} is not {wanted}")),
    }
}

/// `…before<=name>after…`: what stands between the two in a text, and its name.
fn within(wanted: &str, got: &str) -> Option<(String, String)> {
    let (before, rest) = wanted.strip_prefix('…')?.split_once("<=")?;
    let (name, after) = rest.strip_suffix('…')?.split_once('>')?;
    let (_, found) = got.split_once(before)?;
    let (piece, _) = found.split_once(after)?;
    Some((name.to_owned(), piece.to_owned()))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit() && !b.is_ascii_uppercase(),
        })
}

/// Whether a text fits one in which `…` stands for anything.
pub fn fits(wanted: &str, got: &str) -> bool {
    let mut pieces = wanted.split('…');
    let Some(mut rest) = pieces.next().and_then(|first| got.strip_prefix(first)) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    for (n, piece) in pieces.iter().enumerate() {
        if n + 1 == pieces.len() {
            return rest.ends_with(piece);
        }
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

/// `Exception: text` of a refusal as a case writes it: `PLACE must RULE` is a broken constraint.
pub fn refusal(written: &str) -> String {
    match written.split_once(" must ") {
        Some((place, rule)) if !place.contains(' ') => format!(
            "ValidationException: 1 validation error detected: Value…at '{place}' failed to satisfy constraint: Member must {rule}"
        ),
        _ => written.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_found_and_named() {
        for (wanted, got, whole, expected) in [
            (json!({"a": 1}), json!({"a": 1, "b": 2}), false, None),
            (
                json!({"a": 1}),
                json!({"a": 1, "b": 2}),
                true,
                Some("at ``: `b` is there too"),
            ),
            (
                json!({"a": {"b": "x"}}),
                json!({"a": {"b": "y"}}),
                false,
                Some("at `a.b`: \"y\" is not \"x\""),
            ),
            (
                json!({"a": "<absent>"}),
                json!({"a": 1}),
                false,
                Some("at `.a`: 1 is there"),
            ),
            (json!({"a": "<absent>"}), json!({}), true, None),
            (json!({"a": 1}), json!({}), false, Some("at `.a`: absent")),
            (
                json!([1]),
                json!([1, 2]),
                false,
                Some("at ``: 2 items, not 1"),
            ),
            (json!([1, "…"]), json!([1, 2]), false, None),
            (
                json!([2, "…"]),
                json!([1, 2]),
                false,
                Some("at `0`: 1 is not 2"),
            ),
            (
                json!("<uuid>"),
                json!("x"),
                false,
                Some("at ``: \"x\" is not \"<uuid>\""),
            ),
            (json!("a…c"), json!("abc"), false, None),
            (
                json!("a…c"),
                json!("abd"),
                false,
                Some("at ``: \"abd\" is not \"a…c\""),
            ),
        ] {
            let found = differs(&wanted, &got, whole, &mut BTreeMap::new());
            assert_eq!(found.as_deref(), expected, "{wanted} {got}");
        }
    }

    #[test]
    fn values_are_captured() {
        let mut known = BTreeMap::new();
        assert_eq!(
            differs(&json!({"a": "=x"}), &json!({"a": 7}), false, &mut known),
            None
        );
        assert_eq!(known["x"], 7);
        let wanted = json!("…k=<=y>&…");
        assert_eq!(
            differs(&wanted, &json!("a?k=8&l=9"), false, &mut known),
            None
        );
        assert_eq!(known["y"], "8");
    }
}
