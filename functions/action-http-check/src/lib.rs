//! `action-http-check`: asks one page until it answers as expected.
//!
//! - **Trigger**: a pipeline's Lambda invoke action (`CodePipeline.job`).
//! - **Effects**: GETs the page once in each step. Reads its input artifact, with the job's own credentials, only when
//!   `matchArtifactFile` is given. Reports one result; while the site is not up it continues with a token.
//! - **Permissions**: `codepipeline:PutJobSuccessResult`, `codepipeline:PutJobFailureResult`, its own log group.
//! - **Failure**: `JobFailed` says that the page answered wrongly, or not in time; `RevisionUnavailable` that the
//!   artifact lacks the file; `ConfigurationError` that `UserParameters` are wrong. Nothing was changed by it, so
//!   retrying the stage is safe.
//!
//! Parameters (JSON in `UserParameters`, unknown fields refused): `url`; `expectStatus` (200); `expectText`;
//! `matchArtifactFile`, a path in the first input artifact, which may be as large as the function's disk; `timeoutSeconds` (600), the patience counted from the
//! action's start; `attemptTimeoutSeconds` (10). Output variables: `Url`, `StatusCode`, `ResponseTimeMs`, `Checks`,
//! `BodyBytes`, and `BodySha256` of bodies up to 4 MiB.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use shared::{
    action::{Action, Done, Request, Step},
    fault::{Fault, FaultKind},
    job::{Details, Job},
    port::{ArtifactFiles, PageAnswer, PageFetcher, PortError},
};

use crate::{
    judge::{Digest, Seen, Verdict, judge},
    params::Params,
};

mod description;
pub mod judge;
pub mod params;

/// The action over its two ports.
#[derive(Debug)]
pub struct HttpCheck<P, F> {
    pages: P,
    files: F,
}

/// What is kept between two steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Attempts made.
    pub checks: u32,
    /// What the page must equal, so that the artifact is read once.
    pub expected: Option<Digest>,
}

/// Larger pages are cut here, and larger files of an artifact are not compared.
const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// For hosts that choose the interval themselves.
const AGAIN_IN: Duration = Duration::from_secs(5);

impl<P, F> HttpCheck<P, F> {
    /// The action over these ports.
    pub fn new(pages: P, files: F) -> Self {
        Self { pages, files }
    }
}

impl<P: PageFetcher, F: ArtifactFiles> Action for HttpCheck<P, F> {
    const NAME: &'static str = "action-http-check";
    type Params = Params;
    type Progress = Progress;
    const STOPS: bool = false;
    const FIRST_STEP_CUT_OFF: shared::action::CutOff = shared::action::CutOff::AskAgain;

    async fn step(&self, request: Request<'_, Params, Progress>) -> Result<Step<Progress>, Fault> {
        let params = request.params;
        let mut progress = match request.progress {
            Some(progress) => progress,
            None => Progress {
                checks: 0,
                expected: self.expected(params, request.job).await?,
            },
        };
        progress.checks += 1;
        let timeout = params.attempt.min(request.budget);
        let answer = match self
            .pages
            .get(params.url.as_str(), timeout, BODY_LIMIT + 1)
            .await
        {
            Ok(answer) => Ok(answer),
            Err(PortError::Unavailable { source, .. }) => Err(source.map_or_else(
                || format!("nothing within {} s", timeout.as_secs()),
                |source| source.to_string(),
            )),
            Err(error) => return Err(error.into()),
        };
        let seen = seen(params, &answer);
        let elapsed = elapsed(request.started_at, request.now);
        match (judge(params, progress.expected.as_ref(), &seen), answer) {
            (Verdict::Good, Ok(answer)) => Ok(Step::Done(done(params, &progress, &seen, &answer))),
            (Verdict::Wrong(why), _) => Err(Fault::new(
                FaultKind::Failed,
                format!("{} answered wrongly: {why}", params.url),
            )),
            (Verdict::NotYet(why), _) if elapsed >= params.patience => Err(Fault::new(
                FaultKind::TimedOut,
                format!(
                    "{} did not come up within {} s; last seen: {why}",
                    params.url,
                    params.patience.as_secs()
                ),
            )),
            (Verdict::NotYet(why), _) => Ok(wait(params, progress, elapsed, &why)),
            (Verdict::Good, Err(why)) => Ok(wait(params, progress, elapsed, &why)),
        }
    }
}

