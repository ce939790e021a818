//! JSON exactly as AWS sends it, one file per source, and its way into domain types.

use serde::de::DeserializeOwned;

pub mod approval_mail;
pub mod approval_message;
pub mod approval_task;
pub mod eventbridge;
pub mod job_event;
pub mod loose;
pub mod object;
pub mod sns;
pub mod task;

/// Why a JSON text or value has not the expected shape. Names the place and what was expected there, never a value:
/// values may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", place(at))]
pub struct ShapeError {
    /// Where, as `data.inputArtifacts[0].name`; `.` for the whole.
    pub at: String,
    /// What is wrong there.
    pub problem: String,
}

/// Reads a value that is already parsed.
pub fn from_value<V: DeserializeOwned>(value: serde_json::Value) -> Result<V, ShapeError> {
    serde_path_to_error::deserialize(value).map_err(shape_error)
}

/// Reads a JSON text; the whole text must be one value.
pub fn from_text<V: DeserializeOwned>(text: &str) -> Result<V, ShapeError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(shape_error)?;
    reader.end().map_err(|error| ShapeError {
        at: ".".to_owned(),
        problem: error.to_string(),
    })?;
    Ok(value)
}

fn shape_error(error: serde_path_to_error::Error<serde_json::Error>) -> ShapeError {
    let at = error.path().to_string();
    let inner = error.into_inner();
    let text = inner.to_string();
    // Some quote the value they met: `invalid type: string "…", expected u64`. Keep what was expected.
    let quotes = text.starts_with("invalid ") || text.starts_with("unknown variant ");
    let problem = match (quotes, text.rsplit_once(", expected ")) {
        (true, Some((_, expected))) => format!("expected {expected}"),
        (true, None) => "has a value that is not allowed".to_owned(),
        _ => text,
    };
    ShapeError { at, problem }
}

fn place(at: &str) -> String {
    if at == "." {
        String::new()
    } else {
        format!("at {at}: ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its type matters here")]
        times: Vec<u8>,
        #[expect(dead_code, reason = "only its type matters here")]
        #[serde(default)]
        mode: Option<Mode>,
    }

    #[derive(Debug, serde::Deserialize)]
    enum Mode {
        Fast,
        Slow,
    }

    #[test]
    fn errors_name_the_place_and_never_a_value() {
        let cases = [
            (
                r#"{"times": "planted"}"#,
                "at times: expected a sequence at line 1 column 19",
            ),
            (
                r#"{"times": [1, "planted"]}"#,
                "at times[1]: expected u8 at line 1 column 23",
            ),
            (
                r#"{"times": [999]}"#,
                "at times[0]: expected u8 at line 1 column 14",
            ),
            (
                r#"{"time": 1}"#,
                "at time: unknown field `time`, expected `times` or `mode` at line 1 column 7",
            ),
            (
                r#"{"times": [], "mode": "planted"}"#,
                "at mode: expected `Fast` or `Slow` at line 1 column 31",
            ),
            (r#"{}"#, "missing field `times` at line 1 column 2"),
            (
                r#"{"times": []} x"#,
                "trailing characters at line 1 column 15",
            ),
            ("planted", "expected value at line 1 column 1"),
        ];
        for (text, expected) in cases {
            let error = from_text::<Sample>(text).expect_err(text).to_string();
            assert_eq!(error, expected, "{text}");
        }
    }
}
