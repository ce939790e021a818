//! CodePipeline's and Step Functions' sides of the hosts, in memory.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shared::{
    archive::{ArchiveError, read_one},
    drive::decide,
    fault::Fault,
    id::JobId,
    job::{
        ActionState, ArtifactCredentials, ArtifactRef, Job, Origin, Place, RawParameters, Report,
    },
    port::{
        ArtifactFiles, CustomType, JobReporter, JobSource, Polled, PortError, SecretStore,
        TaskCallback, TaskOutcome,
    },
    secret::{Secret, SecretRef},
};

use super::{MemoryArtifacts, Shared, lock, not_found};

/// CodePipeline's ear: a job takes one result, every further one is refused as `InvalidJobState`, as is one for a job of
/// a worker that was not acknowledged.
#[derive(Debug, Clone, Default)]
pub struct MemoryReporter(Shared<Reports>);

#[derive(Debug, Default)]
struct Reports {
    taken: Vec<(JobId, Report)>,
    waiting: BTreeSet<JobId>,
    abandoned: bool,
}

impl MemoryReporter {
    /// All reports that were taken, in order.
    pub fn taken(&self) -> Vec<(JobId, Report)> {
        lock(&self.0).taken.clone()
    }

    /// The pipeline gives the action up: no job of it takes a report any more.
    pub fn abandon(&self) {
        lock(&self.0).abandoned = true;
    }

    /// The report of one job.
    pub fn of(&self, job: &str) -> Option<Report> {
        let taken = self.taken();
        let found = taken.into_iter().find(|(id, _)| id.as_str() == job);
        found.map(|(_, report)| report)
    }
}

impl JobReporter for MemoryReporter {
    async fn report(&self, job: &JobId, report: &Report) -> Result<(), PortError> {
        let mut state = lock(&self.0);
        let known = state.taken.iter().any(|(known, _)| known == job);
        if known || state.abandoned || state.waiting.contains(job) {
            return Err(PortError::Conflict {
                what: format!("the state of job {job}"),
            });
        }
        state.taken.push((job.clone(), report.clone()));
        Ok(())
    }
}

/// Jobs of a custom action type. A job is offered until it is acknowledged; its nonce is good once.
#[derive(Debug, Clone)]
pub struct MemoryJobs {
    reporter: MemoryReporter,
    state: Shared<BTreeMap<JobId, Offer>>,
}

#[derive(Debug)]
struct Offer {
    event: Value,
    run: String,
    acknowledged: u32,
}

impl MemoryJobs {
    /// Jobs whose results this reporter takes.
    pub fn of(reporter: &MemoryReporter) -> Self {
        Self {
            reporter: reporter.clone(),
            state: Shared::default(),
        }
    }

    /// Offers a job: that of an invoke action's event, its parameters as a flat configuration. `run` is the action
    /// execution's id.
    ///
    /// # Panics
    /// When the event has no id.
    pub fn offer(&self, event: &Value, run: &str) {
        let id = event["CodePipeline.job"]["id"].as_str().expect("an id");
        let id: JobId = id.parse().expect("a job's id");
        lock(&self.reporter.0).waiting.insert(id.clone());
        lock(&self.state).insert(
            id,
            Offer {
                event: event.clone(),
                run: run.to_owned(),
                acknowledged: 0,
            },
        );
    }

    /// Somebody else takes a job.
    pub fn steal(&self, job: &JobId) {
        if let Some(offer) = lock(&self.state).get_mut(job) {
            offer.acknowledged += 1;
        }
    }
}