impl<P, F: ArtifactFiles> HttpCheck<P, F> {
    /// The digest of the artifact's file that the page must equal.
    async fn expected(&self, params: &Params, job: &Job) -> Result<Option<Digest>, Fault> {
        let Some(file) = params.match_artifact_file.clone() else {
            return Ok(None);
        };
        let Some(artifact) = job.inputs.first() else {
            return Err(Fault::new(
                FaultKind::Configuration,
                "matchArtifactFile is given, but the action has no input artifact: add one to the action",
            ));
        };
        let limit = BODY_LIMIT as u64;
        let read = self
            .files
            .read(job.credentials.as_ref(), artifact, &file, limit)
            .await;
        let bytes = read.map_err(|error| match &error {
            PortError::NotFound { .. } | PortError::Invalid { .. } => {
                let text = format!("matchArtifactFile: {error}");
                Fault::new(FaultKind::Artifact, text).because(error)
            }
            _ => error.into(),
        })?;
        Ok(Some(digest(&bytes)))
    }
}

fn seen(params: &Params, answer: &Result<PageAnswer, String>) -> Seen {
    match answer {
        Err(why) => Seen::Nothing { why: why.clone() },
        Ok(answer) => Seen::Answer {
            status: answer.status,
            body: digest(&answer.body),
            has_text: params
                .expect_text
                .as_ref()
                .is_none_or(|text| holds(&answer.body, text.as_bytes())),
        },
    }
}

fn digest(body: &[u8]) -> Digest {
    let kept = &body[..body.len().min(BODY_LIMIT)];
    Digest {
        sha256: hex::encode(Sha256::digest(kept)),
        bytes: kept.len() as u64,
        cut: kept.len() < body.len(),
    }
}

fn holds(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len()).any(|part| part == text)
}

fn elapsed(from: jiff::Timestamp, now: jiff::Timestamp) -> Duration {
    Duration::try_from(now.duration_since(from)).unwrap_or_default()
}

fn wait(params: &Params, progress: Progress, elapsed: Duration, why: &str) -> Step<Progress> {
    let percent = match params.patience.as_secs() {
        0 => 99,
        patience => (elapsed.as_secs() * 100 / patience).min(99),
    };
    let details = Details {
        summary: Some(format!("waiting for {}: {why}", params.url)),
        external_id: None,
        percent: u8::try_from(percent).ok(),
        link: Some(params.url.to_string()),
    };
    Step::Wait {
        progress,
        details,
        again_in: AGAIN_IN,
    }
}

fn done(params: &Params, progress: &Progress, seen: &Seen, answer: &PageAnswer) -> Done {
    let took = answer.took.as_millis();
    let mut variables = BTreeMap::from(
        [
            ("Url", params.url.to_string()),
            ("StatusCode", answer.status.to_string()),
            ("ResponseTimeMs", took.to_string()),
            ("Checks", progress.checks.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    if let Seen::Answer { body, .. } = seen {
        variables.insert("BodyBytes".to_owned(), body.bytes.to_string());
        if !body.cut {
            variables.insert("BodySha256".to_owned(), body.sha256.clone());
        }
    }
    let summary = format!("{} answered {} in {took} ms", params.url, answer.status);
    Done {
        details: Details {
            summary: Some(summary),
            external_id: None,
            percent: Some(100),
            link: Some(params.url.to_string()),
        },
        variables,
    }
}

#[cfg(test)]
mod tests;
