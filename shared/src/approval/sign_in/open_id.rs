//! An OpenID Connect provider over HTTP: its description, its keys, and the code flow with PKCE.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{
    Attempt, Identity, IdentityProvider, SignInError,
    keys::Keys,
    token::{Expected, TokenError, Unverified},
};
use crate::{
    approval::{rules::gate, settings::SignInSettings},
    port::{SecretStore, Timer},
    provider::{Call, Http, Payload, Provider, query},
    secret::Secret,
};

/// How long the provider's description and keys are believed without a look.
const KNOWN: SignedDuration = SignedDuration::from_hours(1);
/// An unknown key makes us look again, but not more often than this.
const AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// One question to the provider, with its repetitions; the page has ten seconds in all.
const BUDGET: Duration = Duration::from_secs(3);
/// Most bytes of an answer.
const LIMIT: usize = 256 * 1024;

/// The provider.
pub struct OpenId<H, T, S> {
    provider: Provider<H, T>,
    secrets: S,
    settings: SignInSettings,
    description: Mutex<Option<(Timestamp, Description)>>,
    keys: Mutex<Option<(Timestamp, Keys)>>,
}

/// What a provider says of itself (OpenID Connect Discovery).
#[derive(Clone, Deserialize)]
struct Description {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: Secret,
}

impl<H: Http, T: Timer, S: SecretStore> OpenId<H, T, S> {
    /// Asks nothing yet.
    pub fn new(settings: SignInSettings, http: H, timer: T, secrets: S) -> Self {
        Self {
            provider: Provider::new(http, timer, "the identity provider"),
            secrets,
            settings,
            description: Mutex::default(),
            keys: Mutex::default(),
        }
    }

    async fn description(&self, now: Timestamp) -> Result<Description, SignInError> {
        let known = locked(&self.description).clone();
        if let Some((at, description)) = known
            && now.duration_since(at) < KNOWN
        {
            return Ok(description);
        }
        let url = self.settings.issuer.description();
        let call = Call::get("its description", url).limit(LIMIT);
        let answer = self.provider.ask(&call, BUDGET, now).await;
        let answer = answer.and_then(|answer| answer.json::<Description>());
        let description = answer.map_err(SignInError::Provider)?;
        description.check(self.settings.issuer.as_str())?;
        *locked(&self.description) = Some((now, description.clone()));
        Ok(description)
    }

    /// Keys among which this one is, if the provider has it at all.
    async fn keys(&self, url: &str, kid: &str, now: Timestamp) -> Result<Keys, SignInError> {
        let known = locked(&self.keys).clone();
        if let Some((at, keys)) = known {
            let age = now.duration_since(at);
            if age < AGAIN || age < KNOWN && keys.know(kid) {
                return Ok(keys);
            }
        }
        let call = Call::get("its keys", url).limit(LIMIT);
        let answer = self.provider.ask(&call, BUDGET, now).await;
        let answer = answer.map_err(SignInError::Provider)?;
        let keys = Keys::read(&answer.body).map_err(SignInError::Description)?;
        *locked(&self.keys) = Some((now, keys.clone()));
        Ok(keys)
    }

    async fn redeem(
        &self,
        endpoint: &str,
        attempt: &Attempt,
        code: &Secret,
        now: Timestamp,
    ) -> Result<Secret, SignInError> {
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.reveal().clone()),
            ("redirect_uri", attempt.back.clone()),
            ("client_id", self.settings.client.clone()),
            ("code_verifier", attempt.verifier.reveal().clone()),
        ];
        let secret = match &self.settings.secret {
            Some(reference) => {
                let secret = self.secrets.read(reference).await;
                Some(secret.map_err(SignInError::Secret)?)
            }
            None => None,
        };
        form.extend(secret.iter().map(|s| ("client_secret", s.reveal().clone())));
        let mut call = Call::post("the code", endpoint, Payload::form(form)).limit(LIMIT);
        for private in [code, &attempt.verifier].into_iter().chain(&secret) {
            call = call.hiding(private);
        }
        let answer = self.provider.ask(&call, BUDGET, now).await;
        let tokens = answer.and_then(|answer| answer.json::<Tokens>());
        let tokens = tokens.map_err(|error| {
            if error.is_passing() {
                SignInError::Provider(error)
            } else {
                SignInError::Code(error)
            }
        })?;
        Ok(tokens.id_token)
    }
}

impl<H: Http, T: Timer, S: SecretStore> IdentityProvider for OpenId<H, T, S> {
    async fn way(&self, attempt: &Attempt, now: Timestamp) -> Result<String, SignInError> {
        let endpoint = self.description(now).await?.authorization_endpoint;
        let challenge = attempt.challenge();
        let parameters = query(&[
            ("response_type", "code"),
            ("scope", "openid email"),
            ("client_id", self.settings.client.as_str()),
            ("redirect_uri", attempt.back.as_str()),
            ("state", attempt.state.reveal().as_str()),
            ("nonce", attempt.nonce.reveal().as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ]);
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{endpoint}{joint}{parameters}"))
    }

    async fn who(
        &self,
        attempt: &Attempt,
        code: &Secret,
        issuer: Option<&str>,
        now: Timestamp,
    ) -> Result<Identity, SignInError> {
        let expected = self.settings.issuer.as_str();
        if issuer.is_some_and(|issuer| issuer != expected) {
            return Err(SignInError::Token(TokenError::Issuer));
        }
        let description = self.description(now).await?;
        let endpoint = description.token_endpoint;
        let token = self.redeem(&endpoint, attempt, code, now).await?;
        let token = Unverified::read(token.reveal()).map_err(SignInError::Token)?;
        let keys = self.keys(&description.jwks_uri, &token.kid, now).await?;
        let expected = Expected {
            issuer: expected,
            client: &self.settings.client,
            nonce: &attempt.nonce,
        };
        token
            .verify(&keys, expected, now)
            .map_err(SignInError::Token)
    }
}

impl Description {
    /// It must be the issuer's own, and name addresses that can be trusted with a code.
    fn check(&self, issuer: &str) -> Result<(), SignInError> {
        if self.issuer != issuer {
            let why = format!(
                "it is of the issuer {:?} and not of {issuer:?}",
                self.issuer
            );
            return Err(SignInError::Description(why));
        }
        let all = [
            ("authorization_endpoint", &self.authorization_endpoint),
            ("token_endpoint", &self.token_endpoint),
            ("jwks_uri", &self.jwks_uri),
        ];
        match all.iter().find(|(_, url)| !gate::is_address(url)) {
            Some((name, _)) => Err(SignInError::Description(format!(
                "its {name} is no https address"
            ))),
            None => Ok(()),
        }
    }
}

fn locked<V>(cell: &Mutex<V>) -> std::sync::MutexGuard<'_, V> {
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<H, T, S> fmt::Debug for OpenId<H, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenId({})", self.settings.issuer.as_str())
    }
}
