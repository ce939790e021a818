//! How large a payload is.

use std::io::{self, Write};

use serde_json::Value;

use crate::{limit, trouble::Trouble};

/// Refuses a payload that is larger or deeper than a state may give.
pub fn check(value: &Value, of: &str) -> Result<(), Trouble> {
    if !shallow(value, limit::PAYLOAD_DEPTH) {
        return Err(Trouble::Runtime(format!(
            "The payload is nested deeper than {} levels.",
            limit::PAYLOAD_DEPTH
        )));
    }
    if bytes(value) > limit::PAYLOAD_BYTES {
        return Err(Trouble::DataLimit(of.to_owned()));
    }
    Ok(())
}

fn shallow(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left > 0 && items.iter().all(|v| shallow(v, left - 1)),
        Value::Object(fields) => left > 0 && fields.values().all(|v| shallow(v, left - 1)),
        _ => true,
    }
}

/// Bytes of the value as JSON text without blanks.
pub fn bytes(value: &Value) -> usize {
    struct Count(usize);
    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    match value {
        Value::Object(fields) if fields.is_empty() => 2,
        Value::Bool(_) | Value::Null | Value::Number(_) => 5,
        _ => {
            let mut count = Count(0);
            match serde_json::to_writer(&mut count, value) {
                Ok(()) => count.0,
                Err(_) => usize::MAX,
            }
        }
    }
}
