//! What an ID token must say before it is believed (OpenID Connect Core, 3.1.3.7).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;

use super::{Identity, keys::Algorithm, keys::Keys};
use crate::{approval::settings::Address, secret::Secret};

/// Longest token that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;
/// How far clocks may be apart, in seconds.
const SKEW: i64 = 60;
/// How old a token may be that was redeemed this moment, in seconds.
const FRESH: i64 = 600;

/// Why an ID token is not believed. Values are not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No compact JWS of the expected members.
    #[error("it cannot be read")]
    Garbled,
    /// Neither RS256 nor ES256, or it asks for what is not known.
    #[error("it is signed in a way that is not accepted: RS256 and ES256 are")]
    Algorithm,
    /// Nobody known signed it.
    #[error("its signature is by none of the provider's keys")]
    Signature,
    /// Somebody else issued it.
    #[error("it is of another issuer")]
    Issuer,
    /// It was made for another client.
    #[error("it is for another client")]
    Audience,
    /// Too old, or not valid yet.
    #[error("it is not valid at this time")]
    Time,
    /// It answers another attempt.
    #[error("it answers another sign-in")]
    Nonce,
    /// Without an address that the provider has verified nobody can be told apart.
    #[error(
        "it has no verified mail address: have the provider send \"email\" and \"email_verified\""
    )]
    Mail,
}

/// What a token must fit.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// `aud`.
    pub client: &'a str,
    /// `nonce`.
    pub nonce: &'a Secret,
}

/// A token taken apart; nothing of it is believed yet.
pub struct Unverified<'a> {
    /// Which key is said to have signed it.
    pub kid: String,
    algorithm: Algorithm,
    message: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
    email: Option<String>,
    email_verified: Option<Verified>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Some providers write it as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Verified {
    Is(bool),
    Says(String),
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// When it is no token, or signed in a way that is not accepted.
    pub fn read(token: &'a str) -> Result<Self, TokenError> {
        let garbled = TokenError::Garbled;
        let (message, signature) = token.rsplit_once('.').ok_or(garbled)?;
        let (header, payload) = message.split_once('.').ok_or(garbled)?;
        if token.len() > LONGEST {
            return Err(garbled);
        }
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| garbled);
        let header: Header = serde_json::from_slice(&bytes(header)?).map_err(|_| garbled)?;
        let algorithm = Algorithm::named(&header.alg).ok_or(TokenError::Algorithm)?;
        if header.crit.is_some() {
            return Err(TokenError::Algorithm);
        }
        Ok(Self {
            kid: header.kid.ok_or(TokenError::Signature)?,
            algorithm,
            message,
            payload: bytes(payload)?,
            signature: bytes(signature)?,
        })
    }

    /// Who the token is about, once everything in it holds.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn verify(
        &self,
        keys: &Keys,
        expected: Expected<'_>,
        now: Timestamp,
    ) -> Result<Identity, TokenError> {
        let message = self.message.as_bytes();
        if !keys.signed(&self.kid, self.algorithm, message, &self.signature) {
            return Err(TokenError::Signature);
        }
        let claims: Claims =
            serde_json::from_slice(&self.payload).map_err(|_| TokenError::Garbled)?;
        if claims.iss != expected.issuer {
            return Err(TokenError::Issuer);
        }
        if !claims.is_for(expected.client) {
            return Err(TokenError::Audience);
        }
        let now = now.as_second();
        let begun = claims.nbf.unwrap_or(claims.iat).max(claims.iat) <= now + SKEW;
        if !begun || claims.exp <= now - SKEW || claims.iat < now - FRESH {
            return Err(TokenError::Time);
        }
        if claims.nonce.map(Secret::new).as_ref() != Some(expected.nonce) {
            return Err(TokenError::Nonce);
        }
        let verified = match claims.email_verified {
            Some(Verified::Is(verified)) => verified,
            Some(Verified::Says(text)) => text == "true",
            None => false,
        };
        let mail = claims.email.filter(|_| verified);
        let mail = mail.and_then(|mail| mail.parse::<Address>().ok());
        Ok(Identity {
            subject: claims.sub,
            mail: mail.ok_or(TokenError::Mail)?,
        })
    }
}

impl Claims {
    /// For this client, and where others are named too, handed to this one.
    fn is_for(&self, client: &str) -> bool {
        let (named, alone) = match &self.aud {
            Audience::One(one) => (one == client, true),
            Audience::Several(all) => (all.iter().any(|one| one == client), all.len() == 1),
        };
        named
            && match &self.azp {
                Some(party) => party == client,
                None => alone,
            }
    }
}
