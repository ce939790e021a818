//! Signature version 4 of a request.

use std::fmt;

use ring::{digest, hmac};
use shared::secret::Secret;

/// What is signed beside the headers.
pub(super) struct Asked<'a> {
    pub(super) service: &'a str,
    pub(super) method: &'a str,
    /// Encoded as it is sent.
    pub(super) path: &'a str,
    /// The body's SHA-256 in hex, or what S3 takes in its place.
    pub(super) digest: &'a str,
}

/// Who asks. An engine or an emulator verifies nothing, so that without credentials any do.
#[derive(Clone)]
pub struct Caller {
    id: String,
    key: Secret,
    token: Option<Secret>,
    region: String,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl Caller {
    /// With the credentials of the environment; its region where none is named.
    pub fn of_environment(region: Option<&str>) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        Self {
            id: variable("AWS_ACCESS_KEY_ID").unwrap_or_else(|| "stagewright".to_owned()),
            key: variable("AWS_SECRET_ACCESS_KEY").unwrap_or_default().into(),
            token: variable("AWS_SESSION_TOKEN").map(Into::into),
            region: region
                .map(str::to_owned)
                .or_else(|| variable("AWS_REGION"))
                .or_else(|| variable("AWS_DEFAULT_REGION"))
                .unwrap_or_else(|| "eu-west-1".to_owned()),
        }
    }

    /// The session's token, which is sent and signed.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.reveal().as_str())
    }

    /// The header of that name. `headers` are sorted, and all of them are signed.
    pub(super) fn authorization(
        &self,
        asked: &Asked<'_>,
        now: &str,
        headers: &[(&str, &str)],
    ) -> String {
        let Asked {
            service,
            method,
            path,
            digest,
        } = asked;
        let day = &now[..8];
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
        let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{digest}");
        let scope = format!("{day}/{}/{service}/aws4_request", self.region);
        let to_sign = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", sha256(&canonical));
        let mut key = format!("AWS4{}", self.key.reveal()).into_bytes();
        for part in [day, &self.region, service, "aws4_request"] {
            key = sign(&key, part);
        }
        let signature = hex::encode(sign(&key, &to_sign));
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.id
        )
    }
}

pub(super) fn sha256(text: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with botocore's SigV4Auth and S3SigV4Auth over the same requests.
    #[test]
    fn requests_are_signed_as_aws_wants_it() {
        let caller = Caller {
            id: "AKIDEXAMPLE".to_owned(),
            key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned().into(),
            token: None,
            region: "eu-west-1".to_owned(),
        };
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("host", "dynamodb.eu-west-1.amazonaws.com"),
            ("x-amz-date", "20261123T100000Z"),
            ("x-amz-target", "DynamoDB_20120810.Query"),
        ];
        let asked = Asked {
            service: "dynamodb",
            method: "POST",
            path: "/",
            digest: &sha256("{}"),
        };
        let text = caller.authorization(&asked, "20261123T100000Z", &headers);
        assert_eq!(
            text.rsplit('=').next(),
            Some("e93ad9b99cd14a4302c42fa5ad69061eaf01ef10873cd1e63fc84dfe587e55e2")
        );
        let headers = [
            ("host", "s3.eu-west-1.amazonaws.com"),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            ("x-amz-date", "20261123T100000Z"),
        ];
        let asked = Asked {
            service: "s3",
            method: "PUT",
            path: "/artifacts/shop/App/a%20b",
            digest: "UNSIGNED-PAYLOAD",
        };
        let text = caller.authorization(&asked, "20261123T100000Z", &headers);
        assert_eq!(
            text.rsplit('=').next(),
            Some("b0181fe0834feca2f1ac1a26a5b7be3de01a79561ffd54d414074c955e3f18b8")
        );
        assert!(!format!("{caller:?}").contains("wJalr"));
    }
}
