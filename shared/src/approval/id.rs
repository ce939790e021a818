//! Ids of our own: random, URL-safe, one type each.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::id::IdError;

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// How many random bytes make one.
            pub const BYTES: usize = $bytes;

            /// The id made of these random bytes.
            pub fn from_random(bytes: [u8; $bytes]) -> Self {
                Self(URL_SAFE_NO_PAD.encode(bytes))
            }

            /// Base64url without padding.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                match URL_SAFE_NO_PAD.decode(text) {
                    Ok(bytes) if bytes.len() == $bytes => Ok(Self(text.to_owned())),
                    _ => Err(IdError { what: $what, problem: "is not one of ours".to_owned() }),
                }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

random_id!(/// One approval asked for.
    ApprovalId, "approval id", 16);
random_id!(/// One approver of one request; stands in the link in place of the address.
    RecipientId, "recipient id", 8);
random_id!(/// One issued link (`jti`).
    LinkId, "link id", 12);
random_id!(/// One attempt to decide; the decision that wins keeps it, and the summary sent to AWS carries it.
    DecisionId, "decision id", 12);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_exactly_its_bytes() {
        let id = ApprovalId::from_random([7; 16]);
        assert_eq!(id.as_str().parse::<ApprovalId>(), Ok(id.clone()));
        assert!(id.as_str().parse::<RecipientId>().is_err());
        assert!("../../etc/passwd".parse::<LinkId>().is_err());
    }
}
