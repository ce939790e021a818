//! Access tokens of Login with Amazon, kept while they are good.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use shared::{
    fault::{Fault, FaultKind},
    port::{SecretStore, Timer},
    provider::{Call, Http, Payload, ProviderError, Trouble},
    secret::Secret,
};

use crate::api::{Api, ApiError};

/// The last token. A process of a function works for few skills, mostly for one.
#[derive(Default)]
pub struct Tokens(Mutex<Option<Kept>>);

struct Kept {
    of: String,
    token: Secret,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Secret,
    #[serde(default)]
    expires_in: i64,
}

/// Tokens live an hour; they are kept for less.
const LONGEST: i64 = 50 * 60;
/// Given up before its end, so that it does not end under way.
const MARGIN: i64 = 300;

impl Tokens {
    fn get(&self, of: &str, now: Timestamp) -> Option<Secret> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref();
        kept.filter(|kept| kept.of == of && now < kept.until)
            .map(|kept| kept.token.clone())
    }

    fn put(&self, kept: Option<Kept>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }
}

impl<H: Http, T: Timer, S: SecretStore> Api<'_, H, T, S> {
    /// A token that is good for a while.
    pub async fn token(&self) -> Result<Secret, ApiError> {
        let params = self.params;
        let of = format!(
            "{} {} {}",
            params.token_url, params.client_id, params.refresh_token
        );
        if let Some(token) = self.tokens.get(&of, self.now) {
            return Ok(token);
        }
        let refresh = self.secrets.read(&params.refresh_token).await;
        let refresh = refresh.map_err(Fault::from)?;
        let secret = self.secrets.read(&params.client_secret).await;
        let secret = secret.map_err(Fault::from)?;
        let form = Payload::form([
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.reveal().as_str()),
            ("client_id", params.client_id.as_str()),
            ("client_secret", secret.reveal().as_str()),
        ]);
        let call = Call::post("the access token", params.token_url.as_str(), form)
            .hiding(&refresh)
            .hiding(&secret)
            .repeatable();
        let answer = self.provider.ask(&call, self.budget, self.now).await;
        let granted: Granted = answer.map_err(refused)?.json()?;
        let seconds = (granted.expires_in - MARGIN).clamp(0, LONGEST);
        self.tokens.put(Some(Kept {
            of,
            token: granted.access_token.clone(),
            until: self.now + SignedDuration::from_secs(seconds),
        }));
        Ok(granted.access_token)
    }

    /// The vendor does not take the token: the next call gets another.
    pub fn forget_token(&self) {
        self.tokens.put(None);
    }
}

/// OAuth says with 400 or 401 what is wrong with the credentials.
fn refused(error: ProviderError) -> ApiError {
    let words = match &error.trouble {
        Trouble::Refused { words, .. } => words.clone(),
        Trouble::Denied { .. } => "the client is not known".to_owned(),
        _ => return error.into(),
    };
    let text = format!(
        "Login with Amazon gave no access token: {words}; check clientId, and renew the secrets that clientSecret and \
         refreshToken name"
    );
    Fault::new(FaultKind::Permission, text)
        .because(error)
        .into()
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}
