//! Link signatures by KMS.

use std::sync::OnceLock;

use aws_sdk_kms::{
    Client,
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use shared::{approval::port::LinkSigner, port::PortError};

use crate::sdk::Aws;

/// `kms:Sign` with one key (`ECC_NIST_EDWARDS25519`), whose private half never leaves KMS.
#[derive(Debug)]
pub struct KmsSigner {
    aws: Aws,
    key: String,
    client: OnceLock<Client>,
}

impl KmsSigner {
    /// Signs with the key of this id, ARN or alias. Makes no client yet.
    pub fn new(aws: &Aws, key: impl Into<String>) -> Self {
        Self {
            aws: aws.clone(),
            key: key.into(),
            client: OnceLock::new(),
        }
    }
}

impl LinkSigner for KmsSigner {
    async fn sign(&self, message: &[u8]) -> Result<[u8; 64], PortError> {
        let what = "signing a link";
        let client = self
            .client
            .get_or_init(|| Client::new(&self.aws.config("KMS")));
        let request = client
            .sign()
            .key_id(&self.key)
            .message(Blob::new(message))
            .message_type(MessageType::Raw)
            .signing_algorithm(SigningAlgorithmSpec::Ed25519Sha512);
        let answer = self.aws.call(what, request.send()).await?;
        answer
            .signature
            .as_ref()
            .and_then(|signature| signature.as_ref().try_into().ok())
            .ok_or_else(|| PortError::Invalid {
                what: what.to_owned(),
                message: "the signature has not 64 bytes: is the key ECC_NIST_EDWARDS25519?"
                    .to_owned(),
            })
    }
}
