//! Installation tokens of a GitHub App, made from the App's key and kept while they are good.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use shared::{
    fault::{Fault, FaultKind},
    port::Timer,
    provider::{Call, Http, Payload, Provider, ProviderError, Trouble},
    secret::Secret,
};

use crate::{
    Unsaid,
    params::{CodeHost, Params},
};

/// Signs with an RSA key in PEM form, PKCS #1 v1.5 with SHA-256; `None` when the key is none.
pub type Rs256 = fn(&Secret, &[u8]) -> Option<Vec<u8>>;

/// The last token. A process of a function speaks of few repositories, mostly of one.
#[derive(Default)]
pub struct Tokens(Mutex<Option<Kept>>);

struct Kept {
    of: String,
    token: Secret,
    until: Timestamp,
}

/// GitHub takes ten minutes at most, and clocks differ.
const LIVES: i64 = 9 * 60;
const CLOCKS_DIFFER: i64 = 60;
/// A token is given up before its end, so that it does not end under way.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct Granted {
    token: Secret,
    expires_at: Timestamp,
}

impl Tokens {
    /// A token that may set statuses or checks of this one repository.
    pub(crate) async fn get<H: Http, T: Timer>(
        &self,
        provider: &Provider<H, T>,
        (params, app): (&Params, &str),
        (key, sign): (&Secret, Rs256),
        (budget, now): (Duration, Timestamp),
    ) -> Result<Secret, Unsaid> {
        let permission = match params.host {
            CodeHost::GithubCheck => "checks",
            _ => "statuses",
        };
        let (base, repository) = (&params.base, &params.repository);
        let of = format!("{base} {repository} {app} {permission} {}", params.token);
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = known()
            .as_ref()
            .filter(|kept| kept.of == of && now < kept.until)
            .map(|kept| kept.token.clone());
        if let Some(token) = kept {
            return Ok(token);
        }
        let jwt = jwt(app, key, sign, now).ok_or_else(|| {
            let text = "appId is given, and the secret that token names is no RSA private key in PEM form: take the \
                        one that GitHub gave for the App";
            Unsaid::Final(Fault::new(FaultKind::Configuration, text))
        })?;
        let call = |call: Call| {
            call.bearer(&jwt)
                .header("user-agent", "stagewright".to_owned())
                .header("accept", "application/vnd.github+json".to_owned())
                .header("x-github-api-version", "2022-11-28".to_owned())
        };
        let refused = |error: ProviderError| refused(error, app, repository);
        let url = format!("{base}/repos/{repository}/installation");
        let asked = call(Call::get("the App's installation", url));
        let answer = provider.ask(&asked, budget, now).await;
        let Installation { id } = answer.map_err(refused)?.json()?;
        let name = repository.rsplit('/').next().unwrap_or_default();
        let body = json!({"repositories": [name], "permissions": {permission: "write"}});
        let url = format!("{base}/app/installations/{id}/access_tokens");
        let asked = Call::post("the App's token", url, Payload::Json(body)).repeatable();
        let answer = provider.ask(&call(asked), budget, now).await;
        let granted: Granted = answer.map_err(refused)?.json()?;
        *known() = Some(Kept {
            of,
            token: granted.token.clone(),
            until: granted.expires_at.saturating_sub(MARGIN).unwrap_or(now),
        });
        Ok(granted.token)
    }

    /// GitHub does not take the token: the next call gets another.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A token of the App itself, as GitHub wants it (RFC 7519, RS256).
fn jwt(app: &str, key: &Secret, sign: Rs256, now: Timestamp) -> Option<Secret> {
    let now = now.as_second();
    let claims = json!({"iat": now - CLOCKS_DIFFER, "exp": now + LIVES, "iss": app});
    let text = format!(
        "{}.{}",
        BASE64.encode(r#"{"alg":"RS256","typ":"JWT"}"#),
        BASE64.encode(claims.to_string())
    );
    let signature = sign(key, text.as_bytes())?;
    Some(Secret::new(format!("{text}.{}", BASE64.encode(signature))))
}

fn refused(error: ProviderError, app: &str, repository: &str) -> Unsaid {
    let (kind, text) = match &error.trouble {
        Trouble::Denied { status: 401 } => (
            FaultKind::Permission,
            format!(
                "GitHub does not take the App {app} with its key: check appId, and renew the secret that token names"
            ),
        ),
        Trouble::NotFound => (
            FaultKind::Configuration,
            format!("the App {app} is not installed at {repository}: install it there"),
        ),
        Trouble::Refused { status: 422, .. } => (
            FaultKind::Permission,
            format!(
                "the App {app} may not write what is said of commits of {repository}: give it that permission"
            ),
        ),
        _ => return error.into(),
    };
    Unsaid::Final(Fault::new(kind, text).because(error))
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}
