//! One run of an action within one delivery: its step, bounded in time, and the ports round it.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    Outside,
    decide::{self, Conclusion, StepEnd},
    guard, parameters,
    token::{Ticket, TokenError},
};
use crate::{
    action::{Action, Request},
    fault::{Fault, FaultKind},
    job::{Job, Origin, RawParameters},
    port::{ArtifactFiles, Clock, JobSource, OpenRun, OpenRuns, PortError, Shelf, Timer},
};

pub(super) struct Run<'a, O> {
    pub outside: &'a O,
    pub deadline: Timestamp,
    pub warnings: Vec<PortError>,
}

/// What one text of the ledger may hold: an item of DynamoDB is at most 400 KB.
pub(super) const MAX_FILED: usize = 350_000;
/// Calls made to note a run.
const ATTEMPTS: u32 = 3;
/// The wait before the second of them; longer each time.
const PAUSE: Duration = Duration::from_millis(100);

impl<'a, O: Outside> Run<'a, O> {
    pub fn new(outside: &'a O, deadline: Timestamp) -> Self {
        Self {
            outside,
            deadline,
            warnings: Vec::new(),
        }
    }

    /// Steps the action once. A run that the action can stop is noted before.
    pub async fn step<A: Action>(&mut self, action: &A, job: &Job, ticket: &Ticket) -> Conclusion {
        let mut ticket = ticket.clone();
        if let Err(fault) = self.unfile::<A>(job, &mut ticket).await {
            return Conclusion::Failed(fault);
        }
        let now = self.outside.clock().now();
        let budget = decide::budget(now, self.deadline);
        let delivery = self.outside.new_id();
        let (this, mut trouble) = (&*self, None);
        let step = async {
            let raw = this.raw(job).await?;
            let params = decide::params(&raw)?;
            if A::STOPS && !ticket.noted {
                let noted = this.note(A::NAME, job, &raw).await;
                ticket.noted = noted.is_ok();
                trouble = noted.err();
            }
            let request = Request {
                params: &params,
                progress: decide::progress::<A::Progress>(&ticket)?,
                job,
                started_at: ticket.started_at,
                now,
                budget,
                delivery: &delivery,
            };
            action.step(request).await
        };
        let end = match guard::bounded(step, self.outside.timer().sleep(budget)).await {
            guard::End::Returned(result) => StepEnd::Returned(result),
            guard::End::Panicked => StepEnd::Panicked,
            guard::End::Late => StepEnd::CutOff(budget),
        };
        self.warnings.extend(trouble);
        decide::conclude(A::NAME, A::FIRST_STEP_CUT_OFF, &ticket, end)
    }

    /// Notes a run under what it is part of. What fails is tried again with the next step.
    async fn note(
        &self,
        action: &str,
        job: &Job,
        parameters: &RawParameters,
    ) -> Result<(), PortError> {
        let Some(table) = self.outside.table() else {
            return Ok(());
        };
        let place = match &job.origin {
            Origin::Unsaid => {
                let jobs = self.outside.jobs();
                self.repeated("GetJobDetails", || jobs.place(&job.id))
                    .await?
            }
            Origin::Action(place) => Some(place.clone()),
            Origin::Machine(_) => None,
        };
        let execution = match (&job.origin, &place) {
            (_, Some(place)) => place.execution.clone(),
            (Origin::Machine(Some(execution)), None) => execution.clone(),
            _ => return Ok(()),
        };
        let parameters = parameters::keep(parameters);
        if parameters.len() > MAX_FILED {
            return Err(PortError::Invalid {
                what: "noting the run, so that it can be stopped,".to_owned(),
                message: format!(
                    "its parameters have {} bytes; the table takes {MAX_FILED}",
                    parameters.len()
                ),
            });
        }
        let run = OpenRun {
            execution,
            run_key: job.run_key.clone(),
            place,
            parameters,
        };
        self.repeated("the ledger", || table.note(action, &run))
            .await
    }

