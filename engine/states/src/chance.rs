//! Randomness from a seed: the same seed gives the same ids, jitter and tokens.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// A counter over one seed.
#[derive(Debug, Clone)]
pub struct Chance {
    seed: u128,
    count: u64,
}

impl Chance {
    /// Starts from a seed that nobody can guess: task tokens come from it.
    #[must_use]
    pub const fn new(seed: u128) -> Self {
        Self { seed, count: 0 }
    }

    fn next(&mut self) -> [u8; 32] {
        self.count += 1;
        Sha256::new()
            .chain_update(b"states")
            .chain_update(self.seed.to_be_bytes())
            .chain_update(self.count.to_be_bytes())
            .finalize()
            .into()
    }

    /// 16 random bytes, to seed another one with.
    pub(crate) fn block(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.next()[..16]);
        bytes
    }

    /// A whole number below `end`, which is above 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.word() % (end as u64)).unwrap_or(0)
    }

    fn word(&mut self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.next()[..8]);
        u64::from_be_bytes(bytes)
    }

    /// From 0 up to, not including, 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A UUID of version 4's shape.
    pub fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.next()[..16]);
        // version 4, the variant of RFC 9562
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let text = hex::encode(bytes);
        [
            &text[..8],
            &text[8..12],
            &text[12..16],
            &text[16..20],
            &text[20..],
        ]
        .join("-")
    }

    /// A task token: a byte that says so, and 64 random ones.
    pub fn token(&mut self) -> String {
        let bytes = [&[TOKEN][..], &self.next(), &self.next()].concat();
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// Begins every token, so that none begins with `-`, which programs take for an option.
const TOKEN: u8 = 1;

/// Whether a text could be a token of some task.
#[must_use]
pub fn is_token(text: &str) -> bool {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text);
    bytes.is_ok_and(|bytes| bytes.len() == 65 && bytes[0] == TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_look_and_begins_with_a_letter() {
        for seed in 0..200 {
            let token = Chance::new(seed).token();
            assert!(token.starts_with('A') && is_token(&token), "{token}");
            assert!(!is_token(&token[1..]) && !is_token(&format!("{token}A")));
        }
        assert!(!is_token("") && !is_token("nobody's"));
    }
}
