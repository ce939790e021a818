//! The one trait a pipeline action implements. No action knows which host called it.

use std::{collections::BTreeMap, future::Future, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    event::StateChange,
    fault::Fault,
    job::{Details, Job},
    start::Found,
};

/// An action type: typed parameters, typed progress, one step.
pub trait Action: Send + Sync {
    /// The action's folder name, as `action-http-check`; appears in logs and in ledger keys.
    const NAME: &'static str;
    /// Parameters. Unknown fields must be refused (`#[serde(deny_unknown_fields)]`).
    type Params: DeserializeOwned + Send + Sync;
    /// State between two steps; with its version it fits a continuation token (2,048 characters).
    type Progress: Serialize + DeserializeOwned + Send + Sync;
    /// What becomes of a first step that outran its time, when there is no progress to go on from.
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::Fail;
    /// Whether a run of it is something outside that `stop` ends. Hosts with a table then note each run before its first
    /// step, so that it is found when the pipeline gives the action up.
    const STOPS: bool = true;

    /// Whether it also follows pipelines by itself, by their events: see [`Action::heard`].
    const LISTENS: bool = false;

    /// One step. It may be repeated from the same progress and may be cut off anywhere.
    fn step(
        &self,
        request: Request<'_, Self::Params, Self::Progress>,
    ) -> impl Future<Output = Result<Step<Self::Progress>, Fault>> + Send;

    /// Ends the outside run, because the pipeline gave the action up (stopped, abandoned, superseded, timed out).
    /// May be repeated; a run that has ended already is no error.
    fn stop(&self, stop: Stop<'_, Self::Params>) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = stop;
        async { Ok(()) }
    }

    /// A pipeline did something, as EventBridge tells a function that listens. Answers what was done about it, for the
    /// log; `None`: the event is no reason to do anything. A failure brings the event again.
    fn heard(
        &self,
        heard: Heard<'_>,
    ) -> impl Future<Output = Result<Option<String>, Fault>> + Send {
        let _ = heard;
        async { Ok(None) }
    }

    /// Looks for a run that an earlier delivery may have started without noting its id; asked only to stop it.
    /// An action that uses [`crate::start::start_once`] hands its starter's `find` on. The request's job has the run's
    /// key and neither artifacts nor credentials.
    fn find(
        &self,
        request: Request<'_, Self::Params, Self::Progress>,
    ) -> impl Future<Output = Result<Found, Fault>> + Send {
        let look_at = format!("the provider's list of runs, for {}", request.job.run_key);
        async { Ok(Found::CannotTell { look_at }) }
    }
}

/// What a listening action is given.
#[derive(Debug)]
pub struct Heard<'a> {
    /// What changed. Events come at least once and in any order.
    pub change: &'a StateChange,
    /// Now, by the host's clock.
    pub now: jiff::Timestamp,
    /// How long this may take.
    pub budget: Duration,
}

/// What a stop is given.
#[derive(Debug)]
pub struct Stop<'a, P> {
    /// Typed parameters, as the step had them.
    pub params: &'a P,
    /// What [`crate::start::Starter::start`] answered; kept in the ledger and sent as the external id.
    pub run: &'a str,
    /// Now, by the host's clock.
    pub now: jiff::Timestamp,
    /// How long this may take.
    pub budget: Duration,
}

/// What the host does with a first step that was cut off. A later step is always asked again from its last progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutOff {
    /// The action fails: "ran out of time".
    Fail,
    /// The step is asked again from the start: right for steps that find what they have already done.
    AskAgain,
}

/// What one step is given.
#[derive(Debug)]
pub struct Request<'a, P, G> {
    /// Typed parameters.
    pub params: &'a P,
    /// Progress of the step before; `None` on the first.
    pub progress: Option<G>,
    /// The job: artifacts, credentials, ids.
    pub job: &'a Job,
    /// When the action was first asked, carried through continuations.
    pub started_at: jiff::Timestamp,
    /// Now, by the host's clock.
    pub now: jiff::Timestamp,
    /// How long this step may take; the reserve for reporting is already taken off.
    pub budget: Duration,
    /// This delivery's own id, never given twice: who owns a claim in the ledger.
    pub delivery: &'a str,
}

/// How a step ended, when it did not fail.
#[derive(Debug, Clone, PartialEq)]
pub enum Step<G> {
    /// The action succeeded.
    Done(Done),
    /// Nothing to decide yet: keep this progress and ask again.
    Wait {
        /// State for the next step.
        progress: G,
        /// What people see meanwhile.
        details: Details,
        /// A hint: hosts that choose their own interval (CodePipeline) ignore it.
        again_in: Duration,
    },
}

impl<G> Step<G> {
    /// Success without output variables.
    pub fn done(details: Details) -> Self {
        Self::Done(Done {
            details,
            ..Done::default()
        })
    }

    /// Ask again.
    pub fn wait(progress: G, details: Details, again_in: Duration) -> Self {
        Self::Wait {
            progress,
            details,
            again_in,
        }
    }
}

/// Success: what people see and what later actions can use.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Done {
    /// Summary, external id, percent.
    pub details: Details,
    /// Output variables.
    pub variables: BTreeMap<String, String>,
}
