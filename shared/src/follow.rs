//! The step that actions share which follow a run at a vendor's: start it once, look until it ends, end it when the
//! patience is over.
//!
//! What may pass (an overloaded vendor, a lost answer) is waited for until the patience is over, and is
//! `SystemUnavailable` then. What may be so for a moment only (a run that is not listed yet, an unreadable answer) is
//! looked at [`MOST_ODD`] times in a row.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    action::{Done, Request, Step},
    fault::{Fault, FaultKind},
    id::ExternalId,
    job::Details,
    port::{Ledger, LedgerEntry},
    provider::{ProviderError, Trouble},
    start::{Started, Starter, start_once},
};

/// A vendor's run, for one step.
pub trait Vendor: Starter {
    /// What is kept between two looks beside the run's id.
    type Notes: Serialize + DeserializeOwned + Default + Send + Sync;

    /// Looks at the run.
    fn look(
        &self,
        run: &str,
        notes: &mut Self::Notes,
    ) -> impl Future<Output = Result<Look, Setback>> + Send;
    /// Ends the run; one that has ended is no error.
    fn stop(&self, run: &str) -> impl Future<Output = Result<(), Fault>> + Send;
    /// The run's id for people, where it has a better one by now than the start gave: a build's number in place of a queue
    /// item's.
    fn shown(&self, run: &str, notes: &Self::Notes) -> String {
        let _ = notes;
        run.to_owned()
    }
    /// Where people see the run of this id, which is one of [`Vendor::shown`].
    fn link(&self, run: &str) -> Option<String>;
}

/// What is seen of a run. One that ended badly is [`Setback::Final`].
#[derive(Debug)]
pub enum Look {
    /// It goes on.
    Going {
        /// What people read meanwhile.
        summary: String,
        /// How far it is, when the vendor tells.
        percent: Option<u8>,
        /// Sooner than usual.
        again_in: Option<Duration>,
    },
    /// It ended well. Run and link are filled in.
    Passed(Done),
}

/// Why nothing good is seen.
#[derive(Debug)]
pub enum Setback {
    /// May pass: overloaded, not reached, no answer.
    Passing(Fault),
    /// May be so for a moment: not there, not readable.
    Odd(Fault),
    /// Stays.
    Final(Fault),
}

impl From<ProviderError> for Setback {
    fn from(error: ProviderError) -> Self {
        let odd = matches!(error.trouble, Trouble::NotFound | Trouble::Garbled { .. });
        match error.is_passing() {
            true => Self::Passing(error.fault()),
            false if odd => Self::Odd(error.fault()),
            false => Self::Final(error.fault()),
        }
    }
}

impl From<Fault> for Setback {
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::Unavailable => Self::Passing(fault),
            _ => Self::Final(fault),
        }
    }
}

/// What an action says about its run.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// [`crate::action::Action::NAME`].
    pub action: &'static str,
    /// What is run, as `the suite 5f… of Ghost Inspector`.
    pub what: &'a str,
    /// How long it may take, from the start of the action.
    pub patience: Duration,
    /// Between two looks, for hosts that choose.
    pub every: Duration,
}

/// What is kept between two steps.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress<N> {
    /// The run, once it is known.
    pub run: Option<String>,
    /// Odd answers in a row.
    #[serde(default)]
    pub odd: u32,
    /// Why there is no run yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_yet: Option<String>,
    /// What the vendor's part keeps.
    pub notes: N,
}

/// Odd answers in a row before they are believed.
pub const MOST_ODD: u32 = 10;

/// A reason is cut here: progress fits a continuation token.
const LONGEST_REASON: usize = 300;

/// One step; see the module's text.
///
/// # Errors
/// When the run ended badly, could not be started, or did not end in time.
pub async fn follow<P: Sync, V: Vendor>(
    ledger: &impl Ledger,
    vendor: &V,
    rules: Rules<'_>,
    mut request: Request<'_, P, Progress<V::Notes>>,
) -> Result<Step<Progress<V::Notes>>, Fault> {
    let mut progress = request.progress.take().unwrap_or_default();
    let over = elapsed(request.started_at, request.now) >= rules.patience;
    let Some(run) = progress.run.clone() else {
        if over {
            let not_yet = progress.not_yet.as_deref();
            return Err(never_started(ledger, vendor, rules, &request, not_yet).await);
        }
        return start(ledger, vendor, rules, &request, progress).await;
    };
    let look = vendor.look(&run, &mut progress.notes).await;
    let shown = vendor.shown(&run, &progress.notes);
    let setback = match look {
        Ok(Look::Passed(done)) => return Ok(Step::Done(passed(done, &shown, vendor.link(&shown)))),
        Ok(Look::Going { .. }) if over => {
            let ended = ended(vendor, &run).await;
            let fault = Fault::new(FaultKind::TimedOut, format!("{} and {ended}", late(rules)));
            return Err(seen_at(fault, vendor, &shown));
        }
        Ok(Look::Going {
            summary,
            percent,
            again_in,
        }) => {
            progress.odd = 0;
            let details = Details {
                summary: Some(summary),
                percent: percent.map(|percent| percent.min(99)),
                ..Details::default()
            };
            return Ok(wait(
                vendor,
                progress,
                details,
                again_in.unwrap_or(rules.every),
            ));
        }
        Err(setback) => setback,
    };
    let fault = match setback {
        Setback::Passing(fault) if !over => fault,
        Setback::Odd(fault) if !over && progress.odd + 1 < MOST_ODD => {
            progress.odd += 1;
            fault
        }
        Setback::Passing(fault) | Setback::Odd(fault) if over => {
            let ended = ended(vendor, &run).await;
            let text = format!("{}; last seen: {}. It {ended}", late(rules), fault.public);
            let fault = Fault {
                kind: FaultKind::Unavailable,
                public: text,
                ..fault
            };
            return Err(seen_at(fault, vendor, &shown));
        }
        Setback::Passing(fault) | Setback::Odd(fault) | Setback::Final(fault) => {
            return Err(seen_at(fault, vendor, &shown));
        }
    };
    let details = Details {
        summary: Some(format!("waiting: {}", fault.public)),
        ..Details::default()
    };
    Ok(wait(vendor, progress, details, rules.every))
}

