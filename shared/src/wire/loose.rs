//! Typed values out of a custom action's configuration, where every value is a text.
//!
//! The type that is read decides what a text means: a number or a boolean is parsed; a list, map or structure is JSON
//! text; an enum is its variant's name, or JSON text; an absent optional value may also be an empty text; a text stays
//! as it is. A type that takes anything gets the text.

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, Error as _, IntoDeserializer, Unexpected, Visitor,
        value::{MapDeserializer, StringDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::{Error, Map, Value};

use super::{ShapeError, shape_error};

/// Reads a flat configuration. Values that are no texts are read as the JSON they are.
pub fn from_flat<V: DeserializeOwned>(flat: Map<String, Value>) -> Result<V, ShapeError> {
    let entries = flat.into_iter().map(|(name, value)| (name, Loose(value)));
    serde_path_to_error::deserialize(MapDeserializer::new(entries)).map_err(shape_error)
}

struct Loose(Value);

impl IntoDeserializer<'_, Error> for Loose {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl Loose {
    /// The JSON value that is meant where only a list, map or structure can be.
    fn nested<'de, V: Visitor<'de>>(self, visitor: &V) -> Result<Value, Error> {
        match self.0 {
            Value::String(text) => serde_json::from_str(&text).map_err(|_| {
                let wanted: &dyn serde::de::Expected = visitor;
                Error::custom(format_args!("expected {wanted}, written as JSON text"))
            }),
            value => Ok(value),
        }
    }

    fn wrong<'de, V: Visitor<'de>>(visitor: &V) -> Error {
        Error::invalid_type(Unexpected::Other("another text"), visitor)
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0 {
                Value::String(text) => match text.trim().parse::<$type>() {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => Err(Self::wrong(&visitor)),
                },
                value => value.$method(visitor),
            }
        }
    )*};
}

macro_rules! nested {
    ($($method:ident($($name:ident: $type:ty),*),)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, Error> {
            self.nested(&visitor)?.$method($($name,)* visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Loose {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }

    numbers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_f32 visit_f32 f32,
        deserialize_f64 visit_f64 f64,
        deserialize_bool visit_bool bool,
    }

    nested! {
        deserialize_seq(),
        deserialize_map(),
        deserialize_tuple(len: usize),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_struct(name: &'static str, fields: &'static [&'static str]),
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0 {
            Value::Null => visitor.visit_none(),
            Value::String(text) if text.is_empty() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(text) if text.trim_start().starts_with('{') => Self(text.into())
                .nested(&visitor)?
                .deserialize_enum(name, variants, visitor),
            Value::String(text) => {
                let text: StringDeserializer<Error> = text.into_deserializer();
                text.deserialize_enum(name, variants, visitor)
            }
            value => value.deserialize_enum(name, variants, visitor),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Sample {
        text: String,
        count: u16,
        #[serde(default)]
        ratio: f64,
        #[serde(default)]
        strict: bool,
        #[serde(default)]
        list: Vec<u8>,
        #[serde(default)]
        map: BTreeMap<String, String>,
        mode: Option<Mode>,
        name: Option<Name>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Fast,
        Limit { most: u8 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(try_from = "String")]
    struct Name(String);
    impl TryFrom<String> for Name {
        type Error = &'static str;
        fn try_from(text: String) -> Result<Self, Self::Error> {
            match text.as_str() {
                "bad" => Err("name is bad"),
                _ => Ok(Self(text)),
            }
        }
    }

    fn read(more: Value) -> Result<Sample, String> {
        let mut flat = Map::from_iter([
            ("text".to_owned(), json!("8")),
            ("count".to_owned(), json!("8")),
        ]);
        flat.extend(more.as_object().cloned().into_iter().flatten());
        from_flat(flat).map_err(|error| error.to_string())
    }

    #[test]
    fn the_type_decides_what_a_text_means() {
        let all = read(json!({
            "ratio": "0.5", "strict": "true", "list": "[1, 2]", "map": r#"{"*.css": "max-age=60"}"#,
            "mode": "fast", "name": "7"
        }))
        .unwrap();
        assert_eq!((all.text.as_str(), all.count, all.ratio), ("8", 8, 0.5));
        assert!(all.strict);
        assert_eq!(all.list, [1, 2]);
        assert_eq!(all.map["*.css"], "max-age=60");
        assert_eq!(
            (all.mode, all.name),
            (Some(Mode::Fast), Some(Name("7".to_owned())))
        );

        let limit = read(json!({"mode": r#"{"limit": {"most": 3}}"#})).unwrap();
        assert_eq!(limit.mode, Some(Mode::Limit { most: 3 }));
        assert_eq!(read(json!({"mode": "", "name": ""})).unwrap().mode, None);
        assert_eq!(read(json!({"count": 9, "list": [3]})).unwrap().count, 9);
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        for (more, expected) in [
            (json!({"count": "planted"}), "at count: expected u16"),
            (json!({"count": "70000"}), "at count: expected u16"),
            (json!({"strict": "yes"}), "at strict: expected a boolean"),
            (
                json!({"list": "planted"}),
                "at list: expected a sequence, written as JSON text",
            ),
            (
                json!({"list": "[1, \"planted\"]"}),
                "at list[1]: expected u8",
            ),
            (
                json!({"mode": "planted"}),
                "at mode: expected `fast` or `limit`",
            ),
            (json!({"name": "bad"}), "at name: name is bad"),
            (
                json!({"other": "x"}),
                "at other: unknown field `other`, expected one of `text`, `count`, `ratio`, `strict`, `list`, `map`, `mode`, `name`",
            ),
        ] {
            assert_eq!(read(more), Err(expected.to_owned()));
        }
    }
}
