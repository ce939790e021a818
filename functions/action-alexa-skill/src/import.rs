//! One import: begun, looked at, remembered.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize};
use shared::{
    action::Done,
    fault::{Fault, FaultKind},
    follow::{Look, Setback, Vendor},
    job::{Details, Job},
    port::{Artifacts, SecretStore, Shelf, Timer},
    provider::Http,
    start::{Found, StartError, Starter},
};

use crate::{
    NAME,
    api::{Api, ApiError},
    judge::{Status, Verdict, judge},
    package::Package,
};

/// An import for one step. Its id is `IMPORT#HASH`, or `unchanged#HASH` where the package is the last one's.
pub struct Import<'a, H, T, S, L, A> {
    api: Api<'a, H, T, S>,
    shelf: &'a L,
    artifacts: &'a A,
    job: &'a Job,
    /// An earlier attempt may have arrived.
    again: AtomicBool,
}

/// What is kept between two looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// The skill was submitted for certification.
    #[serde(default)]
    pub submitted: bool,
    /// It may have been: an answer was lost.
    #[serde(default)]
    pub tried: bool,
}

/// What is remembered of a skill's last good import.
#[derive(Debug, Serialize, Deserialize)]
struct Last {
    hash: String,
    etag: Option<String>,
}

/// Where people see their skills.
const CONSOLE: &str = "https://developer.amazon.com/alexa/console/ask";
const UNCHANGED: &str = "unchanged";
const LAST: &str = "last-package";

