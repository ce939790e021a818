//! The code printed in the mail and typed by hand: what a machine that holds only the link does not have.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{approval::id::LinkId, secret::Secret};

/// 32 signs that cannot be mistaken for one another: no 0, 1, I, O.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/// Signs of a code: 40 bits, against five tries.
const LENGTH: usize = 8;

/// A code as printed: two groups of four.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code(Secret);

/// What is kept of a code: HMAC-SHA-256 under a random salt, bound to its link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeHash {
    /// Random.
    pub salt: [u8; 16],
    /// The tag.
    pub tag: [u8; 32],
}

impl Code {
    /// The code made of these random bytes.
    pub fn from_random(bytes: [u8; LENGTH]) -> Self {
        let mut text = String::with_capacity(LENGTH + 1);
        for (at, byte) in bytes.iter().enumerate() {
            if at == LENGTH / 2 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(byte & 31)]));
        }
        Self(Secret::new(text))
    }

    /// As printed in the mail, for the mail only.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// What is stored.
    pub fn hash(&self, link: &LinkId, salt: [u8; 16]) -> CodeHash {
        #[expect(clippy::disallowed_methods, reason = "a tag is made, none is checked")]
        let tag = mac(&salt, link, &normal(self.reveal()))
            .finalize()
            .into_bytes();
        CodeHash {
            salt,
            tag: tag.into(),
        }
    }
}

impl CodeHash {
    /// Whether a person typed the code of this link; lower case, spaces and dashes do not matter.
    pub fn matches(&self, link: &LinkId, typed: &str) -> bool {
        mac(&self.salt, link, &normal(typed))
            .verify_slice(&self.tag)
            .is_ok()
    }
}

fn normal(typed: &str) -> String {
    typed
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2014}'))
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

fn mac(salt: &[u8; 16], link: &LinkId, code: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(salt).expect("HMAC takes keys of any length");
    mac.update(b"stagewright code v1\0");
    mac.update(link.as_str().as_bytes());
    mac.update(b"\0");
    mac.update(code.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_type_codes_in_many_ways() {
        let link = LinkId::from_random([1; 12]);
        let code = Code::from_random([0, 31, 8, 9, 16, 17, 24, 255]);
        assert_eq!(code.reveal(), "2ZAB-JKSZ");
        let hash = code.hash(&link, [9; 16]);
        for typed in ["2ZAB-JKSZ", "2zabjksz", " 2z ab jk sz ", "2ZAB\u{2013}JKSZ"] {
            assert!(hash.matches(&link, typed), "{typed}");
        }
        for typed in ["", "2ZAB-JKS", "2ZAB-JKSS", "2ZAB-JKSZZ"] {
            assert!(!hash.matches(&link, typed), "{typed}");
        }
        assert!(!hash.matches(&LinkId::from_random([2; 12]), "2ZAB-JKSZ"));
        assert_eq!(format!("{code:?}"), "Code([redacted])");
    }
}
