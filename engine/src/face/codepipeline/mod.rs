//! CodePipeline over JSON 1.1.

/// Who calls: told from the access key of the request's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `arn:aws:iam::ACCOUNT:user/NAME`.
    pub arn: String,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// JSON text, for `application/x-amz-json-1.1`.
    pub body: Vec<u8>,
}
