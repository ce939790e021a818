//! `action-device-farm`: tests an app, or a web site, on real devices at AWS Device Farm.
//!
//! - **Trigger**: all three hosts (docs/hosts.md).
//! - **Effects**: uploads files of its input artifacts, one in each step, and waits until Device Farm has looked at them;
//!   starts one run, looks at it until it is completed, stops it when the patience is over or the pipeline gives the
//!   action up. Puts the list of what the run left, with its links, into its output artifact when it has one.
//! - **Permissions**: `devicefarm:CreateUpload`, `ScheduleRun`, `ListRuns` on the project; `GetUpload`, `GetRun`,
//!   `StopRun`, `ListArtifacts` on what is in it; the ledger's table. All in us-west-2, whatever the function's region:
//!   Device Farm is nowhere else.
//! - **Failure**: `JobFailed` with the counters of the run, or that it did not end in time; `ConfigurationError` that an
//!   upload or the run was refused; `RevisionUnavailable` that a file is not in its artifact; `SystemUnavailable` that
//!   Device Farm did not answer, or had no room, until the patience was over.
//!
//! The run is named after the job and found again by that name. Unconfirmed: what `IdempotencyException` of
//! `ScheduleRun` does; it is taken for "a run of this name is there", which is then looked for. An upload that was cut
//! off is made anew; one that nobody uses is forgotten by Device Farm.
//! Parameters and output variables: `description.rs`.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};
use shared::{
    action::{Action, CutOff, Request, Step, Stop},
    fault::{Fault, FaultKind},
    follow::{self, Rules, Vendor as _, follow},
    job::Details,
    port::{Artifacts, Ledger, PortError, Services, Timer},
    provider::{Http, Provider},
    start::{Found, Starter as _, mark},
};

use crate::{
    api::{Api, fault},
    judge::{Readiness, readiness},
    params::{Origin, Params, Part},
    run::Run,
    upload::{Source, Uploader},
};

mod api;
mod description;
pub mod judge;
pub mod params;
mod run;
mod upload;
pub mod wire;

/// The action over its ports.
pub struct DeviceFarm<S, H, T, L, A> {
    services: S,
    storage: Provider<H, T>,
    ledger: L,
    artifacts: A,
}

/// What is kept between two steps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Uploads that were sent.
    pub uploads: BTreeMap<Part, String>,
    /// Those of them that can be used.
    pub ready: Vec<Part>,
    /// The run.
    pub run: follow::Progress<()>,
}

/// Between two looks at a run, for hosts that choose.
const EVERY: Duration = Duration::from_secs(30);
/// Between two looks at an upload.
const EVERY_UPLOAD: Duration = Duration::from_secs(5);
/// A run's name has 256 characters.
const LONGEST_MARK: usize = 200;

impl<S, H, T, L, A> DeviceFarm<S, H, T, L, A> {
    /// The action over these ports.
    pub fn new(services: S, storage: Provider<H, T>, ledger: L, artifacts: A) -> Self {
        Self {
            services,
            storage,
            ledger,
            artifacts,
        }
    }

    fn run<'a>(&'a self, params: &'a Params, run_key: &str) -> Run<'a, S, A> {
        Run {
            api: Api(&self.services),
            params,
            name: format!("stagewright-{}", mark(run_key, LONGEST_MARK)),
            uploads: BTreeMap::new(),
            output: None,
        }
    }
}

impl<S: Services, H: Http, T: Timer, L: Ledger, A: Artifacts> Action for DeviceFarm<S, H, T, L, A> {
    const NAME: &'static str = "action-device-farm";
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;
    type Params = Params;
    type Progress = Progress;

    async fn step(
        &self,
        mut request: Request<'_, Params, Progress>,
    ) -> Result<Step<Progress>, Fault> {
        let mut progress = request.progress.take().unwrap_or_default();
        if progress.run.run.is_none()
            && let Some(waiting) = self.prepare(&request, &mut progress).await?
        {
            return Ok(waiting);
        }
        let run = Run {
            uploads: progress.uploads.clone(),
            output: Some((&self.artifacts, request.job)),
            ..self.run(request.params, &request.job.run_key)
        };
        let rules = Rules {
            action: Self::NAME,
            what: &request.params.what(),
            patience: request.params.patience,
            every: EVERY,
        };
        let of_run = Request {
            params: request.params,
            progress: Some(progress.run.clone()),
            job: request.job,
            started_at: request.started_at,
            now: request.now,
            budget: request.budget,
            delivery: request.delivery,
        };
        Ok(match follow(&self.ledger, &run, rules, of_run).await? {
            Step::Done(done) => Step::Done(done),
            Step::Wait {
                progress: run,
                details,
                again_in,
            } => Step::Wait {
                progress: Progress { run, ..progress },
                details,
                again_in,
            },
        })
    }

