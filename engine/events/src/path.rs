//! JSON paths as EventBridge takes them in `InputPath` and `InputPathsMap`: names and indexes, no filters.

use std::str::FromStr;

use serde_json::Value;

/// A path from the whole event to a value in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Name(String),
    Index(usize),
    All,
}

/// A text that is no such path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON path of names and indexes")]
pub struct PathError;

impl FromStr for JsonPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut rest = text.strip_prefix('$').ok_or(PathError)?;
        let mut parts = Vec::new();
        while !rest.is_empty() {
            if let Some(dotted) = rest.strip_prefix('.') {
                let end = dotted.find(['.', '[']).unwrap_or(dotted.len());
                let (name, behind) = dotted.split_at(end);
                parts.push(match name {
                    "" => return Err(PathError),
                    "*" => Part::All,
                    name => Part::Name(name.to_owned()),
                });
                rest = behind;
                continue;
            }
            let inside = rest.strip_prefix('[').ok_or(PathError)?;
            let (part, behind) = match inside.chars().next() {
                Some(quote @ ('\'' | '"')) => {
                    let (name, behind) = inside[1..].split_once(quote).ok_or(PathError)?;
                    let behind = behind.strip_prefix(']').ok_or(PathError)?;
                    (Part::Name(name.to_owned()), behind)
                }
                _ => {
                    let (index, behind) = inside.split_once(']').ok_or(PathError)?;
                    let part = match index {
                        "*" => Part::All,
                        index => Part::Index(index.parse().map_err(|_| PathError)?),
                    };
                    (part, behind)
                }
            };
            parts.push(part);
            rest = behind;
        }
        Ok(Self(parts))
    }
}

impl JsonPath {
    /// The value there; a path with `*` gives the array of all. `None`: there is nothing.
    pub fn find(&self, value: &Value) -> Option<Value> {
        find(&self.0, value)
    }
}

fn find(parts: &[Part], value: &Value) -> Option<Value> {
    let Some((part, rest)) = parts.split_first() else {
        return Some(value.clone());
    };
    match part {
        Part::Name(name) => find(rest, value.get(name)?),
        Part::Index(index) => find(rest, value.get(index)?),
        Part::All => {
            let items: Vec<&Value> = match value {
                Value::Array(list) => list.iter().collect(),
                Value::Object(fields) => fields.values().collect(),
                _ => return None,
            };
            Some(
                items
                    .into_iter()
                    .filter_map(|item| find(rest, item))
                    .collect(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_find_their_values() {
        let event =
            json!({"detail": {"a-b": 1, "list": [{"n": "x"}, {"n": "y"}, {}], "d.t": null}});
        for (path, expected) in [
            ("$", Some(event.clone())),
            ("$.detail.a-b", Some(json!(1))),
            ("$.detail['a-b']", Some(json!(1))),
            ("$.detail[\"d.t\"]", Some(json!(null))),
            ("$.detail.list[1].n", Some(json!("y"))),
            ("$.detail.list[*].n", Some(json!(["x", "y"]))),
            ("$.detail.list[7].n", None),
            ("$.none", None),
        ] {
            assert_eq!(
                path.parse::<JsonPath>().unwrap().find(&event),
                expected,
                "{path}"
            );
        }
        for path in [
            "", "detail", "$detail", "$.", "$..a", "$.a[", "$.a[x]", "$.a['b'",
        ] {
            assert_eq!(path.parse::<JsonPath>(), Err(PathError), "{path}");
        }
    }
}