impl<'a, H, T, S, L, A> Import<'a, H, T, S, L, A>
where
    H: Http,
    T: Timer,
    S: SecretStore,
    L: Shelf,
    A: Artifacts,
{
    pub fn new(api: Api<'a, H, T, S>, shelf: &'a L, artifacts: &'a A, job: &'a Job) -> Self {
        Self {
            api,
            shelf,
            artifacts,
            job,
            again: AtomicBool::new(false),
        }
    }

    fn key(&self) -> String {
        format!("{NAME}/{}", self.api.params.skill)
    }

    async fn last(&self) -> Result<Option<Last>, Fault> {
        let text = self.shelf.get(&self.key(), LAST).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    async fn done(&self, run: &str, import: &Status, found: Verdict) -> Result<Done, Setback> {
        let skill = import.skill.as_ref();
        let etag = skill.and_then(|skill| skill.e_tag.clone());
        let (id, hash) = run.split_once('#').unwrap_or((run, ""));
        let Verdict::Good { summary, warnings } = found else {
            return Ok(Done::default());
        };
        let last = Last {
            hash: hash.to_owned(),
            etag: etag.clone(),
        };
        let last = serde_json::to_string(&last).expect("texts are JSON");
        let kept = self.shelf.put(&self.key(), LAST, &last).await;
        kept.map_err(Fault::from)?;
        let certified = if self.api.params.certify {
            ", submitted for certification"
        } else {
            ""
        };
        let status = if id == UNCHANGED {
            "UNCHANGED"
        } else {
            "SUCCEEDED"
        };
        let variables = [
            ("SkillId", self.api.params.skill.clone()),
            ("ImportId", id.to_owned()),
            ("ImportStatus", status.to_owned()),
            ("ETag", etag.unwrap_or_default()),
            ("PackageSha256", hash.to_owned()),
            ("Warnings", warnings.to_string()),
        ];
        Ok(Done {
            details: Details {
                summary: Some(format!("{}: {summary}{certified}", self.api.params.skill)),
                ..Details::default()
            },
            variables: BTreeMap::from(variables.map(|(name, value)| (name.to_owned(), value))),
        })
    }
}

impl<H, T, S, L, A> Starter for Import<'_, H, T, S, L, A>
where
    H: Http,
    T: Timer,
    S: SecretStore,
    L: Shelf,
    A: Artifacts,
{
    async fn start(&self) -> Result<String, StartError> {
        let package = Package::of(self.artifacts, self.job).await;
        let package = package.map_err(StartError::NotStarted)?;
        let hash = &package.hash;
        let last = self.last().await.map_err(StartError::NotStarted)?;
        if last.as_ref().is_some_and(|last| last.hash == *hash) {
            return Ok(format!("{UNCHANGED}#{hash}"));
        }
        let place = self.api.upload(&package.path()).await;
        let place = place.map_err(ApiError::before)?;
        let free = self.api.params.overwrite || self.again.load(Ordering::Relaxed);
        let etag = last.and_then(|last| last.etag).filter(|_| !free);
        let import = self.api.import(&place, etag.as_deref()).await;
        let id = import.map_err(|error| refused(error, &self.api.params.skill))?;
        Ok(format!("{id}#{hash}"))
    }

    /// The vendor has no list of imports, and the same package again is harmless.
    async fn find(&self) -> Result<Found, Fault> {
        self.again.store(true, Ordering::Relaxed);
        Ok(Found::Nothing)
    }
}

impl<H, T, S, L, A> Vendor for Import<'_, H, T, S, L, A>
where
    H: Http,
    T: Timer,
    S: SecretStore,
    L: Shelf,
    A: Artifacts,
{
    type Notes = Notes;

    async fn look(&self, run: &str, notes: &mut Notes) -> Result<Look, Setback> {
        let (id, _) = run.split_once('#').unwrap_or((run, ""));
        if id == UNCHANGED {
            let last = self.last().await?;
            let etag = last.and_then(|last| last.etag);
            let import = Status {
                skill: Some(crate::judge::Skill {
                    e_tag: etag,
                    resources: None,
                }),
                ..Status::default()
            };
            let verdict = Verdict::Good {
                summary: "the package is that of the last import, nothing was done".to_owned(),
                warnings: 0,
            };
            return self.done(run, &import, verdict).await.map(Look::Passed);
        }
        let import = self.api.status(id).await?;
        let what = format!("the import into {}", self.api.params.skill);
        match judge(&import) {
            Verdict::Going(text) => Ok(Look::Going {
                summary: format!("{what}: {text}"),
                percent: None,
                again_in: None,
            }),
            Verdict::Bad(text) => {
                let fault = Fault::new(FaultKind::Failed, format!("{what} {text}"));
                Err(Setback::Final(fault))
            }
            Verdict::Unknown(word) => {
                let text = format!("{what} has the status {word:?}, which is not known here");
                Err(Setback::Odd(Fault::new(FaultKind::Failed, text)))
            }
            good @ Verdict::Good { .. } => {
                if self.api.params.certify && !notes.submitted {
                    match self.api.submit().await {
                        Ok(()) => {}
                        // The lost one arrived: a skill that is in certification takes no other.
                        Err(error) if notes.tried && error.is_refusal() => {}
                        Err(error) => {
                            notes.tried = true;
                            return Err(error.into());
                        }
                    }
                    notes.submitted = true;
                }
                self.done(run, &import, good).await.map(Look::Passed)
            }
        }
    }

    async fn stop(&self, _: &str) -> Result<(), Fault> {
        Err(Fault::new(
            FaultKind::Failed,
            "Alexa has no call for that, the import goes on",
        ))
    }

    fn link(&self, _: &str) -> Option<String> {
        Some(CONSOLE.to_owned())
    }
}

/// Refusals that mean something of their own here.
fn refused(error: ApiError, skill: &str) -> StartError {
    let status = match &error {
        ApiError::Http(error) => error.status(),
        ApiError::NoToken(_) => None,
    };
    let (kind, text) = match status {
        Some(409) => (
            FaultKind::Unavailable,
            format!("another import into {skill} is running: this one waits for it"),
        ),
        Some(412) => (
            FaultKind::Failed,
            format!(
                "{skill} was changed since this pipeline's last import: take the change over into the package, or set \
                 overwrite to true to lose it"
            ),
        ),
        Some(413) => (
            FaultKind::Configuration,
            "the skill's package is larger than Alexa takes: leave out what the skill does not need".to_owned(),
        ),
        _ => return error.into(),
    };
    let fault = Fault::new(kind, text);
    StartError::NotStarted(match error {
        ApiError::Http(error) => fault.because(error),
        ApiError::NoToken(_) => fault,
    })
}
