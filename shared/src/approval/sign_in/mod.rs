//! Level L3: signing in with OpenID Connect as the person who is asked.
//!
//! Nothing is kept between the way to the provider and the way back: state, nonce and verifier are made from the
//! recipient's key, the link and a cookie of the browser. Reading order: this file, [`token`] (what an ID token must
//! say), [`keys`] (who signed it), [`open_id`] (the provider over HTTP).

pub mod keys;
pub mod open_id;
pub mod token;

use std::future::Future;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::{
    approval::{
        id::RecipientId,
        nonce::{self, Binding, NonceError},
        request::{Recipient, Record},
        settings::Address,
        trail::Kind,
    },
    port::PortError,
    provider::ProviderError,
    secret::Secret,
};

/// How long a sign-in holds for its link.
pub const LASTS: SignedDuration = SignedDuration::from_mins(30);
/// How many sign-ins of somebody else are noted until the audit chain has taken them: notes must not fill the record.
const NOTED: usize = 20;

const STATE: &str = "stagewright sign-in state v1";
const NONCE: &str = "stagewright sign-in nonce v1";
const VERIFIER: &str = "stagewright sign-in verifier v1";
const SESSION: &str = "stagewright sign-in session v1";

/// One browser's way to the provider and back.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Comes back beside the code.
    pub state: Secret,
    /// Comes back in the ID token.
    pub nonce: Secret,
    /// PKCE: shown only when the code is redeemed (RFC 7636).
    pub verifier: Secret,
    /// Where the provider sends the browser.
    pub back: String,
}

/// Who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider's lasting name of them: its `sub`.
    pub subject: String,
    /// The address that the provider has verified.
    pub mail: Address,
}

/// Signs people in.
pub trait IdentityProvider: Send + Sync {
    /// Where the browser goes to sign in.
    fn way(
        &self,
        attempt: &Attempt,
        now: Timestamp,
    ) -> impl Future<Output = Result<String, SignInError>> + Send;

    /// Who came back with this code; `issuer` is what the provider calls itself beside the code, where it does (RFC 9207).
    fn who(
        &self,
        attempt: &Attempt,
        code: &Secret,
        issuer: Option<&str>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Identity, SignInError>> + Send;
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The provider's own pages.
    #[error("the identity provider cannot be used")]
    Provider(#[source] ProviderError),
    /// The secret that the function shows it.
    #[error("the client's secret cannot be read")]
    Secret(#[source] PortError),
    /// What the provider says of itself.
    #[error("the identity provider's description is not usable: {0}")]
    Description(String),
    /// The provider gave no token for the code.
    #[error("the identity provider does not take the code")]
    Code(#[source] ProviderError),
    /// The token is not to be believed.
    #[error("the ID token does not hold")]
    Token(#[source] token::TokenError),
}

impl SignInError {
    /// Whether trying again later may help: nothing is wrong with whoever came.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Provider(_) | Self::Secret(_) | Self::Description(_)
        )
    }
}

impl Attempt {
    /// A new one for this browser.
    pub fn begin(binding: Binding<'_>, back: String, now: Timestamp, random: [u8; 9]) -> Self {
        Self::with_state(binding, back, nonce::mint_for(STATE, binding, now, random))
    }

    /// The one that this browser began, when it brings its state back in time.
    ///
    /// # Errors
    /// When the state is another link's or browser's, or too old.
    pub fn resume(
        binding: Binding<'_>,
        back: String,
        state: &str,
        now: Timestamp,
    ) -> Result<Self, NonceError> {
        nonce::check_for(STATE, binding, state, now, nonce::LIFETIME)?;
        Ok(Self::with_state(binding, back, state.to_owned()))
    }

    fn with_state(binding: Binding<'_>, back: String, state: String) -> Self {
        let made = |label| {
            #[expect(clippy::disallowed_methods, reason = "a tag is made, none is checked")]
            let tag = nonce::mac(label, binding, &state).finalize().into_bytes();
            Secret::new(URL_SAFE_NO_PAD.encode(tag))
        };
        Self {
            nonce: made(NONCE),
            verifier: made(VERIFIER),
            state: Secret::new(state),
            back,
        }
    }

    /// PKCE's `code_challenge` by `S256`.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.reveal()))
    }
}

/// The cookie of a browser whose person has signed in for this link.
pub fn session(binding: Binding<'_>, now: Timestamp, random: [u8; 9]) -> String {
    nonce::mint_for(SESSION, binding, now, random)
}

/// Whether such a cookie holds.
pub fn holds(binding: Binding<'_>, session: &str, now: Timestamp) -> bool {
    nonce::check_for(SESSION, binding, session, now, LASTS).is_ok()
}

/// Whether whoever signed in is this recipient, by address or alias of the rules file.
pub fn is(record: &Record, recipient: &Recipient, identity: &Identity) -> bool {
    record.rule.person_named(identity.mail.as_str()) == Some(&recipient.person)
}

/// The record with a note that somebody signed in with this recipient's link; `None` when enough is noted.
pub fn noted(
    record: &Record,
    recipient: &RecipientId,
    kind: Kind,
    identity: &Identity,
    now: Timestamp,
) -> Option<Record> {
    let kinds = [Kind::SignedIn, Kind::OtherPerson];
    let noted = record.trail.iter().filter(|e| kinds.contains(&e.kind));
    if noted.count() >= NOTED {
        return None;
    }
    let mut next = record.clone();
    next.version += 1;
    let who = format!("{} ({})", identity.mail, identity.subject);
    let who = crate::approval::words::one_line(&who, 300);
    next.note(kind, Some(recipient), Some(who), now);
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::id::LinkId;

    #[test]
    fn an_attempt_is_one_links_and_one_browsers() {
        let (key, link, other) = (
            Secret::new([3; 32]),
            LinkId::from_random([1; 12]),
            LinkId::from_random([2; 12]),
        );
        let mine = Binding {
            key: &key,
            link: &link,
            cookie: "browser",
        };
        let now = Timestamp::UNIX_EPOCH;
        let begun = Attempt::begin(mine, "https://a/b".to_owned(), now, [5; 9]);
        let state = begun.state.reveal();
        let resume = |binding, state: &str, now| {
            Attempt::resume(binding, "https://a/b".to_owned(), state, now)
        };
        let resumed = resume(mine, state, now).unwrap();
        assert_eq!(resumed.nonce, begun.nonce);
        assert_eq!(resumed.verifier, begun.verifier);
        assert_eq!(resumed.challenge(), begun.challenge());
        assert_eq!(
            begun.verifier.reveal().len(),
            43,
            "RFC 7636 wants 43 to 128"
        );
        assert!(begun.nonce != begun.verifier);
        let late = now + nonce::LIFETIME + SignedDuration::from_secs(1);
        assert_eq!(resume(mine, state, late).unwrap_err(), NonceError::Old);
        for binding in [
            Binding {
                link: &other,
                ..mine
            },
            Binding {
                cookie: "x",
                ..mine
            },
        ] {
            assert_eq!(
                resume(binding, state, now).unwrap_err(),
                NonceError::Foreign
            );
        }
        // A state, a form's nonce and a session are not one another.
        let session = session(mine, now, [5; 9]);
        let form = nonce::mint(mine, now, [5; 9]);
        assert!(holds(mine, &session, now + LASTS) && !holds(mine, &session, late + LASTS));
        assert!(!holds(mine, state, now) && !holds(mine, &form, now));
        assert!(resume(mine, &session, now).is_err() && nonce::check(mine, state, now).is_err());
    }
}
