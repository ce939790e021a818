//! Which state machine is run and with what, parsed and checked.

use std::{fmt, str::FromStr, time::Duration};

use serde::Deserialize;
use serde_json::Value;
use shared::wire::object::Object;

/// Checked parameters.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Params {
    /// The machine, or a version or alias of it.
    pub machine: MachineArn,
    /// What it gets.
    pub input: Input,
    /// Stands before the run's own part of the execution's name.
    pub prefix: Option<String>,
    /// How long the execution may take, counted from the start of the action.
    pub patience: Duration,
}

/// `arn:PARTITION:states:REGION:ACCOUNT:stateMachine:NAME`, perhaps with `:VERSION` or `:ALIAS`.
#[derive(Clone, PartialEq, Eq)]
pub struct MachineArn(String);

/// What an execution gets. Its `Debug` text does not show it.
#[derive(Clone, PartialEq)]
pub enum Input {
    /// This JSON.
    Literal(Value),
    /// A file of an input artifact: the first, or the one named.
    File {
        /// Which artifact.
        artifact: Option<String>,
        /// Which file.
        path: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    state_machine_arn: String,
    input: Option<Object>,
    input_file: Option<String>,
    execution_name_prefix: Option<String>,
    #[serde(default = "default_patience")]
    timeout_minutes: u64,
}

const fn default_patience() -> u64 {
    60
}

/// CodePipeline ends a job's continuations after 24 hours.
pub const LONGEST_PATIENCE: u64 = 24 * 60;
/// A name has 80 characters; a run's id has 36, and a dash stands between.
pub const LONGEST_PREFIX: usize = 43;
/// `input` of `StartExecution`, in bytes.
pub const LONGEST_INPUT: usize = 262_144;

/// Why parameters were refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// No state machine.
    #[error(
        "stateMachineArn must be written arn:aws:states:REGION:ACCOUNT:stateMachine:NAME, perhaps with a version or an alias"
    )]
    Machine,
    /// An Express execution, by its ARN.
    #[error("stateMachineArn is that of an execution: give the state machine's")]
    Execution,
    /// Two inputs.
    #[error("input and inputFile are both given: choose one")]
    TwoInputs,
    /// An input that is too large.
    #[error("input has {size} bytes; Step Functions takes {LONGEST_INPUT}")]
    Input {
        /// Its size.
        size: usize,
    },
    /// No path.
    #[error(
        "inputFile must be written PATH or ARTIFACT::PATH, with a plain path inside the artifact"
    )]
    File,
    /// No prefix.
    #[error(
        "executionNamePrefix must be 1 to {LONGEST_PREFIX} characters of A-Z, a-z, 0-9, - and _"
    )]
    Prefix,
    /// Too long, or nothing.
    #[error("timeoutMinutes must be from 1 to {LONGEST_PATIENCE}")]
    Patience,
}

impl TryFrom<Raw> for Params {
    type Error = ParamsError;

