//! The continuation token: versioned JSON that carries an action's progress from one job to the next.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::wire::{ShapeError, from_text};

/// `ContinuationToken` in AWS's model: 1 to 2,048 characters.
pub const MAX_TOKEN: usize = 2048;

const VERSION: u64 = 1;

/// What the loop itself remembers between the jobs of one action run.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticket {
    /// The same through all continuations: the first job's id.
    pub run_key: String,
    /// When the action was first asked.
    pub started_at: Timestamp,
    /// How many steps in a row were cut off.
    pub cut_offs: u32,
    /// The action's progress, untyped; `None` before the first step ended, and while it is filed.
    pub progress: Option<Value>,
    /// The ledger's item that holds the progress, when it is too large for a token.
    pub filed: Option<String>,
    /// Whether the run is noted for a stop.
    pub noted: bool,
}

/// Why a text is no token of ours, or a ticket makes none. Never holds the token, which is the action's own business.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not JSON of our shape.
    #[error("the continuation token was not written by this function")]
    Foreign(#[source] ShapeError),
    /// Of another version of this software.
    #[error("the continuation token has version {version}, this function reads version 1")]
    Version {
        /// Its version.
        version: u64,
    },
    /// The progress does not fit.
    #[error(
        "the action's progress makes a continuation token of {size} characters, CodePipeline takes 2048"
    )]
    TooLong {
        /// Characters it would have.
        size: usize,
    },
}

impl Ticket {
    /// The ticket of a run that nobody has stepped yet.
    pub fn first(run_key: String, now: Timestamp) -> Self {
        Self {
            run_key,
            started_at: now,
            cut_offs: 0,
            progress: None,
            filed: None,
            noted: false,
        }
    }

    /// As JSON of any size, for hosts without a limit of their own.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self.wire()).expect("a map with text keys is JSON")
    }

    /// Reads what [`Ticket::to_value`] made.
    pub fn from_value(value: Value) -> Result<Self, TokenError> {
        Self::decode(&value.to_string())
    }

    fn wire(&self) -> Wire {
        Wire {
            v: VERSION,
            k: self.run_key.clone(),
            s: self.started_at,
            o: self.cut_offs,
            f: self.filed.clone(),
            n: self.noted,
            p: self.progress.clone(),
        }
    }

    /// The text for CodePipeline.
    pub fn encode(&self) -> Result<String, TokenError> {
        let text = serde_json::to_string(&self.wire()).expect("a map with text keys is JSON");
        match super::limit::length(&text) {
            size if size > MAX_TOKEN => Err(TokenError::TooLong { size }),
            _ => Ok(text),
        }
    }

    /// Reads a token.
    pub fn decode(text: &str) -> Result<Self, TokenError> {
        let Version { v: version } = from_text(text).map_err(TokenError::Foreign)?;
        if version != VERSION {
            return Err(TokenError::Version { version });
        }
        let wire: Wire = from_text(text).map_err(TokenError::Foreign)?;
        Ok(Self {
            run_key: wire.k,
            started_at: wire.s,
            cut_offs: wire.o,
            progress: wire.p,
            filed: wire.f,
            noted: wire.n,
        })
    }
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u64,
    k: String,
    s: Timestamp,
    #[serde(default, skip_serializing_if = "is_zero")]
    o: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    n: bool,
    // Absent is "no progress"; null is the progress of an action whose progress is `()`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    p: Option<Value>,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared_testkit::proptest::prelude::*;

    use super::*;

    fn progress() -> impl Strategy<Value = Option<Value>> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        prop::option::of(value)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_token_comes_back_as_it_went(
            run_key in "[0-9a-f-]{1,64}",
            nanos in 0..4_000_000_000_000_000_000_i128,
            cut_offs in any::<u32>(),
            progress in progress(),
            filed in prop::option::of("[0-9a-f]{32}"),
            noted in any::<bool>(),
        ) {
            let started_at = Timestamp::from_nanosecond(nanos).expect("in range");
            let ticket = Ticket { run_key, started_at, cut_offs, progress, filed, noted };
            match ticket.encode() {
                Ok(text) => {
                    prop_assert!(text.chars().count() <= MAX_TOKEN);
                    prop_assert_eq!(Ticket::decode(&text), Ok(ticket));
                }
                Err(error) => {
                    let too_long = matches!(error, TokenError::TooLong { size } if size > MAX_TOKEN);
                    prop_assert!(too_long, "{}", error);
                }
            }
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,200}") {
            prop_assert!(Ticket::decode(&text).is_err());
        }
    }

    #[test]
    fn the_format_stays() {
        let ticket = Ticket {
            run_key: "11111111-abcd".to_owned(),
            started_at: Timestamp::UNIX_EPOCH,
            cut_offs: 0,
            progress: Some(json!({"tries": 2})),
            filed: None,
            noted: false,
        };
        let text = r#"{"v":1,"k":"11111111-abcd","s":"1970-01-01T00:00:00Z","p":{"tries":2}}"#;
        assert_eq!(ticket.encode().as_deref(), Ok(text));
    }

    #[test]
    fn floats_do_not_drift() {
        // Found by the property test: without float_roundtrip it came back as …777e299.
        let ticket = Ticket {
            run_key: "0".to_owned(),
            started_at: Timestamp::UNIX_EPOCH,
            cut_offs: 0,
            progress: Some(json!(-9.658642297021776e299)),
            filed: None,
            noted: false,
        };
        let text = ticket.encode().expect("a token");
        assert_eq!(Ticket::decode(&text), Ok(ticket));
    }

    #[test]
    fn foreign_tokens_are_named() {
        let cases = [
            (
                "",
                "the continuation token was not written by this function",
            ),
            (
                "job-17",
                "the continuation token was not written by this function",
            ),
            (
                r#"{"previous_job_id":"1"}"#,
                "the continuation token was not written by this function",
            ),
            (
                r#"{"v":1,"k":"x"}"#,
                "the continuation token was not written by this function",
            ),
            (
                r#"{"v":2,"k":"x","z":1}"#,
                "the continuation token has version 2, this function reads version 1",
            ),
        ];
        for (text, expected) in cases {
            let error = Ticket::decode(text).expect_err(text).to_string();
            assert_eq!(error, expected, "{text}");
        }
    }
}
