//! The functions a path may end with.

use serde_json::{Number, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Length,
    Min,
    Max,
    Sum,
    Average,
    Keys,
    First,
    Last,
}

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "length" | "size" => Self::Length,
            "min" => Self::Min,
            "max" => Self::Max,
            "sum" => Self::Sum,
            "avg" => Self::Average,
            "keys" => Self::Keys,
            "first" => Self::First,
            "last" => Self::Last,
            _ => return None,
        })
    }

    /// The function's value, or `None` for a value it does not take.
    pub(super) fn apply(self, value: &Value) -> Option<Value> {
        let numbers = || -> Option<Vec<f64>> {
            let all: Vec<f64> = value.as_array()?.iter().filter_map(Value::as_f64).collect();
            (!all.is_empty()).then_some(all)
        };
        match self {
            Self::Length => match value {
                Value::Array(items) => Some(items.len().into()),
                Value::Object(fields) => Some(fields.len().into()),
                Value::String(text) => Some(text.chars().count().into()),
                _ => None,
            },
            Self::Keys => Some(value.as_object()?.keys().cloned().collect()),
            Self::First => value.as_array()?.first().cloned(),
            Self::Last => value.as_array()?.last().cloned(),
            Self::Min => real(numbers()?.into_iter().fold(f64::INFINITY, f64::min)),
            Self::Max => real(numbers()?.into_iter().fold(f64::NEG_INFINITY, f64::max)),
            Self::Sum => real(numbers()?.iter().sum()),
            Self::Average => {
                let all = numbers()?;
                #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 items")]
                real(all.iter().sum::<f64>() / all.len() as f64)
            }
        }
    }
}

fn real(number: f64) -> Option<Value> {
    Number::from_f64(number).map(Value::Number)
}
