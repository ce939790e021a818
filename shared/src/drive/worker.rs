//! The worker host: jobs of a custom action type, taken and worked on side by side.
//!
//! A job is noted as open *before* it is acknowledged, so that whatever becomes of this process, the next round finds
//! it: [`OpenJobs::left_open`] names jobs whose worker has ended, and they are worked on as if just taken.

use std::time::Duration;

use futures_util::future::{join, join_all};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    DriveError, Ended, Outside, decide,
    run::Run,
    wait::{self, Swept, Woken},
    wakes::{posted, wakes},
};
use crate::{
    action::Action,
    config::worker::WorkerSettings,
    fault::Fault,
    host::is_callback,
    id::JobId,
    job::{Job, Origin, Report},
    port::{Clock, JobSource, OpenJob, OpenJobs, Polled, PortError, Timer},
};

/// What became of a round.
#[derive(Debug, Default)]
pub struct Worked {
    /// Jobs that were reported.
    pub ended: Vec<Ended>,
    /// What became of state machines' tasks that waited with their tokens.
    pub woken: Vec<Woken>,
    /// Jobs that other workers took, and tasks that other deliveries have in hand.
    pub lost: u32,
    /// Why the event was no reason to work.
    pub ignored: Option<&'static str>,
    /// What went wrong beside it. What was left open is found by the next round.
    pub warnings: Vec<PortError>,
    /// A report that did not arrive: the invocation must fail, though its job stays noted and is found again.
    pub undelivered: Option<DriveError>,
}

/// After its deadline a process is ended at once; its calls may still arrive for a moment.
pub(super) const AFTERMATH: Duration = Duration::from_secs(10);
/// No further round is begun with less time.
pub(super) const ROUND: Duration = Duration::from_secs(20);
/// Calls made to take one job, and to poll.
const ATTEMPTS: u32 = 3;
/// The wait before the next of them; doubled each time.
const WAIT: Duration = Duration::from_millis(100);

/// Looks at tasks that wait, and takes jobs where the function is a worker.
pub(super) async fn work<A: Action, O: Outside>(
    action: &A,
    outside: &O,
    event: Value,
    deadline: Timestamp,
) -> Result<Worked, DriveError> {
    let ignored = |why| Worked {
        ignored: Some(why),
        ..Worked::default()
    };
    if is_callback(&event)
        && let Err(why) = posted(&event)
    {
        return Ok(ignored(why));
    }
    let sweep = wait::sweep(action, outside, &event, deadline);
    let settings = match outside.worker() {
        Some(settings) => settings,
        // A function may be a task's alone.
        None => match sweep.await {
            Some(swept) => return Ok(Worked::default().with(swept)),
            None => {
                return Err(DriveError::NoWorker {
                    missing: "STAGEWRIGHT_ACTION_TYPE names no custom action type",
                });
            }
        },
    };
    if let Err(why) = wakes(&event, settings) {
        return Ok(ignored(why));
    }
    let (swept, worked) = join(sweep, rounds(action, outside, settings, deadline)).await;
    let swept = swept.unwrap_or_default();
    match worked {
        Ok(worked) => Ok(worked.with(swept)),
        Err(error) if swept.woken.is_empty() => Err(error),
        Err(error) => {
            let worked = Worked::default().with(swept);
            Ok(Worked {
                undelivered: Some(error),
                ..worked
            })
        }
    }
}

/// Takes jobs and works on them until there are none, or the time is short.
async fn rounds<A: Action, O: Outside>(
    action: &A,
    outside: &O,
    settings: &WorkerSettings,
    deadline: Timestamp,
) -> Result<Worked, DriveError> {
    let table = outside.table().ok_or(DriveError::NoWorker {
        missing: "STAGEWRIGHT_TABLE names no table, so jobs left by a crash would be lost",
    })?;
    let mut worked = Worked::default();
    let round = Round {
        action,
        outside,
        settings,
        table,
        deadline,
        by: outside.new_id(),
    };
    round.left(&mut worked).await;
    loop {
        let offers = round.poll().await.map_err(DriveError::NotPolled)?;
        let full = offers.len() >= settings.most;
        let before = worked.ended.len();
        let jobs = join_all(offers.into_iter().map(|offer| round.offered(offer))).await;
        worked.add(jobs);
        // A continued job is offered again at once: it waits for the next event, else its step would be repeated
        // without a pause.
        let continued = worked.ended[before..].iter().any(is_continued);
        let left = decide::until(outside.clock().now(), deadline);
        if !full || continued || left < ROUND || worked.undelivered.is_some() {
            return Ok(worked);
        }
    }
}

