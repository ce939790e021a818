//! The ciphertext of a symmetric key: version, key id, nonce, sealed data.

use std::collections::BTreeMap;

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

/// First byte of every ciphertext made here.
const VERSION: u8 = 1;
/// A UUID as text.
const ID_LENGTH: usize = 36;

/// A ciphertext taken apart.
pub(super) struct Blob<'a> {
    pub key: &'a str,
    nonce: [u8; NONCE_LEN],
    data: &'a [u8],
}

/// Seals; `None` when the key cannot.
pub(super) fn seal(
    cipher: &LessSafeKey,
    key: &str,
    nonce: [u8; NONCE_LEN],
    plaintext: &[u8],
    context: &BTreeMap<String, String>,
) -> Option<Vec<u8>> {
    let mut data = plaintext.to_vec();
    let bound = Aad::from(bound(key, context));
    let sealed = Nonce::assume_unique_for_key(nonce);
    cipher
        .seal_in_place_append_tag(sealed, bound, &mut data)
        .ok()?;
    Some([&[VERSION], key.as_bytes(), &nonce, &data].concat())
}

/// Takes a ciphertext apart; `None` when it was not made here.
pub(super) fn split(blob: &[u8]) -> Option<Blob<'_>> {
    let (version, rest) = blob.split_first()?;
    let (key, rest) = rest.split_at_checked(ID_LENGTH)?;
    let (nonce, data) = rest.split_at_checked(NONCE_LEN)?;
    (*version == VERSION).then_some(())?;
    Some(Blob {
        key: std::str::from_utf8(key).ok()?,
        nonce: nonce.try_into().ok()?,
        data,
    })
}

impl Blob<'_> {
    /// The plaintext; `None` when blob, key or context is not the one that was sealed.
    pub(super) fn open(
        &self,
        cipher: &LessSafeKey,
        context: &BTreeMap<String, String>,
    ) -> Option<Vec<u8>> {
        let mut data = self.data.to_vec();
        let bound = Aad::from(bound(self.key, context));
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let plain = cipher.open_in_place(nonce, bound, &mut data).ok()?;
        Some(plain.to_vec())
    }
}

/// What a ciphertext is bound to: its key and the encryption context in order.
fn bound(id: &str, context: &BTreeMap<String, String>) -> Vec<u8> {
    let context = serde_json::to_vec(context).unwrap_or_default();
    [id.as_bytes(), &context].concat()
}
