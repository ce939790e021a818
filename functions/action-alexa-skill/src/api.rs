//! Calls of the Skill Management API.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use shared::{
    fault::Fault,
    follow::Setback,
    port::{SecretStore, Timer},
    provider::{Answer, Call, Http, Payload, Provider, ProviderError, Trouble, segment},
    secret::Secret,
    start::StartError,
};

use crate::{judge::Status, params::Params, token::Tokens};

/// The API for one step.
pub struct Api<'a, H, T, S> {
    /// Alexa.
    pub provider: &'a Provider<H, T>,
    /// Where the credentials are.
    pub secrets: &'a S,
    /// The token in hand.
    pub tokens: &'a Tokens,
    /// What is wanted.
    pub params: &'a Params,
    /// For one call.
    pub budget: Duration,
    /// Now.
    pub now: Timestamp,
}

/// Why a call brought nothing.
#[derive(Debug)]
pub enum ApiError {
    /// HTTP's side.
    Http(ProviderError),
    /// No credentials.
    NoToken(Fault),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Upload {
    upload_url: Secret,
}

impl<H: Http, T: Timer, S: SecretStore> Api<'_, H, T, S> {
    /// Uploads a package; answers where it lies.
    pub async fn upload(&self, package: &Path) -> Result<Secret, ApiError> {
        let url = format!("{}/v1/skills/uploads", self.params.base);
        let answer = self
            .ask(|| Call::post("the place for the package", &url, Payload::Empty).repeatable())
            .await?;
        let place = answer.json::<Upload>()?.upload_url;
        let file = Payload::File {
            content_type: "application/zip".to_owned(),
            path: package.to_owned(),
        };
        // The address is signed: it takes no token, and is a secret itself.
        let call = Call::put("the package", place.reveal(), file)
            .hiding(&place)
            .repeatable();
        self.provider.ask(&call, self.budget, self.now).await?;
        Ok(place)
    }

    /// Begins an import; answers its id.
    pub async fn import(&self, place: &Secret, etag: Option<&str>) -> Result<String, ApiError> {
        let skill = segment(&self.params.skill);
        let url = format!("{}/v1/skills/{skill}/imports", self.params.base);
        let body = json!({"location": place.reveal()});
        let answer = self
            .ask(|| {
                let call =
                    Call::post("the import", &url, Payload::Json(body.clone())).hiding(place);
                match etag {
                    Some(etag) => call.header("if-match", etag.to_owned()),
                    None => call,
                }
            })
            .await?;
        let id = answer
            .header("location")
            .and_then(|place| place.split(['?', '#']).next()?.rsplit('/').next());
        let usable = |id: &&str| !id.is_empty() && id.len() <= 200 && !id.contains('#');
        id.filter(usable).map(str::to_owned).ok_or_else(|| {
            let why = "no Location that ends in the import's id".to_owned();
            answer.trouble(Trouble::Garbled { why }).into()
        })
    }

    /// Where an import stands.
    pub async fn status(&self, import: &str) -> Result<Status, ApiError> {
        let url = format!("{}/v1/skills/imports/{}", self.params.base, segment(import));
        let answer = self.ask(|| Call::get("the import's status", &url)).await?;
        Ok(answer.json()?)
    }

    /// Submits the skill for certification.
    pub async fn submit(&self) -> Result<(), ApiError> {
        let skill = segment(&self.params.skill);
        let url = format!("{}/v1/skills/{skill}/submit", self.params.base);
        let what = "the submission for certification";
        let call = || Call::post(what, &url, Payload::Json(json!({})));
        self.ask(call).await.map(drop)
    }

    /// Asks with a token, and once more with a new one when it is not accepted: nothing was done then.
    async fn ask(&self, call: impl Fn() -> Call) -> Result<Answer, ApiError> {
        let token = self.token().await?;
        let first = call().bearer(&token);
        match self.provider.ask(&first, self.budget, self.now).await {
            Err(error) if error.status() == Some(401) => {}
            other => return Ok(other?),
        }
        self.forget_token();
        let token = self.token().await?;
        let second = call().bearer(&token);
        Ok(self.provider.ask(&second, self.budget, self.now).await?)
    }
}

impl From<ProviderError> for ApiError {
    fn from(error: ProviderError) -> Self {
        Self::Http(error)
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        Self::NoToken(fault)
    }
}

impl From<ApiError> for Setback {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Http(error) => error.into(),
            ApiError::NoToken(fault) => fault.into(),
        }
    }
}

impl From<ApiError> for StartError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Http(error) => error.start_error(),
            ApiError::NoToken(fault) => Self::NotStarted(fault),
        }
    }
}

impl ApiError {
    /// Whether the vendor said no to it.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Http(error) => matches!(error.status(), Some(400 | 403 | 409)),
            Self::NoToken(_) => false,
        }
    }

    /// Of a call before the start: certainly nothing was started.
    pub fn before(self) -> StartError {
        StartError::NotStarted(match self {
            Self::Http(error) => error.fault(),
            Self::NoToken(fault) => fault,
        })
    }
}