    fn try_from(raw: Raw) -> Result<Self, ParamsError> {
        if !(1..=LONGEST_PATIENCE).contains(&raw.timeout_minutes) {
            return Err(ParamsError::Patience);
        }
        let plain = |prefix: &String| {
            (1..=LONGEST_PREFIX).contains(&prefix.len()) && prefix.chars().all(is_plain)
        };
        if raw
            .execution_name_prefix
            .as_ref()
            .is_some_and(|prefix| !plain(prefix))
        {
            return Err(ParamsError::Prefix);
        }
        let input = match (raw.input, raw.input_file) {
            (Some(_), Some(_)) => return Err(ParamsError::TwoInputs),
            (None, Some(text)) => file(&text)?,
            (input, None) => Input::Literal(Value::from(input.unwrap_or_default().0)),
        };
        if let Input::Literal(value) = &input {
            let size = value.to_string().len();
            if size > LONGEST_INPUT {
                return Err(ParamsError::Input { size });
            }
        }
        Ok(Self {
            machine: raw.state_machine_arn.parse()?,
            input,
            prefix: raw.execution_name_prefix,
            patience: Duration::from_secs(raw.timeout_minutes * 60),
        })
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn file(text: &str) -> Result<Input, ParamsError> {
    let (artifact, path) = match text.split_once("::") {
        Some((artifact, path)) => (Some(artifact.to_owned()), path),
        None => (None, text),
    };
    let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !plain || artifact.as_deref() == Some("") {
        return Err(ParamsError::File);
    }
    Ok(Input::File {
        artifact,
        path: path.to_owned(),
    })
}

impl FromStr for MachineArn {
    type Err = ParamsError;

    fn from_str(text: &str) -> Result<Self, ParamsError> {
        let parts: Vec<&str> = text.split(':').collect();
        let printable = text.len() <= 256 && text.chars().all(|c| c.is_ascii_graphic());
        let filled = parts.iter().all(|part| !part.is_empty());
        match parts[..] {
            ["arn", _, "states", _, _, "stateMachine", _]
            | ["arn", _, "states", _, _, "stateMachine", _, _]
                if printable && filled =>
            {
                Ok(Self(text.to_owned()))
            }
            ["arn", _, "states", _, _, "execution" | "express", ..] => Err(ParamsError::Execution),
            _ => Err(ParamsError::Machine),
        }
    }
}

impl MachineArn {
    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn part(&self, index: usize) -> &str {
        self.0.split(':').nth(index).unwrap_or_default()
    }

    /// The machine's name.
    pub fn name(&self) -> &str {
        self.part(6)
    }

    /// The machine's region.
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// The ARN of an execution of this name. That of a version or an alias is named after its machine.
    pub fn execution(&self, name: &str) -> String {
        let (partition, region, account) = (self.part(1), self.part(3), self.part(4));
        let machine = self.name();
        format!("arn:{partition}:states:{region}:{account}:execution:{machine}:{name}")
    }
}

impl fmt::Debug for MachineArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str("Literal"),
            Self::File { path, .. } => write!(f, "File({path})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:release";

    fn read(value: Value) -> Result<Params, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn an_input_is_an_object_its_text_or_a_file() {
        let input = |more: Value| {
            let mut all = json!({ "stateMachineArn": ARN });
            for (name, value) in more.as_object().into_iter().flatten() {
                all[name] = value.clone();
            }
            read(all).unwrap().input
        };
        let literal = Input::Literal(json!({"a": 1}));
        assert_eq!(input(json!({"input": {"a": 1}})), literal);
        assert_eq!(input(json!({"input": "{\"a\": 1}"})), literal);
        assert_eq!(input(json!({})), Input::Literal(json!({})));
        let file = Input::File {
            artifact: Some("Built".into()),
            path: "a/in.json".into(),
        };
        assert_eq!(input(json!({"inputFile": "Built::a/in.json"})), file);
    }

    #[test]
    fn an_execution_of_a_version_is_named_after_its_machine() {
        for arn in [ARN.to_owned(), format!("{ARN}:7"), format!("{ARN}:live")] {
            let arn: MachineArn = arn.parse().unwrap();
            let execution = "arn:aws:states:eu-west-1:123456789012:execution:release:x";
            assert_eq!(arn.execution("x"), execution);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |name: &str, value: Value| {
            let mut all = json!({ "stateMachineArn": ARN });
            all[name] = value;
            all
        };
        let machine = "stateMachineArn must be written arn:aws:states";
        let large = "x".repeat(LONGEST_INPUT);
        for (value, want) in [
            (json!({}), "missing field `stateMachineArn`"),
            (json!({"stateMachineArn": 7}), "expected a string"),
            (json!({"stateMachineArn": "release"}), machine),
            (
                json!({"stateMachineArn": "arn:aws:states:::stateMachine:m"}),
                machine,
            ),
            (
                json!({"stateMachineArn": format!("{ARN}{}", "x".repeat(256))}),
                machine,
            ),
            (json!({"stateMachineArn": format!("{ARN}:1:2")}), machine),
            (
                json!({"stateMachineArn": "arn:aws:states:r:1:express:m:a:b"}),
                "is that of an execution",
            ),
            (
                with("input", json!("planted")),
                "expected a JSON object, or its text",
            ),
            (with("input", json!([1])), "expected a JSON object"),
            (
                with("input", json!({ "a": large })),
                "bytes; Step Functions takes 262144",
            ),
            (
                with("inputFile", json!("../a")),
                "inputFile must be written PATH",
            ),
            (
                with("inputFile", json!("::a")),
                "inputFile must be written PATH",
            ),
            (
                with("executionNamePrefix", json!("a b")),
                "executionNamePrefix must be 1 to 43",
            ),
            (
                with("executionNamePrefix", json!("x".repeat(44))),
                "executionNamePrefix must be",
            ),
            (
                with("timeoutMinutes", json!(0)),
                "timeoutMinutes must be from 1 to 1440",
            ),
            (with("planted", json!(1)), "unknown field `planted`"),
            (
                json!({"stateMachineArn": ARN, "input": {}, "inputFile": "a"}),
                "input and inputFile are both given",
            ),
        ] {
            let error = read(value).unwrap_err();
            assert!(error.contains(want), "{want}: {error}");
        }
    }
}