/// When the earliest start that a step may have to find again was made: [`Request::started_at`] begins anew when a first
/// step is delivered again, so the ledger's claim is looked at. Not asked once the run is known.
///
/// # Errors
/// When the ledger does not answer.
pub async fn since<P, N>(
    ledger: &impl Ledger,
    action: &str,
    request: &Request<'_, P, Progress<N>>,
) -> Result<Timestamp, Fault> {
    let known = request
        .progress
        .as_ref()
        .is_some_and(|progress| progress.run.is_some());
    if known {
        return Ok(request.started_at);
    }
    let claimed = match ledger.read(&request.job.ledger_key(action)).await? {
        Some(LedgerEntry::Intended(intent)) => intent.at,
        _ => request.started_at,
    };
    Ok(claimed.min(request.started_at))
}

/// Starts the run. What may pass is waited for: nothing was started then.
async fn start<P: Sync, V: Vendor>(
    ledger: &impl Ledger,
    vendor: &V,
    rules: Rules<'_>,
    request: &Request<'_, P, Progress<V::Notes>>,
    mut progress: Progress<V::Notes>,
) -> Result<Step<Progress<V::Notes>>, Fault> {
    let (summary, again_in) = match start_once(ledger, vendor, rules.action, request).await {
        Ok(Started::Run(run)) => {
            progress.run = Some(run);
            (format!("started {}", rules.what), rules.every)
        }
        Ok(Started::Wait(left)) => {
            let text = "whether it was started already is found out";
            (format!("{}: {text}", rules.what), left)
        }
        Err(fault) if fault.kind == FaultKind::Unavailable => {
            progress.not_yet = Some(fault.public.chars().take(LONGEST_REASON).collect());
            (format!("not started yet: {}", fault.public), rules.every)
        }
        Err(fault) => return Err(fault),
    };
    let details = Details {
        summary: Some(summary),
        ..Details::default()
    };
    Ok(wait(vendor, progress, details, again_in))
}

/// The patience is over, and no run is known to this step.
async fn never_started<P: Sync, V: Vendor>(
    ledger: &impl Ledger,
    vendor: &V,
    rules: Rules<'_>,
    request: &Request<'_, P, Progress<V::Notes>>,
    not_yet: Option<&str>,
) -> Fault {
    let key = request.job.ledger_key(rules.action);
    let seconds = rules.patience.as_secs();
    let what = rules.what;
    match ledger.read(&key).await {
        Ok(Some(LedgerEntry::Started { run })) => {
            let ended = ended(vendor, &run).await;
            let fault = Fault::new(FaultKind::TimedOut, format!("{} and {ended}", late(rules)));
            seen_at(fault, vendor, &run)
        }
        Ok(Some(LedgerEntry::Intended(_))) => Fault::new(
            FaultKind::TimedOut,
            format!(
                "whether {what} was started could not be found out within {seconds} s: look there before you retry the stage"
            ),
        ),
        Ok(_) => Fault::new(
            FaultKind::Unavailable,
            match not_yet {
                Some(why) => format!("{what} could not be started within {seconds} s: {why}"),
                None => {
                    format!("{what} could not be started within {seconds} s: retry the stage later")
                }
            },
        ),
        Err(error) => error.into(),
    }
}

fn late(rules: Rules<'_>) -> String {
    let seconds = rules.patience.as_secs();
    let time = match seconds % 60 {
        0 if seconds > 0 => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} s"),
    };
    format!("{} did not end within {time}", rules.what)
}

/// Ends the run, and says how that went.
async fn ended<V: Vendor>(vendor: &V, run: &str) -> String {
    match vendor.stop(run).await {
        Ok(()) => "was stopped".to_owned(),
        Err(fault) => format!("could not be stopped: {}", fault.public),
    }
}

fn passed(mut done: Done, run: &str, link: Option<String>) -> Done {
    done.details.external_id = external(run);
    done.details.link = done.details.link.or(link);
    done.details.percent = Some(100);
    done
}

fn seen_at<V: Vendor>(mut fault: Fault, vendor: &V, run: &str) -> Fault {
    if let Some(link) = vendor.link(run).filter(|link| !fault.public.contains(link)) {
        fault.public = format!("{} — {link}", fault.public);
    }
    fault.external_id = external(run);
    fault
}

fn wait<V: Vendor>(
    vendor: &V,
    progress: Progress<V::Notes>,
    details: Details,
    again_in: Duration,
) -> Step<Progress<V::Notes>> {
    let run = progress.run.as_deref();
    let run = run.map(|run| vendor.shown(run, &progress.notes));
    let details = Details {
        external_id: run.as_deref().and_then(external),
        link: run.and_then(|run| vendor.link(&run)),
        ..details
    };
    Step::Wait {
        progress,
        details,
        again_in,
    }
}

/// The run as CodePipeline shows it. A list of very many runs is too long for that and stays in the progress.
fn external(run: &str) -> Option<ExternalId> {
    run.parse().ok()
}

fn elapsed(from: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(from)).unwrap_or_default()
}
