//! The one trait a pipeline action implements. No action knows which host called it.

use std::{collections::BTreeMap, future::Future, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    fault::Fault,
    job::{Details, Job},
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

    /// One step. It may be repeated from the same progress and may be cut off anywhere.
    fn step(
        &self,
        request: Request<'_, Self::Params, Self::Progress>,
    ) -> impl Future<Output = Result<Step<Self::Progress>, Fault>> + Send;
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

/// Success: what people see and what later actions can use.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Done {
    /// Summary, external id, percent.
    pub details: Details,
    /// Output variables.
    pub variables: BTreeMap<String, String>,
}