    /// A port call beside the outcome, made again while it does not answer.
    pub async fn repeated<V, F: Future<Output = Result<V, PortError>> + Send>(
        &self,
        what: &str,
        call: impl Fn() -> F,
    ) -> Result<V, PortError> {
        let mut attempt = 1;
        loop {
            match self.within(what, self.short(), call()).await {
                Err(PortError::Unavailable { .. }) if attempt < ATTEMPTS => {
                    self.outside.timer().sleep(PAUSE * attempt).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// The parameters as they are read: out of a file where they lie in one, with those for all runs.
    pub async fn raw(&self, job: &Job) -> Result<RawParameters, Fault> {
        let given = self.parameters(job).await?;
        let given = given.unwrap_or_else(|| job.parameters.clone());
        Ok(match self.outside.defaults() {
            Some(defaults) => parameters::with_defaults(&given, defaults),
            None => given,
        })
    }

    /// The parameters out of an artifact's file, when they are there.
    async fn parameters(&self, job: &Job) -> Result<Option<RawParameters>, Fault> {
        let Some(place) = parameters::place(&job.parameters)? else {
            return Ok(None);
        };
        let artifact = place.artifact(&job.inputs)?;
        let Some(files) = self.outside.files() else {
            return Err(parameters::no_files());
        };
        let bytes = files
            .read(
                job.credentials.as_ref(),
                artifact,
                &place.path,
                parameters::MAX_FILE,
            )
            .await
            .map_err(|error| place.unreadable(artifact, error))?;
        parameters::with_file(&job.parameters, &place, &bytes).map(Some)
    }

    /// The token of a ticket. Progress that is too large for one is filed in the ledger, which the token names.
    pub async fn token<A: Action>(&mut self, job: &Job, ticket: &Ticket) -> Result<String, Fault> {
        let too_long = match ticket.encode() {
            Ok(token) => return Ok(token),
            Err(error) => error,
        };
        let internal =
            |error: TokenError| Fault::new(FaultKind::Internal, error.to_string()).because(error);
        let (Some(table), Some(progress)) = (self.outside.table(), &ticket.progress) else {
            return Err(internal(too_long));
        };
        let text = progress.to_string();
        if text.len() > MAX_FILED {
            let size = text.len();
            let text = format!(
                "the action's progress has {size} bytes; the ledger takes {MAX_FILED} of them"
            );
            return Err(Fault::new(FaultKind::Internal, text));
        }
        let name = digest(&text);
        let key = job.ledger_key(A::NAME);
        let kept = self.within("the ledger", self.short(), table.put(&key, &name, &text));
        kept.await?;
        let ticket = Ticket {
            progress: None,
            filed: Some(name),
            ..ticket.clone()
        };
        ticket.encode().map_err(internal)
    }

    /// Brings back progress that was filed.
    async fn unfile<A: Action>(&self, job: &Job, ticket: &mut Ticket) -> Result<(), Fault> {
        let Some(name) = ticket.filed.take() else {
            return Ok(());
        };
        let gone = || {
            let text = "the ledger no longer holds the progress that the continuation token names: \
                        start the action again";
            Fault::new(FaultKind::Internal, text)
        };
        let table = self.outside.table().ok_or_else(gone)?;
        let key = job.ledger_key(A::NAME);
        let read = self.within("the ledger", self.short(), table.get(&key, &name));
        let text = read.await?.ok_or_else(gone)?;
        let progress = serde_json::from_str(&text).map_err(|error| gone().because(error))?;
        ticket.progress = Some(progress);
        Ok(())
    }

    /// A port call that is given up after `time`.
    pub async fn within<V>(
        &self,
        what: &str,
        time: Duration,
        call: impl Future<Output = Result<V, PortError>> + Send,
    ) -> Result<V, PortError> {
        let unavailable = |why: &'static str| PortError::Unavailable {
            what: what.to_owned(),
            source: Some(why.into()),
        };
        match guard::bounded(call, self.outside.timer().sleep(time)).await {
            guard::End::Returned(result) => result,
            guard::End::Panicked => Err(unavailable("the call panicked")),
            guard::End::Late => Err(unavailable("no answer in time")),
        }
    }

    pub fn left(&self) -> Duration {
        decide::until(self.outside.clock().now(), self.deadline)
    }

    /// For calls beside the outcome: never a large part of the time.
    pub fn short(&self) -> Duration {
        (self.left() / 6).min(Duration::from_secs(3))
    }
}

/// A name that stands for the text, so that filing it again changes nothing.
fn digest(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
