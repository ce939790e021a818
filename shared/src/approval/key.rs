//! The key under which a repeated message finds the request it led to before.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::{approval::request::Target, secret::Secret};

/// The key under which a message finds the request it led to before.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageKey(String);

impl MessageKey {
    /// The token is new for every run of an action, so that it stands for the execution too; only a digest is kept.
    pub fn new(target: &Target, token: &Secret) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"stagewright approval key v1\0");
        for part in [
            target.pipeline.as_str(),
            target.stage.as_str(),
            target.action.as_str(),
            token.reveal().as_str(),
        ] {
            hash.update(part.as_bytes());
            hash.update(b"\0");
        }
        Self(URL_SAFE_NO_PAD.encode(hash.finalize()))
    }

    /// Base64url.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
