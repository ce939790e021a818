//! Calls of LoadRunner Cloud's API, with the login before them.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::{
    fault::Fault,
    follow::Setback,
    port::Timer,
    provider::{Answer, Call, Http, Method, Payload, Provider, ProviderError, Trouble, query},
    secret::Secret,
};

use crate::{
    params::Params,
    wire::{Message, Token},
};

/// Tokens of this process, by who logged in where. How long one lives is not documented: one that is refused is
/// forgotten.
#[derive(Default)]
pub struct Sessions(Mutex<BTreeMap<String, Secret>>);

/// The API for one step.
pub struct Api<'a, H, T> {
    /// LoadRunner Cloud.
    pub provider: &'a Provider<H, T>,
    /// Where tokens are kept.
    pub sessions: &'a Sessions,
    /// Address, tenant, who logs in.
    pub params: &'a Params,
    /// Secret or password.
    pub secret: Secret,
    /// For one call.
    pub budget: Duration,
    /// Now.
    pub now: Timestamp,
}

/// Why a call brought nothing.
pub enum ApiError {
    /// There was no login: certainly the call was not made.
    Login(ProviderError),
    /// The call itself.
    Call(ProviderError),
}

/// The vendor's own tools log in again so often.
const LOGINS: u32 = 3;
/// A report larger than this is not taken.
const LONGEST_REPORT: usize = 200 * 1024 * 1024;
/// The cookie of the older login.
const COOKIE: &str = "LWSSO_COOKIE_KEY";

impl<H: Http, T: Timer> Api<'_, H, T> {
    /// Asks for JSON.
    pub async fn ask<V: DeserializeOwned>(
        &self,
        method: Method,
        what: &'static str,
        path: &str,
        parameters: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<V, ApiError> {
        let url = self.url(path, parameters);
        let payload = body.map_or(Payload::Empty, Payload::Json);
        let call = Call::new(method, what, url, payload);
        let answer = self.send(&call).await?;
        answer.json().map_err(ApiError::Call)
    }

    /// Reads JSON.
    pub async fn get<V: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &str,
    ) -> Result<V, ApiError> {
        self.ask(Method::Get, what, path, &[], None).await
    }

    /// Tells something; what is answered does not matter.
    pub async fn tell(
        &self,
        what: &'static str,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<(), ApiError> {
        let url = self.url(path, parameters);
        let call = Call::put(what, url, Payload::Json(json!({}))).repeatable();
        self.send(&call).await.map(drop)
    }

    /// Writes a report into a file; `false` while it is not ready.
    pub async fn report(&self, id: u64, to: &Path) -> Result<bool, ApiError> {
        let url = self.url(&format!("/v1/test-runs/reports/{id}"), &[]);
        let call = Call::get("the report", url)
            .limit(LONGEST_REPORT)
            .save_to(to);
        let mut answer = self.send(&call).await?;
        let kind = answer.header("content-type").unwrap_or_default();
        if kind.contains("octet-stream") && !answer.cut {
            return Ok(true);
        }
        let garbled = |why: &str| {
            let why = why.to_owned();
            ApiError::Call(self.provider.error(&call, Trouble::Garbled { why }))
        };
        if answer.cut {
            return Err(garbled("more than 200 MB"));
        }
        if answer.saved > 10_000 {
            return Err(garbled("something that is no report"));
        }
        answer.body = std::fs::read(to).unwrap_or_default();
        let message: Message = answer.json().map_err(ApiError::Call)?;
        match message.message.as_str() {
            "In progress" => Ok(false),
            _ => Err(garbled(
                "neither the report nor word that it is in progress",
            )),
        }
    }

    /// Sends a call with a login, and logs in again while the session is over: 401, or a sign-in page in place of the
    /// answer. The call was not carried out then, so it is made again.
    async fn send(&self, call: &Call) -> Result<Answer, ApiError> {
        let mut logins = 0;
        let mut last = None;
        loop {
            let token = match self.sessions.get(&self.who()) {
                Some(token) => token,
                None if logins >= LOGINS => {
                    let denied = || self.provider.error(call, Trouble::Denied { status: 401 });
                    return Err(ApiError::Call(last.unwrap_or_else(denied)));
                }
                None => {
                    logins += 1;
                    let token = self.login().await.map_err(ApiError::Login)?;
                    self.sessions.set(self.who(), token.clone());
                    token
                }
            };
            let signed = if self.params.is_client() {
                call.clone().bearer(&token)
            } else {
                let cookie = format!("{COOKIE}={}", token.reveal());
                call.clone().hiding(&token).header("cookie", cookie)
            };
            match self.provider.ask(&signed, self.budget, self.now).await {
                Ok(answer) if !is_sign_in(call, &answer) => return Ok(answer),
                Ok(answer) => last = answer.json::<Value>().err(),
                Err(error) if error.status() == Some(401) => last = Some(error),
                Err(error) => return Err(ApiError::Call(error)),
            }
            self.sessions.forget(&self.who(), &token);
        }
    }

    async fn login(&self) -> Result<Secret, ProviderError> {
        let secret = self.secret.reveal();
        let name = self.params.client.as_str();
        let (path, body) = match self.params.is_client() {
            true => (
                "/v1/auth-client",
                json!({"client_id": name, "client_secret": secret}),
            ),
            false => ("/v1/auth", json!({"user": name, "password": secret})),
        };
        let call = Call::post("the login", self.url(path, &[]), Payload::Json(body))
            .hiding(&self.secret)
            .repeatable();
        let answer = self.provider.ask(&call, self.budget, self.now).await?;
        let token: Token = answer.json()?;
        Ok(Secret::new(token.token))
    }

    fn url(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut all = vec![("TENANTID", self.params.tenant.as_str())];
        all.extend(parameters);
        format!("{}{path}?{}", self.params.base, query(&all))
    }

    fn who(&self) -> String {
        let params = self.params;
        format!("{} {} {}", params.base, params.tenant, params.client)
    }
}

/// A session that is over may answer 200 with a page. Of a call that must not be made twice the page must say so: another
/// one may come from a proxy behind which the call arrived.
fn is_sign_in(call: &Call, answer: &Answer) -> bool {
    let kind = answer.header("content-type").unwrap_or_default();
    let page = kind.contains("html") || answer.body.trim_ascii_start().starts_with(b"<");
    let says = || {
        let text = answer.text().to_lowercase();
        ["sign in", "log in", "login"]
            .iter()
            .any(|words| text.contains(words))
    };
    page && (call.repeatable || says())
}

impl Sessions {
    fn get(&self, who: &str) -> Option<Secret> {
        self.with(|all| all.get(who).cloned())
    }

    fn set(&self, who: String, token: Secret) {
        self.with(|all| all.insert(who, token));
    }

    /// Another step may have a newer one by now, which stays.
    fn forget(&self, who: &str, token: &Secret) {
        self.with(|all| {
            if all.get(who) == Some(token) {
                all.remove(who);
            }
        });
    }

    fn with<V>(&self, act: impl FnOnce(&mut BTreeMap<String, Secret>) -> V) -> V {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<ApiError> for ProviderError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Login(error) | ApiError::Call(error) => error,
        }
    }
}

impl From<ApiError> for Setback {
    fn from(error: ApiError) -> Self {
        ProviderError::from(error).into()
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        ProviderError::from(error).fault()
    }
}