fn is_continued(ended: &Ended) -> bool {
    matches!(ended.report, Some(Report::Continue { .. }))
}

/// What became of one job.
enum Taken {
    Ended(Box<Ended>, Option<PortError>),
    /// Another worker's.
    Lost(Option<PortError>),
    /// Left for a later round.
    Left(PortError),
    /// Taken, stepped, and its report did not arrive.
    Undelivered(DriveError),
}

impl Worked {
    fn with(mut self, swept: Swept) -> Self {
        self.woken = swept.woken;
        self.lost += swept.lost;
        self.warnings.extend(swept.warnings);
        self.undelivered = self.undelivered.or(swept.undelivered);
        self
    }

    fn add(&mut self, jobs: Vec<Taken>) {
        for job in jobs {
            match job {
                Taken::Ended(ended, warning) => {
                    self.ended.push(*ended);
                    self.warnings.extend(warning);
                }
                Taken::Lost(warning) => {
                    self.lost += 1;
                    self.warnings.extend(warning);
                }
                Taken::Left(warning) => self.warnings.push(warning),
                Taken::Undelivered(error) => self.undelivered = Some(error),
            }
        }
    }
}

struct Round<'a, A, O: Outside> {
    action: &'a A,
    outside: &'a O,
    settings: &'a WorkerSettings,
    table: &'a O::Table,
    deadline: Timestamp,
    by: String,
}

