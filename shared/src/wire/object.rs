//! A JSON object given in place, or as its text: where a configuration's values are texts, and in JSON inside JSON.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

/// A JSON object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = match Value::deserialize(from)? {
            // The text is not repeated in the error: it may hold a secret.
            Value::String(text) => serde_json::from_str(&text)
                .map_err(|_| D::Error::custom("expected a JSON object, or its text"))?,
            value => value,
        };
        match value {
            Value::Object(map) => Ok(Self(map)),
            _ => Err(D::Error::custom("expected a JSON object, or its text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_taken_in_place_and_as_text() {
        for good in [json!({"a": [1]}), json!(r#" {"a": [1]} "#)] {
            let object: Object = serde_json::from_value(good).unwrap();
            assert_eq!(Value::from(object.0), json!({"a": [1]}));
        }
        for bad in [
            json!("planted"),
            json!("[]"),
            json!([]),
            json!(7),
            json!(null),
        ] {
            let error = serde_json::from_value::<Object>(bad).unwrap_err();
            assert_eq!(error.to_string(), "expected a JSON object, or its text");
        }
    }
}
