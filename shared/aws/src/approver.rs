//! The approver role: results are sent under the name of whoever gave them.

use aws_credential_types::Credentials;
use shared::{approval::session, port::PortError};

use crate::{
    error::unavailable,
    rest::{Rest, RestCall, element, encoded, temporary},
    sdk::Aws,
};

/// Shortest life of a session that STS gives, in seconds.
const SHORTEST: u32 = 900;

/// `sts:AssumeRole` and `sts:SetSourceIdentity` on one role.
#[derive(Debug)]
pub(crate) struct ApproverRole {
    rest: Rest,
    arn: String,
}

impl ApproverRole {
    pub(crate) fn new(aws: &Aws, arn: impl Into<String>) -> Self {
        Self {
            rest: Rest::new(aws),
            arn: arn.into(),
        }
    }

    /// Credentials of a session named after this approver, whose mail address was verified.
    pub(crate) async fn assume(&self, address: &str) -> Result<Credentials, PortError> {
        let what = "assuming the approver role";
        let name = encoded(&session::name(address));
        let body = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleArn={}&RoleSessionName={name}&SourceIdentity={name}&DurationSeconds={SHORTEST}",
            encoded(&self.arn)
        );
        let answer = self
            .rest
            .call(&RestCall {
                what,
                id: "STS",
                name: "sts",
                method: "POST",
                path: "/".to_owned(),
                headers: vec![(
                    "content-type",
                    "application/x-www-form-urlencoded".to_owned(),
                )],
                body,
            })
            .await?;
        let read = |name| element(&answer, name);
        match (
            read("AccessKeyId"),
            read("SecretAccessKey"),
            read("SessionToken"),
        ) {
            (Some(id), Some(key), Some(token)) => Ok(temporary(id, key, token)),
            _ => Err(unavailable(what, "the answer holds no credentials")),
        }
    }
}
