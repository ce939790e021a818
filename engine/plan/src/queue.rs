//! Which jobs a worker may get now.

use jiff::{SignedDuration, Timestamp};

use crate::{
    definition::ActionTypeId,
    effect::JobTask,
    limit::LEASE_SECONDS,
    state::{Job, JobStatus, State},
};

impl State {
    /// Jobs that PollForJobs may hand out now for this action type, oldest first: those that wait, and those that
    /// were handed out and not acknowledged in time.
    pub fn offered_jobs(&self, action_type: &ActionTypeId, now: Timestamp) -> Vec<&Job> {
        let dispatched = self.dispatched_jobs.iter().map(|(_, id)| id);
        let mut offered: Vec<_> = self
            .queued_jobs
            .iter()
            .chain(dispatched)
            .filter_map(|id| self.jobs.get(id))
            .filter(|job| job.action_type == *action_type && job.is_offered(now))
            .collect();
        offered.sort_unstable_by_key(|job| (job.created, &job.id));
        offered
    }

    /// Jobs of this action type that were never handed out, in order of id.
    pub fn queued_jobs(&self, action_type: &ActionTypeId) -> impl Iterator<Item = &Job> {
        self.queued_jobs
            .iter()
            .filter_map(|id| self.jobs.get(id))
            .filter(move |job| job.action_type == *action_type)
    }
}

impl Job {
    /// Whether PollForJobs may hand it out at that time.
    pub fn is_offered(&self, now: Timestamp) -> bool {
        match (self.status, self.dispatched) {
            (JobStatus::Queued, _) => true,
            (JobStatus::Dispatched, Some(at)) => {
                now.duration_since(at) >= SignedDuration::from_secs(LEASE_SECONDS)
            }
            _ => false,
        }
    }

    /// Whether a result may still be put for it.
    pub fn is_open(&self) -> bool {
        !matches!(
            self.status,
            JobStatus::Succeeded | JobStatus::Failed | JobStatus::TimedOut
        )
    }
}

impl From<&Job> for JobTask {
    fn from(job: &Job) -> Self {
        Self {
            id: job.id.clone(),
            nonce: job.nonce.clone(),
            continuation_token: job.continuation_token.clone(),
        }
    }
}
