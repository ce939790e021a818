//! Calls of Ghost Inspector's API. The key goes along as a query or form field: there is no header for it.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use serde_json::Value;
use shared::{
    fault::{Fault, FaultKind},
    follow::Setback,
    port::Timer,
    provider::{Call, Http, Payload, Provider, ProviderError, query},
    secret::Secret,
};

use crate::{
    judge::refused,
    wire::{Envelope, RunResult, results},
};

/// The API for one step.
pub struct Api<'a, H, T> {
    /// Ghost Inspector.
    pub provider: &'a Provider<H, T>,
    /// Without a slash at its end.
    pub base: &'a str,
    /// The key.
    pub key: Secret,
    /// For one call.
    pub budget: Duration,
    /// Now.
    pub now: Timestamp,
}

/// Why a call brought no data.
pub enum ApiError {
    /// HTTP's side.
    Http(ProviderError),
    /// An `ERROR`, whatever its status: nothing was done.
    Refused(Fault),
}

/// Results of one page; the vendor gives 50 at most.
pub const PAGE: usize = 50;
/// A report larger than this is no report of a suite.
const LONGEST_REPORT: usize = 16 * 1024 * 1024;

impl<H: Http, T: Timer> Api<'_, H, T> {
    /// Starts something, or changes it. Never a GET: that would start as well.
    pub async fn post(
        &self,
        what: &'static str,
        path: &str,
        fields: &[(String, String)],
    ) -> Result<Value, ApiError> {
        let key = ("apiKey".to_owned(), self.key.reveal().clone());
        let form = Payload::Form(fields.iter().cloned().chain([key]).collect());
        let url = format!("{}{path}", self.base);
        self.ask(Call::post(what, url, form)).await
    }

    /// Reads something.
    pub async fn get(
        &self,
        what: &'static str,
        path: &str,
        parameters: &[(&str, String)],
    ) -> Result<Value, ApiError> {
        self.ask(Call::get(what, self.url(path, parameters))).await
    }

    /// Some results: one, or a list.
    pub async fn results(
        &self,
        what: &'static str,
        path: &str,
        parameters: &[(&str, String)],
    ) -> Result<Vec<RunResult>, ApiError> {
        let data = self.get(what, path, parameters).await?;
        results(data).map_err(|_| {
            let text = format!("Ghost Inspector answered {what} with JSON of an unexpected shape");
            ApiError::Refused(Fault::new(FaultKind::Failed, text))
        })
    }

    /// Writes a suite's xUnit report, which comes without an envelope, into a file.
    pub async fn report(&self, path: &str, to: &Path) -> Result<(), ApiError> {
        let url = self.url(path, &[]);
        let call = Call::get("the xUnit report", url)
            .hiding(&self.key)
            .limit(LONGEST_REPORT);
        let sent = self.provider.ask(&call, self.budget, self.now).await;
        let answer = sent.map_err(ApiError::Http)?;
        let failed = |why: String| ApiError::Refused(Fault::new(FaultKind::Failed, why));
        if answer.body.trim_ascii_start().starts_with(b"{") {
            opened(&call, answer.json().map_err(ApiError::Http)?)?;
        }
        if answer.cut || !holds(&answer.body, b"<testsuite") {
            return Err(failed(
                "Ghost Inspector answered the xUnit report with something that is none".to_owned(),
            ));
        }
        std::fs::write(to, &answer.body).map_err(|error| {
            let text = "the xUnit report could not be written to /tmp";
            ApiError::Refused(Fault::new(FaultKind::Internal, text).because(error))
        })
    }

    fn url(&self, path: &str, parameters: &[(&str, String)]) -> String {
        let mut all = vec![("apiKey", self.key.reveal().clone())];
        all.extend(parameters.iter().cloned());
        format!("{}{path}?{}", self.base, query(&all))
    }

    async fn ask(&self, call: Call) -> Result<Value, ApiError> {
        let call = call.hiding(&self.key);
        let sent = self.provider.ask(&call, self.budget, self.now).await;
        let envelope: Envelope = sent
            .and_then(|answer| answer.json())
            .map_err(ApiError::Http)?;
        opened(&call, envelope)
    }
}

/// The data, unless the answer is an error.
fn opened(call: &Call, envelope: Envelope) -> Result<Value, ApiError> {
    if envelope.code == "SUCCESS" {
        return Ok(envelope.data);
    }
    let words = call.redact(&envelope.message.unwrap_or_default());
    let words: String = words
        .chars()
        .filter(|c| !c.is_control())
        .take(300)
        .collect();
    let fault = refused(call.what, envelope.error_type.as_deref(), &words);
    Err(ApiError::Refused(fault))
}

fn holds(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

impl From<ApiError> for Setback {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Http(error) => error.into(),
            ApiError::Refused(fault) => fault.into(),
        }
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Http(error) => error.fault(),
            ApiError::Refused(fault) => fault,
        }
    }
}
