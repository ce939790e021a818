//! What can go wrong inside a state, before it is an error with a name and a cause.

/// A failed evaluation; the machine adds the state and the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// `States.Runtime`
    Runtime(String),
    /// `States.QueryEvaluationError`, and the field.
    Query { cause: String, field: String },
    /// `States.IntrinsicFailure`
    Intrinsic(String),
    /// `States.ResultPathMatchFailure`
    ResultPath(String),
    /// `States.NoChoiceMatched`
    NoChoice,
    /// `States.DataLimitExceeded`, and of what.
    DataLimit(String),
    /// `States.ItemReaderFailed`
    ItemReader(String),
}

impl Trouble {
    /// The error's name.
    pub const fn error(&self) -> &'static str {
        match self {
            Self::Runtime(_) => "States.Runtime",
            Self::Query { .. } => "States.QueryEvaluationError",
            Self::Intrinsic(_) => "States.IntrinsicFailure",
            Self::ResultPath(_) => "States.ResultPathMatchFailure",
            Self::NoChoice => "States.NoChoiceMatched",
            Self::DataLimit(_) => "States.DataLimitExceeded",
            Self::ItemReader(_) => "States.ItemReaderFailed",
        }
    }

    /// The cause, in AWS's words.
    pub fn cause(&self, state: &str, event: u64) -> String {
        let text = match self {
            Self::DataLimit(of) => {
                return format!(
                    "The state/task '{of}' returned a result with a size exceeding the maximum number of bytes service \
                     limit."
                );
            }
            Self::ItemReader(cause) => return cause.clone(),
            Self::NoChoice => {
                return format!(
                    "An error occurred while executing the state '{state}' (entered at the event id #{event}). Failed \
                     to transition out of the state. The state does not point to a next state."
                );
            }
            Self::Runtime(text) | Self::Intrinsic(text) | Self::ResultPath(text) => text,
            Self::Query { cause, .. } => cause,
        };
        format!(
            "An error occurred while executing the state '{state}' (entered at the event id #{event}). {text}"
        )
    }
}
