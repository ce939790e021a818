//! The signed link: PASETO v4.public, signed by a key that only the notifier can use, verified locally.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use pasetors::{
    Public, keys::AsymmetricPublicKey, token::UntrustedToken, version4::PublicToken, version4::V4,
};
use serde::{Deserialize, Serialize};

use crate::{
    approval::id::{ApprovalId, LinkId, RecipientId},
    approval::settings::{BaseUrl, KeyId},
    secret::Secret,
};

/// Longest token accepted, in characters; ours have about 300.
pub const TOKEN_LIMIT: usize = 600;

/// Changes when the claims change.
const VERSION: u8 = 1;

/// What a link is for: an authority of its own. A link that leaks cannot do what another one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Opens the page with both choices; useless without a code or a sign-in.
    Review,
    /// May approve, at level L1.
    Approve,
    /// May reject, at level L1.
    Reject,
}

/// What a link says, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// What for.
    pub purpose: Purpose,
    /// Which request.
    pub approval: ApprovalId,
    /// Digest of execution and CodePipeline token.
    pub digest: String,
    /// Whose link.
    pub recipient: RecipientId,
    /// Which of the recipient's links.
    pub link: LinkId,
    /// Seconds.
    pub issued_at: Timestamp,
    /// Seconds; from then on the link opens nothing.
    pub expires_at: Timestamp,
}

/// Public keys by id: the current one and those still in overlap.
#[derive(Debug, Clone, Default)]
pub struct KeyRing(BTreeMap<KeyId, AsymmetricPublicKey<V4>>);

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not signed by us for this address. Says no more on purpose.
    #[error("the link is not valid")]
    Invalid,
    /// Ours, and too old.
    #[error("the link has expired")]
    Expired,
}

/// A token that lacks its signature.
#[derive(Debug)]
pub struct Unsigned {
    message: Vec<u8>,
    kid: KeyId,
    to_sign: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    v: u8,
    p: &'a str,
    a: &'a str,
    d: &'a str,
    r: &'a str,
    j: &'a str,
    iat: i64,
    exp: i64,
}

impl Purpose {
    const ALL: [Self; 3] = [Self::Review, Self::Approve, Self::Reject];

