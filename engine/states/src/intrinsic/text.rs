//! What intrinsic functions and the functions added to JSONata share.

use md5::Md5;
use serde_json::{Number, Value};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::limit;

/// The hash of a text, in hexadecimal.
pub fn hash(data: &str, algorithm: &str) -> Result<String, String> {
    if data.chars().count() > limit::TEXT_ARGUMENT {
        return Err(format!(
            "The text is longer than {} characters.",
            limit::TEXT_ARGUMENT
        ));
    }
    Ok(match algorithm {
        "MD5" => hex::encode(Md5::digest(data)),
        "SHA-1" => hex::encode(Sha1::digest(data)),
        "SHA-256" => hex::encode(Sha256::digest(data)),
        "SHA-384" => hex::encode(Sha384::digest(data)),
        "SHA-512" => hex::encode(Sha512::digest(data)),
        other => {
            return Err(format!(
                "There is no algorithm {other}: MD5, SHA-1, SHA-256, SHA-384 or SHA-512."
            ));
        }
    })
}

/// The numbers from `first` to `last`, both in.
pub fn range(first: f64, last: f64, step: f64, most: usize) -> Result<Vec<f64>, String> {
    let (first, last, step) = (first.round(), last.round(), step.round());
    if step == 0.0 {
        return Err("The step must not be 0.".to_owned());
    }
    let mut numbers = Vec::new();
    let mut number = first;
    while if step > 0.0 {
        number <= last
    } else {
        number >= last
    } {
        if numbers.len() == most {
            return Err(format!("The range has more than {most} numbers."));
        }
        numbers.push(number);
        number += step;
    }
    Ok(numbers)
}

/// JSON of a number: without a fraction when it has none.
pub fn number(number: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be a whole number below 2^53"
        )]
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// Text as Java prints a JSON value that is no string: maps as `{a=1, b=[x]}`.
pub fn java(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(java).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(k, v)| format!("{k}={}", java(v)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}
