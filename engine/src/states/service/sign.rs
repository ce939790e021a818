//! Signature version 4 of a JSON call that leaves the engine.

use jiff::Timestamp;
use ring::hmac;
use sha2::{Digest as _, Sha256};
use shared::secret::Secret;

/// Who signs.
#[derive(Clone)]
pub struct Keys {
    pub id: String,
    pub secret: Secret,
    pub session: Option<Secret>,
}

impl Keys {
    /// What the engine was started with (`AWS_ACCESS_KEY_ID`, …); emulators take any, so without them a name is enough.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        match (
            variable("AWS_ACCESS_KEY_ID"),
            variable("AWS_SECRET_ACCESS_KEY"),
        ) {
            (Some(id), Some(secret)) => Self {
                id,
                secret: Secret::new(secret),
                session: variable("AWS_SESSION_TOKEN").map(Secret::new),
            },
            _ => Self {
                id: "stagewright".to_owned(),
                secret: Secret::new("stagewright".to_owned()),
                session: None,
            },
        }
    }
}

/// One request to sign: a POST to `/`, as all JSON services take.
pub struct Request<'a> {
    pub host: &'a str,
    pub path: &'a str,
    pub region: &'a str,
    pub service: &'a str,
    pub content_type: &'a str,
    pub target: &'a str,
    pub body: &'a [u8],
}

/// The headers that sign it.
pub fn headers(request: &Request<'_>, keys: &Keys, now: Timestamp) -> Vec<(&'static str, String)> {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &stamp[..8];
    let mut signed = vec![
        ("content-type", request.content_type.to_owned()),
        ("host", request.host.to_owned()),
        ("x-amz-date", stamp.clone()),
    ];
    if let Some(token) = &keys.session {
        signed.push(("x-amz-security-token", token.reveal().clone()));
    }
    signed.push(("x-amz-target", request.target.to_owned()));
    let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = signed
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let body = hex::encode(Sha256::digest(request.body));
    let canonical = format!("POST\n{}\n\n{lines}\n{names}\n{body}", request.path);
    let scope = format!("{day}/{}/{}/aws4_request", request.region, request.service);
    let hash = hex::encode(Sha256::digest(canonical));
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hash}");
    let mut key = format!("AWS4{}", keys.secret.reveal()).into_bytes();
    for part in [day, request.region, request.service, "aws4_request"] {
        key = mac(&key, part.as_bytes());
    }
    let signature = hex::encode(mac(&key, text.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        keys.id
    );
    signed.retain(|(name, _)| *name != "host");
    signed.push(("authorization", authorization));
    signed
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with botocore's SigV4Auth for the same request.
    #[test]
    fn it_signs_as_the_sdk_does() {
        let keys = Keys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
            session: Some(Secret::new("token".to_owned())),
        };
        let request = Request {
            host: "127.0.0.1:4000",
            path: "/",
            region: "eu-west-1",
            service: "sqs",
            content_type: "application/x-amz-json-1.0",
            target: "AmazonSQS.SendMessage",
            body: b"{\"a\":1}",
        };
        let now = "2026-11-23T18:00:00Z".parse().unwrap();
        let made = headers(&request, &keys, now);
        let (_, authorization) = made.last().unwrap();
        assert_eq!(
            authorization,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/eu-west-1/sqs/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=8c92c3ba25414ca6e208e74e81ea3e5a239736bbd5e925fd3b0b1c4cd2a9a437"
        );
    }

    #[test]
    fn without_keys_of_its_own_it_signs_with_a_name() {
        assert_eq!(Keys::read(|_| None).id, "stagewright");
        let own = Keys::read(|name| Some(name.to_lowercase()));
        assert_eq!(own.id, "aws_access_key_id");
        assert!(own.session.is_some());
    }
}