/// What a custom action's configuration holds: every value a text.
pub fn flat(parameters: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    parameters
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

impl JobSource for MemoryJobs {
    async fn poll(
        &self,
        _: &CustomType,
        _: Option<(&str, &str)>,
        most: usize,
    ) -> Result<Vec<Polled>, PortError> {
        let jobs = lock(&self.state);
        if lock(&self.reporter.0).abandoned {
            return Ok(Vec::new());
        }
        let waiting = jobs.iter().filter(|(_, offer)| offer.acknowledged == 0);
        let polled = waiting.take(most).map(|(id, _)| Polled {
            id: id.clone(),
            nonce: format!("nonce-{id}"),
        });
        Ok(polled.collect())
    }

    async fn acknowledge(&self, job: &JobId, nonce: &str) -> Result<bool, PortError> {
        let mut jobs = lock(&self.state);
        let offer = jobs.get_mut(job).ok_or_else(|| not_found("the job"))?;
        let over = lock(&self.reporter.0).abandoned;
        if over || self.reporter.of(job.as_str()).is_some() {
            return Ok(false);
        }
        if offer.acknowledged > 0 || nonce != format!("nonce-{job}") {
            return Err(PortError::Conflict {
                what: "the nonce".to_owned(),
            });
        }
        offer.acknowledged = 1;
        lock(&self.reporter.0).waiting.remove(job);
        Ok(true)
    }

    async fn details(&self, job: &JobId) -> Result<Result<Job, Fault>, PortError> {
        let jobs = lock(&self.state);
        let offer = jobs.get(job).ok_or_else(|| not_found("the job"))?;
        Ok(decide::job(offer.event.clone()).map(|job| {
            let parameters = match &job.parameters {
                RawParameters::Text(text) => serde_json::from_str(text).unwrap_or_default(),
                _ => Value::Null,
            };
            Job {
                run_key: offer.run.clone(),
                origin: Origin::Action(place(&offer.run)),
                parameters: RawParameters::Flat(flat(&parameters)),
                ..job
            }
        }))
    }

    async fn place(&self, job: &JobId) -> Result<Option<Place>, PortError> {
        let offer = lock(&self.state).get(job).map(|offer| offer.run.clone());
        let run = offer.unwrap_or_else(|| "run-of-the-action".to_owned());
        Ok(Some(place(&run)))
    }

    async fn state(&self, _: &Place) -> Result<Option<ActionState>, PortError> {
        let reports = lock(&self.reporter.0);
        Ok(Some(match reports.taken.last() {
            _ if reports.abandoned => ActionState::Abandoned,
            Some((_, Report::Success { .. })) => ActionState::Succeeded,
            Some((_, Report::Failure { .. })) => ActionState::Failed,
            _ => ActionState::InProgress,
        }))
    }
}

/// Where the action of a test is.
pub fn place(run: &str) -> Place {
    Place {
        pipeline: "p".to_owned(),
        execution: "12345678".to_owned(),
        action_execution: run.to_owned(),
    }
}

/// Waiting state machines: a token takes one outcome.
#[derive(Debug, Clone, Default)]
pub struct MemoryTokens(Shared<Tokens>);

#[derive(Debug, Default)]
struct Tokens {
    finished: BTreeMap<String, TaskOutcome>,
    closed: BTreeSet<String>,
    beats: u32,
}

impl Tokens {
    fn open(&self, token: &Secret) -> Result<(), PortError> {
        let token = token.reveal();
        match self.finished.contains_key(token) || self.closed.contains(token) {
            true => Err(PortError::Conflict {
                what: "the task".to_owned(),
            }),
            false => Ok(()),
        }
    }
}

impl MemoryTokens {
    /// The outcome that a token took.
    pub fn outcome(&self, token: &str) -> Option<TaskOutcome> {
        lock(&self.0).finished.get(token).cloned()
    }

    /// The machine no longer waits with this token: it timed out, or its execution was stopped.
    pub fn close(&self, token: &str) {
        lock(&self.0).closed.insert(token.to_owned());
    }

    /// Heartbeats so far.
    pub fn beats(&self) -> u32 {
        lock(&self.0).beats
    }
}

impl TaskCallback for MemoryTokens {
    async fn finish(&self, token: &Secret, outcome: &TaskOutcome) -> Result<(), PortError> {
        let mut state = lock(&self.0);
        state.open(token)?;
        let token = token.reveal().clone();
        state.finished.insert(token, outcome.clone());
        Ok(())
    }
    async fn heartbeat(&self, token: &Secret) -> Result<(), PortError> {
        let mut state = lock(&self.0);
        state.open(token)?;
        state.beats += 1;
        Ok(())
    }
}

/// Files of the artifacts in memory.
#[derive(Debug, Clone)]
pub struct MemoryFiles(MemoryArtifacts);

impl MemoryFiles {
    /// Files of these artifacts.
    pub fn of(artifacts: &MemoryArtifacts) -> Self {
        Self(artifacts.clone())
    }
}

impl ArtifactFiles for MemoryFiles {
    async fn read(
        &self,
        _: Option<&ArtifactCredentials>,
        artifact: &ArtifactRef,
        path: &str,
        limit: u64,
    ) -> Result<Vec<u8>, PortError> {
        let bytes = self
            .0
            .get(artifact.bucket.as_str(), artifact.key.as_str())
            .ok_or_else(|| not_found("the artifact"))?;
        read_one(std::io::Cursor::new(bytes), path, limit).map_err(|error| match error {
            ArchiveError::Missing { .. } => not_found(error.to_string()),
            error => PortError::Invalid {
                what: "the artifact".to_owned(),
                message: error.to_string(),
            },
        })
    }
}

/// Secrets by their reference's text.
#[derive(Debug, Clone, Default)]
pub struct MemorySecrets(Shared<BTreeMap<String, String>>);

impl MemorySecrets {
    /// Stores a value.
    pub fn set(&self, reference: &str, value: &str) {
        lock(&self.0).insert(reference.to_owned(), value.to_owned());
    }
}

impl SecretStore for MemorySecrets {
    async fn read(&self, secret: &SecretRef) -> Result<Secret, PortError> {
        let found = lock(&self.0).get(&secret.to_string()).cloned();
        found
            .map(Secret::new)
            .ok_or_else(|| not_found(format!("the secret {secret}")))
    }
}
