//! What a service's error answer means, told by its code, else by its HTTP status.

use serde_json::Value;

use super::PortError;

/// Service texts are cut here: they end in logs and in failure messages.
const LONGEST_MESSAGE: usize = 500;

impl PortError {
    /// Sorts a service's error answer. `what` names the call, as `PutObject site/index.html`.
    pub fn of_answer(what: &str, status: u16, code: &str, message: &str) -> Self {
        let what = what.to_owned();
        match code {
            "NoSuchKey"
            | "NoSuchBucket"
            | "NotFound"
            | "ResourceNotFoundException"
            | "NoSuchUpload"
            | "JobNotFoundException"
            | "PipelineNotFoundException"
            | "NotFoundException"
            | "StageNotFoundException"
            | "ActionNotFoundException"
            | "ActionTypeNotFoundException"
            | "ClusterNotFoundException"
            | "ExecutionDoesNotExist"
            | "InvalidDocument"
            | "ParameterNotFound"
            | "StateMachineDoesNotExist"
            | "TaskDoesNotExist"
            | "NoSuchDistribution" => return Self::NotFound { what },
            "AccessDenied"
            | "AccessDeniedException"
            | "AuthorizationError"
            | "AuthorizationErrorException"
            | "UnrecognizedClientException"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "KMSAccessDeniedException"
            | "KmsAccessDeniedException" => return Self::Denied { what },
            "InvalidJobStateException"
            | "InvalidNonceException"
            | "TaskTimedOut"
            | "ConditionalCheckFailedException"
            | "PreconditionFailed"
            | "TransactionCanceledException"
            | "ApprovalAlreadyCompletedException"
            | "ExecutionAlreadyExists"
            | "InvalidApprovalTokenException" => return Self::Conflict { what },
            "ThrottlingException"
            | "Throttling"
            | "SlowDown"
            | "RequestTimeout"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "ProvisionedThroughputExceededException"
            | "ServiceUnavailable"
            | "InternalError" => return unavailable(what, text(status, code, message)),
            _ => {}
        }
        match status {
            404 => Self::NotFound { what },
            401 | 403 => Self::Denied { what },
            409 | 412 => Self::Conflict { what },
            429 | 500.. => unavailable(what, text(status, code, message)),
            _ => Self::Invalid {
                what,
                message: text(status, code, message),
            },
        }
    }

    /// Whether the service refused with this code, where that has no variant of its own.
    pub fn has_code(&self, code: &str) -> bool {
        match self {
            Self::Invalid { message, .. } => {
                message == code
                    || message
                        .strip_prefix(code)
                        .is_some_and(|rest| rest.starts_with(": "))
            }
            _ => false,
        }
    }
}

/// The answer of a JSON service, or its error by code: `__type` may carry a namespace in front.
///
/// # Errors
/// As [`PortError::of_answer`]; `Unavailable` when a good answer is no JSON.
pub fn answered(what: &str, status: u16, text: &str) -> Result<Value, PortError> {
    let value = serde_json::from_str::<Value>(text);
    if (200..300).contains(&status) {
        return value.map_err(|_| unavailable(what.to_owned(), "the answer is no JSON".to_owned()));
    }
    let value = value.unwrap_or_default();
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let code = text("__type").rsplit('#').next().unwrap_or_default();
    let message = match text("message") {
        "" => text("Message"),
        message => message,
    };
    Err(PortError::of_answer(what, status, code, message))
}

fn unavailable(what: String, why: String) -> PortError {
    PortError::Unavailable {
        what,
        source: Some(why.into()),
    }
}

fn text(status: u16, code: &str, message: &str) -> String {
    let message: String = message.chars().take(LONGEST_MESSAGE).collect();
    match (code.is_empty(), message.is_empty()) {
        (true, true) => format!("HTTP {status}"),
        (true, false) => message,
        (false, true) => code.to_owned(),
        (false, false) => format!("{code}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_sorted() {
        let sort = |status: u16, code: &str| match PortError::of_answer("x", status, code, "m") {
            PortError::NotFound { .. } => "not found",
            PortError::Denied { .. } => "denied",
            PortError::Conflict { .. } => "conflict",
            PortError::Unavailable { .. } => "unavailable",
            PortError::Invalid { .. } => "invalid",
        };
        for (status, code, want) in [
            (400, "InvalidJobStateException", "conflict"),
            (400, "JobNotFoundException", "not found"),
            (400, "InvalidNonceException", "conflict"),
            (400, "TaskTimedOut", "conflict"),
            (400, "ParameterNotFound", "not found"),
            (400, "ConditionalCheckFailedException", "conflict"),
            (400, "ExecutionAlreadyExists", "conflict"),
            (400, "ExecutionDoesNotExist", "not found"),
            (400, "ThrottlingException", "unavailable"),
            (400, "ValidationException", "invalid"),
            (400, "ExpiredToken", "denied"),
            (403, "", "denied"),
            (404, "", "not found"),
            (500, "", "unavailable"),
            (503, "SlowDown", "unavailable"),
        ] {
            assert_eq!(sort(status, code), want, "{status} {code}");
        }
    }

    #[test]
    fn a_code_is_told_by_its_whole_word() {
        let error = PortError::of_answer("x", 400, "LimitExceeded", "m");
        assert!(error.has_code("LimitExceeded"));
        assert!(!error.has_code("Limit"));
        assert!(!PortError::of_answer("x", 404, "LimitExceeded", "m").has_code("LimitExceeded"));
    }

    #[test]
    fn answers_are_values_or_errors_by_code() {
        let answer = |status: u16, text: &str| answered("x", status, text);
        assert_eq!(answer(200, "{\"a\":1}").unwrap(), json!({"a": 1}));
        assert!(matches!(
            answer(200, "<html>"),
            Err(PortError::Unavailable { .. })
        ));
        let typed =
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#;
        assert!(matches!(
            answer(400, typed),
            Err(PortError::Conflict { .. })
        ));
        assert!(matches!(
            answer(503, "<html>"),
            Err(PortError::Unavailable { .. })
        ));
        let Err(PortError::Invalid { message, .. }) =
            answer(400, r#"{"__type":"ValidationException","Message":"no"}"#)
        else {
            unreachable!("a refusal");
        };
        assert_eq!(message, "ValidationException: no");
    }
}
