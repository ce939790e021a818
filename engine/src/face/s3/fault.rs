//! Refusals as S3 words them.

use axum::response::Response;
use http::{HeaderName, HeaderValue};

use super::body::BodyError;
use crate::{
    face::call::{escape, respond},
    store::objects::StoreError,
};

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Fault {
    /// HTTP status.
    pub status: u16,
    /// S3's error code.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// Headers of the reply.
    pub headers: Vec<(&'static str, String)>,
}

impl S3Fault {
    /// A refusal without headers.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            headers: Vec::new(),
        }
    }

    /// 400 `InvalidArgument`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidArgument", message)
    }

    /// 400 `MalformedXML`.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(400, "MalformedXML", message)
    }

    /// 403 `AccessDenied`.
    pub fn access_denied(reason: impl Into<String>) -> Self {
        Self::new(
            403,
            "AccessDenied",
            format!("Access Denied: {}", reason.into()),
        )
    }

    /// 412.
    pub fn precondition() -> Self {
        Self::new(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
    }

    /// What is not built, named.
    pub fn not_built(name: &str) -> Self {
        Self::new(
            501,
            "NotImplemented",
            format!("stagewright's S3 does not have {name}"),
        )
    }

    /// The XML reply; without a body for HEAD.
    pub fn into_response(self, resource: &str, request_id: &str, head: bool) -> Response {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message><Resource>{}</Resource><RequestId>{request_id}</RequestId></Error>",
            escape(&self.code),
            escape(&self.message),
            escape(resource),
        );
        let mut response = respond(
            self.status,
            "application/xml",
            if head { String::new() } else { body },
        );
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response
                    .headers_mut()
                    .insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

impl From<StoreError> for S3Fault {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::NoSuchBucket { bucket } => Self::new(
                404,
                "NoSuchBucket",
                format!("The specified bucket does not exist: {bucket}"),
            ),
            StoreError::InvalidBucketName { .. } => Self::new(400, "InvalidBucketName", text),
            StoreError::BucketNotEmpty { .. } => Self::new(
                409,
                "BucketNotEmpty",
                "The bucket you tried to delete is not empty",
            ),
            StoreError::NoSuchKey { delete_marker, .. } => {
                let mut fault = Self::new(404, "NoSuchKey", "The specified key does not exist.");
                if let Some(version) = delete_marker {
                    fault.headers = vec![
                        ("x-amz-delete-marker", "true".to_owned()),
                        ("x-amz-version-id", version),
                    ];
                }
                fault
            }
            StoreError::NoSuchVersion { .. } => Self::new(
                404,
                "NoSuchVersion",
                "The specified version does not exist.",
            ),
            StoreError::IsDeleteMarker { version, .. } => {
                let mut fault = Self::new(
                    405,
                    "MethodNotAllowed",
                    "The specified method is not allowed against this resource.",
                );
                fault.headers = vec![
                    ("x-amz-delete-marker", "true".to_owned()),
                    ("x-amz-version-id", version),
                ];
                fault
            }
            StoreError::BadKey => Self::new(400, "KeyTooLongError", text),
            StoreError::Precondition { .. } => Self::precondition(),
            StoreError::NoSuchUpload { .. } => Self::new(
                404,
                "NoSuchUpload",
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
            ),
            StoreError::InvalidPart { .. } => Self::new(400, "InvalidPart", text),
            StoreError::InvalidPartOrder => Self::new(400, "InvalidPartOrder", text),
            StoreError::Body { source, .. } => Self::of_body(&source),
            StoreError::File { .. } | StoreError::Index { .. } | StoreError::Worker { .. } => {
                let chain =
                    std::iter::successors(std::error::Error::source(&error), |e| e.source())
                        .fold(text.clone(), |chain, source| format!("{chain}: {source}"));
                tracing::error!(error = %chain, "S3 failed");
                Self::new(500, "InternalError", text)
            }
        }
    }
}

impl S3Fault {
    fn of_body(source: &std::io::Error) -> Self {
        let inner = source
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<BodyError>());
        let (code, text) = match inner {
            Some(error @ BodyError::Mismatch { what }) if what == "x-amz-content-sha256" => {
                ("XAmzContentSHA256Mismatch", error.to_string())
            }
            Some(error @ BodyError::Mismatch { .. }) => ("BadDigest", error.to_string()),
            Some(error @ BodyError::Chunk(_)) => ("InvalidRequest", error.to_string()),
            Some(error) => ("IncompleteBody", error.to_string()),
            None => ("IncompleteBody", source.to_string()),
        };
        Self::new(400, code, text)
    }
}