    async fn stop(&self, stop: Stop<'_, Params>) -> Result<(), Fault> {
        self.run(stop.params, "").stop(stop.run).await
    }

    async fn find(&self, request: Request<'_, Params, Progress>) -> Result<Found, Fault> {
        self.run(request.params, &request.job.run_key).find().await
    }
}

impl<S: Services, H: Http, T: Timer, L: Ledger, A: Artifacts> DeviceFarm<S, H, T, L, A> {
    /// Sends the next file, or looks at what was sent; `None` when all can be used. One file a step: what was sent is
    /// kept, whatever becomes of the next.
    async fn prepare(
        &self,
        request: &Request<'_, Params, Progress>,
        progress: &mut Progress,
    ) -> Result<Option<Step<Progress>>, Fault> {
        let params = request.params;
        let waited = Duration::try_from(request.now.duration_since(request.started_at));
        let over = waited.unwrap_or_default() >= params.patience;
        let late = |fault: Fault| Fault {
            kind: FaultKind::Unavailable,
            public: format!(
                "the uploads were not ready within {} minutes; last seen: {}",
                params.patience.as_secs() / 60,
                fault.public
            ),
            ..fault
        };
        let summary = match self.next(request, progress).await {
            Ok(None) => return Ok(None),
            Ok(Some(_)) if over => {
                let text = "Device Farm is still looking at them";
                return Err(late(Fault::new(FaultKind::Unavailable, text)));
            }
            Ok(Some(summary)) => summary,
            Err(fault) if fault.kind == FaultKind::Unavailable && over => return Err(late(fault)),
            Err(fault) if fault.kind == FaultKind::Unavailable => {
                format!("waiting: {}", fault.public)
            }
            Err(fault) => return Err(fault),
        };
        let details = Details {
            summary: Some(summary),
            ..Details::default()
        };
        Ok(Some(Step::Wait {
            progress: progress.clone(),
            details,
            again_in: EVERY_UPLOAD,
        }))
    }

    /// One move towards uploads that can be used: what people read, or `None` when nothing is left to do.
    async fn next(
        &self,
        request: &Request<'_, Params, Progress>,
        progress: &mut Progress,
    ) -> Result<Option<String>, Fault> {
        let params = request.params;
        let missing = params.parts.iter().find_map(|(part, origin)| match origin {
            Origin::File {
                artifact,
                path,
                kind,
            } if !progress.uploads.contains_key(part) => Some(Source {
                part: *part,
                artifact: artifact.as_deref(),
                path,
                kind,
            }),
            _ => None,
        });
        if let Some(source) = missing {
            let uploader = Uploader {
                api: Api(&self.services),
                storage: &self.storage,
                artifacts: &self.artifacts,
                params,
                job: request.job,
                budget: request.budget,
                now: request.now,
            };
            let arn = uploader.upload(source).await?;
            progress.uploads.insert(source.part, arn);
            return Ok(Some(format!("uploaded {}", source.part.name())));
        }
        let api = Api(&self.services);
        let sent: Vec<(Part, String)> = progress
            .uploads
            .iter()
            .filter(|(part, _)| !progress.ready.contains(part))
            .map(|(part, arn)| (*part, arn.clone()))
            .collect();
        let mut waiting = Vec::new();
        for (part, arn) in sent {
            let upload = match api.upload(&arn).await {
                Ok(upload) => upload,
                // Not shown yet.
                Err(error @ PortError::NotFound { .. }) => {
                    let fault = Fault::from(error);
                    return Err(Fault {
                        kind: FaultKind::Unavailable,
                        ..fault
                    });
                }
                Err(error) => return Err(fault(error, "devicefarm:GetUpload")),
            };
            match readiness(part.name(), &upload) {
                Readiness::Ready => progress.ready.push(part),
                Readiness::Waiting => waiting.push(part.name()),
                Readiness::Refused(fault) => return Err(fault),
            }
        }
        if waiting.is_empty() {
            return Ok(None);
        }
        Ok(Some(format!("Device Farm looks at {}", waiting.join(", "))))
    }
}

impl<S, H, T, L, A> fmt::Debug for DeviceFarm<S, H, T, L, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceFarm")
    }
}

#[cfg(test)]
mod tests;