impl<A: Action, O: Outside> Round<'_, A, O> {
    /// Jobs that an earlier worker left.
    async fn left(&self, worked: &mut Worked) {
        let now = self.outside.clock().now();
        let found = self.within(
            "the ledger",
            self.table.left_open(A::NAME, now, self.settings.most),
        );
        let found = match found.await {
            Ok(found) => found,
            Err(error) => {
                worked.warnings.push(error);
                return;
            }
        };
        let jobs = join_all(found.into_iter().map(|old| self.found(old))).await;
        worked.add(jobs);
    }

    async fn found(&self, old: OpenJob) -> Taken {
        let new = self.open_job(&old.job, &old.nonce);
        let reopened = self.table.reopen(A::NAME, &old, &new);
        match self.within("the ledger", reopened).await {
            Ok(()) => {}
            Err(PortError::Conflict { .. }) => return Taken::Lost(None),
            Err(error) => return Taken::Left(error),
        }
        // It may have been acknowledged before its worker ended, or not.
        self.acknowledged(new, Used::Ours).await
    }

    async fn poll(&self) -> Result<Vec<Polled>, PortError> {
        let Some((name, values)) = &self.settings.query else {
            return self.poll_for(None, self.settings.most).await;
        };
        let mut all = Vec::new();
        for value in values {
            let room = self.settings.most - all.len();
            if room == 0 {
                break;
            }
            all.extend(self.poll_for(Some((name, value)), room).await?);
        }
        Ok(all)
    }

    async fn poll_for(
        &self,
        query: Option<(&str, &str)>,
        most: usize,
    ) -> Result<Vec<Polled>, PortError> {
        self.repeated(async || {
            let offers = self.outside.jobs().poll(&self.settings.kind, query, most);
            self.within("PollForJobs", offers).await
        })
        .await
        .map(|mut offers| {
            offers.truncate(most);
            offers
        })
    }

    async fn offered(&self, offer: Polled) -> Taken {
        let open = self.open_job(&offer.id, &offer.nonce);
        let noted = self
            .repeated(async || {
                self.within("the ledger", self.table.open(A::NAME, &open))
                    .await
            })
            .await;
        match noted {
            Ok(()) => self.acknowledged(open, Used::Theirs).await,
            // Another delivery of ours has it in hand, or will find it.
            Err(PortError::Conflict { .. }) => Taken::Lost(None),
            Err(error) => Taken::Left(error),
        }
    }

    /// Takes a job that is noted as open, and works on it.
    async fn acknowledged(&self, open: OpenJob, mut used: Used) -> Taken {
        let mut attempt = 1;
        loop {
            let call = self.outside.jobs().acknowledge(&open.job, &open.nonce);
            match (self.within("AcknowledgeJob", call).await, used) {
                (Ok(true), _) | (Err(PortError::Conflict { .. }), Used::Ours) => {
                    return self.work(&open.job).await;
                }
                (Ok(false) | Err(PortError::NotFound { .. }), Used::Ours) => {
                    return self.over(&open.job).await;
                }
                (Ok(false) | Err(PortError::Conflict { .. } | PortError::NotFound { .. }), _) => {
                    return Taken::Lost(self.close(&open.job).await);
                }
                (Err(PortError::Unavailable { .. }), _) if attempt < ATTEMPTS => {
                    used = Used::Ours;
                    self.pause(attempt).await;
                    attempt += 1;
                }
                (Err(error), _) => return Taken::Left(error),
            }
        }
    }

    /// A job that was ours and is over: reported by a worker that ended before it forgot the job, or given up by the
    /// pipeline.
    async fn over(&self, id: &JobId) -> Taken {
        let mut run = Run::new(self.outside, self.deadline);
        match run.refused(self.action, id, &Origin::Unsaid).await {
            Ok(_) => Taken::Lost(self.close(id).await),
            Err(error) => Taken::Undelivered(error),
        }
    }

    async fn work(&self, id: &JobId) -> Taken {
        let details = self
            .repeated(async || {
                self.within("GetJobDetails", self.outside.jobs().details(id))
                    .await
            })
            .await;
        let job: Result<Job, Fault> = match details {
            Ok(job) => job,
            Err(PortError::NotFound { .. }) => return Taken::Lost(self.close(id).await),
            // Refused for good: the job is told so, the rest may pass.
            Err(error @ (PortError::Denied { .. } | PortError::Invalid { .. })) => {
                Err(Fault::from(error))
            }
            Err(error) => return Taken::Left(error),
        };
        let run = Run::new(self.outside, self.deadline);
        match run.job(self.action, id.clone(), job).await {
            Ok(ended) => Taken::Ended(Box::new(ended), self.close(id).await),
            Err(error) => Taken::Undelivered(error),
        }
    }

    /// A job that stays noted is looked at once more, and found to be over.
    async fn close(&self, id: &JobId) -> Option<PortError> {
        self.within("the ledger", self.table.close(A::NAME, id))
            .await
            .err()
    }

    fn open_job(&self, job: &JobId, nonce: &str) -> OpenJob {
        OpenJob {
            job: job.clone(),
            nonce: nonce.to_owned(),
            by: self.by.clone(),
            until: self
                .deadline
                .checked_add(jiff::SignedDuration::try_from(AFTERMATH).unwrap_or_default())
                .unwrap_or(Timestamp::MAX),
        }
    }

    /// Calls again while the answer is lost.
    async fn repeated<V>(
        &self,
        call: impl AsyncFn() -> Result<V, PortError>,
    ) -> Result<V, PortError> {
        let mut attempt = 1;
        loop {
            match call().await {
                Err(PortError::Unavailable { .. }) if attempt < ATTEMPTS => {
                    self.pause(attempt).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn within<V>(
        &self,
        what: &str,
        call: impl Future<Output = Result<V, PortError>> + Send,
    ) -> Result<V, PortError> {
        let run = Run::new(self.outside, self.deadline);
        run.within(what, run.short(), call).await
    }

    async fn pause(&self, attempt: u32) {
        self.outside.timer().sleep(WAIT * attempt).await;
    }
}

/// Whose a job is whose nonce is found used.
///
/// After an acknowledgement of ours whose reply was lost, or that a crash may have followed, the used nonce is taken
/// for our own: a job wrongly left alone would hang for 24 hours, while another worker takes the same offer in that
/// very moment only where several systems work on one action type.
#[derive(Debug, Clone, Copy)]
enum Used {
    Ours,
    Theirs,
}
