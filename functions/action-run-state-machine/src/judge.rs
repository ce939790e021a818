//! What an execution means, and what of its output later actions get.

use std::collections::BTreeMap;

use serde_json::Value;
use shared::{
    fault::{Fault, FaultKind},
    port::Execution,
};

/// What an execution means.
#[derive(Debug)]
pub enum Verdict {
    /// It runs, or is about to run on.
    Going(String),
    /// It succeeded.
    Good,
    /// It ended otherwise.
    Bad(Fault),
}

/// Of a failure message's 5,000 characters, for the cause.
const LONGEST_CAUSE: usize = 3_000;
/// A text longer than this is no output variable.
const LONGEST_VARIABLE: usize = 4_000;
/// Bytes of an output's variables; CodePipeline takes 122,880 of all.
const MOST_VARIABLES: usize = 100_000;

/// Judges an execution; `what` names it, as `the execution x of release`.
pub fn judge(what: &str, execution: &Execution) -> Verdict {
    let bad = |kind, how: &str| {
        let why = why(execution);
        Verdict::Bad(Fault::new(kind, format!("{what} {how}{why}")))
    };
    match execution.status.as_str() {
        "SUCCEEDED" => Verdict::Good,
        "FAILED" => bad(FaultKind::Failed, "failed"),
        "TIMED_OUT" => bad(FaultKind::TimedOut, "ran out of its own time"),
        "ABORTED" => bad(FaultKind::Failed, "was aborted"),
        // RUNNING, PENDING_REDRIVE, and what a later API may add.
        status => Verdict::Going(format!("{what} is {status}")),
    }
}

/// `: ERROR: cause`. A failed function's cause is JSON: its message is what people want.
fn why(execution: &Execution) -> String {
    let cause = execution.cause.as_deref().unwrap_or_default().trim();
    let parsed = serde_json::from_str::<Value>(cause).ok();
    let message = parsed
        .as_ref()
        .and_then(|value| value["errorMessage"].as_str());
    let cause: String = message
        .unwrap_or(cause)
        .chars()
        .take(LONGEST_CAUSE)
        .collect();
    let error = execution.error.as_deref().unwrap_or_default();
    match (error.is_empty(), cause.is_empty()) {
        (true, true) => " without saying why".to_owned(),
        (false, true) => format!(": {error}"),
        (true, false) => format!(": {cause}"),
        (false, false) => format!(": {error}: {cause}"),
    }
}

/// Texts, numbers and booleans of an output that is an object, by name, and how many members were left out because they
/// are something else, have a name that is no variable's, or are too large.
pub fn variables(output: Option<&Value>) -> (BTreeMap<String, String>, usize) {
    let (mut all, mut left_out, mut size) = (BTreeMap::new(), 0, 0);
    let allowed = |c: char| c.is_ascii_alphanumeric() || "@_-".contains(c);
    for (name, value) in output.and_then(Value::as_object).into_iter().flatten() {
        let text = match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            _ => None,
        };
        let plain = !name.is_empty() && name.chars().all(allowed);
        match text.filter(|text| plain && text.len() <= LONGEST_VARIABLE) {
            Some(text) if size + name.len() + text.len() <= MOST_VARIABLES => {
                size += name.len() + text.len();
                all.insert(name.clone(), text);
            }
            _ => left_out += 1,
        }
    }
    (all, left_out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_end_is_told_with_error_and_cause() {
        let ended = |status: &str, error: Option<&str>, cause: Option<&str>| Execution {
            status: status.into(),
            error: error.map(str::to_owned),
            cause: cause.map(str::to_owned),
            ..Execution::default()
        };
        let lambda = r#"{"errorMessage":"no rows","errorType":"E","trace":["planted"]}"#;
        for (execution, kind, want) in [
            (
                ended("FAILED", Some("E"), Some("c")),
                FaultKind::Failed,
                "x failed: E: c",
            ),
            (
                ended("FAILED", Some("E"), Some(lambda)),
                FaultKind::Failed,
                "x failed: E: no rows",
            ),
            (
                ended("FAILED", None, None),
                FaultKind::Failed,
                "x failed without saying why",
            ),
            (
                ended("ABORTED", None, Some("c")),
                FaultKind::Failed,
                "x was aborted: c",
            ),
            (
                ended("TIMED_OUT", Some("States.Timeout"), None),
                FaultKind::TimedOut,
                "x ran out of its own time: States.Timeout",
            ),
        ] {
            let Verdict::Bad(fault) = judge("x", &execution) else {
                unreachable!("{want}");
            };
            assert_eq!((fault.kind, fault.public.as_str()), (kind, want));
        }
        let long = "c".repeat(32_768);
        let Verdict::Bad(fault) = judge("x", &ended("FAILED", None, Some(&long))) else {
            unreachable!("it failed");
        };
        assert!(fault.public.len() < 3_100);
        for status in ["RUNNING", "PENDING_REDRIVE", "DREAMING"] {
            let verdict = judge("x", &ended(status, None, None));
            assert!(matches!(verdict, Verdict::Going(_)), "{status}");
        }
    }

    #[test]
    fn members_of_the_output_become_variables() {
        let output = json!({
            "version": "1.4", "rows": 42, "ok": true, "list": [1], "nothing": null, "a b": "c",
            "large": "x".repeat(LONGEST_VARIABLE + 1)
        });
        let (variables, left_out) = variables(Some(&output));
        let want = [("ok", "true"), ("rows", "42"), ("version", "1.4")];
        let want = want.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(variables, BTreeMap::from(want));
        assert_eq!(left_out, 4);
        assert_eq!(super::variables(Some(&json!([1]))).0.len(), 0);
        let many: serde_json::Map<String, Value> = (0..40)
            .map(|n| (format!("n{n}"), "x".repeat(3_000).into()))
            .collect();
        let (variables, left_out) = super::variables(Some(&many.into()));
        assert_eq!((variables.len(), left_out), (33, 7));
    }
}