    const fn name(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

impl KeyRing {
    /// A ring of these keys; a key of the wrong length or off the curve is refused by name.
    pub fn new(keys: impl IntoIterator<Item = (KeyId, Vec<u8>)>) -> Result<Self, KeyId> {
        keys.into_iter()
            .map(|(kid, bytes)| match AsymmetricPublicKey::from(&bytes) {
                Ok(key) => Ok((kid, key)),
                Err(_) => Err(kid),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Claims {
    /// What the key must sign for these claims at this address.
    pub fn unsigned(&self, kid: &KeyId, base: &BaseUrl) -> Unsigned {
        let wire = Wire {
            v: VERSION,
            p: self.purpose.name(),
            a: self.approval.as_str(),
            d: &self.digest,
            r: self.recipient.as_str(),
            j: self.link.as_str(),
            iat: self.issued_at.as_second(),
            exp: self.expires_at.as_second(),
        };
        let message = serde_json::to_vec(&wire).expect("numbers and strings always serialize");
        let to_sign = pae(&[
            PublicToken::HEADER.as_bytes(),
            &message,
            kid.as_str().as_bytes(),
            assertion(base).as_bytes(),
        ]);
        Unsigned {
            message,
            kid: kid.clone(),
            to_sign,
        }
    }
}

impl Unsigned {
    /// The bytes for Ed25519 (`MessageType: RAW`).
    pub fn to_sign(&self) -> &[u8] {
        &self.to_sign
    }

    /// The token, for the mail only.
    pub fn with_signature(mut self, signature: &[u8; 64]) -> Secret {
        self.message.extend_from_slice(signature);
        Secret::new(format!(
            "{}{}.{}",
            PublicToken::HEADER,
            URL_SAFE_NO_PAD.encode(&self.message),
            URL_SAFE_NO_PAD.encode(self.kid.as_str()),
        ))
    }
}

/// Checks a token: length, signs, known key, signature, purpose and address, expiry. Reads nothing.
pub fn open(
    token: &str,
    ring: &KeyRing,
    base: &BaseUrl,
    now: Timestamp,
) -> Result<Claims, LinkError> {
    let invalid = LinkError::Invalid;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if token.len() > TOKEN_LIMIT || !token.bytes().all(allowed) {
        return Err(invalid);
    }
    let untrusted = UntrustedToken::<Public, V4>::try_from(token).map_err(|_| invalid)?;
    let key = std::str::from_utf8(untrusted.untrusted_footer())
        .ok()
        .and_then(|kid| kid.parse().ok())
        .and_then(|kid: KeyId| ring.0.get(&kid))
        .ok_or(invalid)?;
    let trusted = PublicToken::verify(key, &untrusted, None, Some(assertion(base).as_bytes()))
        .map_err(|_| invalid)?;
    let wire: Wire<'_> = serde_json::from_str(trusted.payload()).map_err(|_| invalid)?;
    if wire.v != VERSION {
        return Err(invalid);
    }
    let mut purposes = Purpose::ALL.into_iter();
    let claims = Claims {
        purpose: purposes.find(|p| p.name() == wire.p).ok_or(invalid)?,
        approval: wire.a.parse().map_err(|_| invalid)?,
        digest: wire.d.to_owned(),
        recipient: wire.r.parse().map_err(|_| invalid)?,
        link: wire.j.parse().map_err(|_| invalid)?,
        issued_at: Timestamp::from_second(wire.iat).map_err(|_| invalid)?,
        expires_at: Timestamp::from_second(wire.exp).map_err(|_| invalid)?,
    };
    if now >= claims.expires_at {
        return Err(LinkError::Expired);
    }
    Ok(claims)
}

/// The implicit assertion: a link holds only for the public address it was made for.
fn assertion(base: &BaseUrl) -> String {
    format!("stagewright approval v1 {base}")
}

/// PASETO's pre-authentication encoding.
fn pae(pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = (pieces.len() as u64).to_le_bytes().to_vec();
    for piece in pieces {
        out.extend_from_slice(&(piece.len() as u64).to_le_bytes());
        out.extend_from_slice(piece);
    }
    out
}

#[cfg(test)]
mod tests {
    use pasetors::keys::AsymmetricSecretKey;
    use shared_testkit::proptest::prelude::*;

    use super::*;

    // RFC 8032, section 7.1, test 1: secret seed followed by its public key.
    const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }
    fn kid(text: &str) -> KeyId {
        text.parse().unwrap()
    }
    fn base() -> BaseUrl {
        "https://approve.example.com".parse().unwrap()
    }
    fn ring() -> KeyRing {
        KeyRing::new([(kid("k1"), bytes(PUBLIC)), (kid("k0"), bytes(PUBLIC))]).unwrap()
    }
    fn claims() -> Claims {
        Claims {
            purpose: Purpose::Review,
            approval: ApprovalId::from_random([1; 16]),
            digest: "d".repeat(22),
            recipient: RecipientId::from_random([2; 8]),
            link: LinkId::from_random([3; 12]),
            issued_at: Timestamp::from_second(1_000).unwrap(),
            expires_at: Timestamp::from_second(2_000).unwrap(),
        }
    }
    fn sign_raw(message: &[u8], footer: &str, base: &BaseUrl) -> String {
        let key = AsymmetricSecretKey::<V4>::from(&[bytes(SEED), bytes(PUBLIC)].concat()).unwrap();
        let assertion = assertion(base);
        PublicToken::sign(
            &key,
            message,
            Some(footer.as_bytes()),
            Some(assertion.as_bytes()),
        )
        .unwrap()
    }
    fn token() -> String {
        let unsigned = claims().unsigned(&kid("k1"), &base());
        sign_raw(&unsigned.message, "k1", &base())
    }
    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_the_key_signs_is_what_paseto_signs() {
        // The signature cut out of PASETO's own token, put back through our assembling.
        let theirs = token();
        let payload = bytes(theirs.split('.').nth(2).unwrap());
        let signature: [u8; 64] = payload[payload.len() - 64..].try_into().unwrap();
        let unsigned = claims().unsigned(&kid("k1"), &base());
        let mut parts = [PublicToken::HEADER.as_bytes(), &unsigned.message, b"k1"].to_vec();
        let assertion = assertion(&base());
        parts.push(assertion.as_bytes());
        assert_eq!(unsigned.to_sign(), pae(&parts));
        assert_eq!(*unsigned.with_signature(&signature).reveal(), theirs);
        assert!(theirs.len() < 350, "{} characters", theirs.len());
    }

    #[test]
    fn a_link_opens_until_its_second() {
        assert_eq!(open(&token(), &ring(), &base(), at(1_999)), Ok(claims()));
        assert_eq!(
            open(&token(), &ring(), &base(), at(2_000)),
            Err(LinkError::Expired)
        );
        assert_eq!(
            open(&token(), &ring(), &base(), at(2_001)),
            Err(LinkError::Expired)
        );
    }

    #[test]
    fn a_link_holds_for_its_address_key_and_purpose_only() {
        let elsewhere: BaseUrl = "https://approve.example.org".parse().unwrap();
        let refused = |token: &str, base: &BaseUrl| {
            assert_eq!(
                open(token, &ring(), base, at(1_500)),
                Err(LinkError::Invalid),
                "{token}"
            );
        };
        refused(&token(), &elsewhere);
        let message = claims().unsigned(&kid("k1"), &base()).message;
        let text = String::from_utf8(message).unwrap();
        refused(&sign_raw(text.as_bytes(), "k2", &base()), &base());
        refused(&sign_raw(text.as_bytes(), "", &base()), &base());
        for (from, to) in [
            ("\"review\"", "\"decide\""),
            ("\"v\":1", "\"v\":2"),
            ("{", "{\"extra\":1,"),
            ("\"iat\":1000,", ""),
        ] {
            refused(
                &sign_raw(text.replace(from, to).as_bytes(), "k1", &base()),
                &base(),
            );
        }
        assert!(KeyRing::new([(kid("short"), vec![0; 31])]).is_err());
    }

    proptest! {
        #[test]
        fn no_changed_token_opens(at_byte in 0usize..400, bit in 0u8..7, cut in 0usize..400) {
            let good = token();
            let mut flipped = good.clone().into_bytes();
            let at_byte = at_byte % flipped.len();
            flipped[at_byte] ^= 1 << bit;
            let flipped = String::from_utf8_lossy(&flipped).into_owned();
            let cut = &good[..cut % good.len()];
            for forged in [flipped.as_str(), cut] {
                prop_assert_eq!(open(forged, &ring(), &base(), at(1_500)), Err(LinkError::Invalid));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,700}") {
            let _ = open(&text, &ring(), &base(), at(1_500));
            let _ = open(&format!("v4.public.{text}"), &ring(), &base(), at(1_500));
        }
    }
}
