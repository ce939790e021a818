//! RSA signatures with a key that a secret holds: what a GitHub App shows its identity with.

use rustls::{
    SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
};
use shared::secret::Secret;

/// Signs with PKCS #1 v1.5 and SHA-256; `None` when `key` is no RSA private key in PEM form (PKCS #1 or PKCS #8) of
/// 2,048 bits or more. TLS has all that this needs, so no other library is linked.
pub fn rs256(key: &Secret, message: &[u8]) -> Option<Vec<u8>> {
    let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes()).ok()?;
    let key = any_supported_type(&key).ok()?;
    let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])?;
    signer.sign(message).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That signatures are good ones, openssl says: `tests/it/connectors/commit_status.rs`.
    #[test]
    fn what_is_no_key_signs_nothing() {
        for bad in [
            "",
            "ghp_planted",
            "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert_eq!(rs256(&Secret::new(bad.to_owned()), b"x"), None, "{bad}");
        }
    }
}
