//! Start once: an outside run is started at most once, whatever is repeated, lost or cut off.
//!
//! Before the start the ledger holds a claim of one delivery, for as long as that delivery can live and a little longer.
//! After it, the run's id. Whoever meets a claim that is over asks the vendor whether the run is there, and starts only
//! when it is not; where the vendor cannot be asked, the action fails and says where to look.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{
    action::Request,
    fault::{Fault, FaultKind},
    port::{Intent, Ledger, LedgerEntry, PortError},
};

/// How a vendor starts a run and finds it again. Both are given the run's key, to mark the run with it and to find it by.
pub trait Starter: Send + Sync {
    /// Starts the run; answers its id at the vendor.
    fn start(&self) -> impl Future<Output = Result<String, StartError>> + Send;
    /// Looks whether an earlier start arrived.
    fn find(&self) -> impl Future<Output = Result<Found, Fault>> + Send;
}

/// Why there is no run's id.
#[derive(Debug)]
pub enum StartError {
    /// The vendor refused, or was never reached: certainly nothing was started.
    NotStarted(Fault),
    /// The answer was lost: it may have been started.
    Unknown(Fault),
}

/// What the vendor knows of an earlier start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It arrived, as this run.
    Run(String),
    /// It did not arrive.
    Nothing,
    /// The vendor cannot be asked. Where a person can look, as `the builds of site/main in Jenkins`.
    CannotTell {
        /// The place.
        look_at: String,
    },
}

/// Where the start of a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The run, started now or earlier: keep its id in the progress.
    Run(String),
    /// Another delivery is starting it, or it must first be seen whether an earlier start arrived: ask again after this
    /// time, with progress that says that nothing is known yet.
    Wait(Duration),
}

/// A run's key as a mark for names and tokens of vendors: letters, digits, `-` and `_`, at most `longest` characters
/// (at least 32). Equal keys give equal marks.
pub fn mark(run_key: &str, longest: usize) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=longest).contains(&run_key.len()) && run_key.chars().all(plain) {
        return run_key.to_owned();
    }
    let digest = Sha256::digest(run_key.as_bytes());
    digest[..16].iter().map(|b| format!("{b:02x}")).collect()
}

/// After its owner's deadline a start may still be on its way, and the vendor may not show it at once.
pub const SETTLE: Duration = Duration::from_secs(30);
/// Writes of the run's id: it is in the progress as well, so the step ends well without one.
const ATTEMPTS: u32 = 3;

/// What is to be done, told by the ledger's entry alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Nobody was here: claim, then start.
    Claim,
    /// The claim is this delivery's own: start.
    Start,
    /// A claim is over: take it, then ask the vendor.
    TakeOver(Intent),
    /// Somebody else's claim holds for this long.
    Wait(Duration),
    /// The run is known.
    Adopt(String),
    /// The action is over.
    Over,
}

/// Decides by the ledger's entry. `by` is this delivery.
pub fn decide(entry: Option<&LedgerEntry>, by: &str, now: Timestamp) -> Move {
    match entry {
        None => Move::Claim,
        Some(LedgerEntry::Intended(intent)) if intent.by == by => Move::Start,
        Some(LedgerEntry::Intended(intent)) => {
            match Duration::try_from(intent.until.duration_since(now)) {
                Ok(left) if !left.is_zero() => Move::Wait(left),
                _ => Move::TakeOver(intent.clone()),
            }
        }
        Some(LedgerEntry::Started { run }) => Move::Adopt(run.clone()),
        Some(LedgerEntry::Finished) => Move::Over,
    }
}

/// Starts a run unless it was started; see the module's text.
///
/// `action` is [`crate::action::Action::NAME`]. The start must be made with the time that `request.budget` gives: the
/// host drops the step when that is over, and the claim holds longer.
///
/// # Errors
/// When the vendor refuses, when the ledger does not answer, or when it cannot be found out whether the run was started.
pub async fn start_once<P, G>(
    ledger: &impl Ledger,
    starter: &impl Starter,
    action: &str,
    request: &Request<'_, P, G>,
) -> Result<Started, Fault> {
    let key = request.job.ledger_key(action);
    let by = request.delivery;
    let intent = Intent {
        at: request.now,
        until: after(request.now, request.budget + SETTLE),
        by: by.to_owned(),
    };
    let entry = ledger.read(&key).await?;
    match decide(entry.as_ref(), by, request.now) {
        Move::Adopt(run) => Ok(Started::Run(run)),
        Move::Over => Err(Fault::new(
            FaultKind::Internal,
            "this run of the action has ended already: start the action again",
        )),
        Move::Wait(left) => Ok(Started::Wait(left)),
        Move::Claim => match ledger.intend(&key, &intent).await {
            Ok(()) => begin(ledger, starter, &key, &intent).await,
            // Somebody was first: ask again soon.
            Err(PortError::Conflict { .. }) => Ok(Started::Wait(Duration::from_secs(1))),
            // The claim may be there. It is not acted on; once it is over, the vendor is asked.
            Err(error @ PortError::Unavailable { .. }) => {
                once_more(ledger, starter, &key, &intent, error).await
            }
            Err(error) => Err(error.into()),
        },
        Move::Start => begin(ledger, starter, &key, &intent).await,
        Move::TakeOver(old) => match ledger.take_over(&key, &old, &intent).await {
            Ok(()) => resume(ledger, starter, &key, &intent).await,
            Err(PortError::Conflict { .. } | PortError::Unavailable { .. }) => {
                Ok(Started::Wait(Duration::from_secs(1)))
            }
            Err(error) => Err(error.into()),
        },
    }
}

/// Claims again after a lost reply: a claim of this delivery's own is taken as if it were new.
async fn once_more(
    ledger: &impl Ledger,
    starter: &impl Starter,
    key: &str,
    intent: &Intent,
    first: PortError,
) -> Result<Started, Fault> {
    match ledger.intend(key, intent).await {
        Ok(()) => begin(ledger, starter, key, intent).await,
        Err(PortError::Conflict { .. }) => Ok(Started::Wait(Duration::from_secs(1))),
        Err(_) => Err(first.into()),
    }
}

/// Asks the vendor, and starts only when nothing is there.
async fn resume(
    ledger: &impl Ledger,
    starter: &impl Starter,
    key: &str,
    intent: &Intent,
) -> Result<Started, Fault> {
    match starter.find().await? {
        Found::Run(run) => Ok(started(ledger, key, run).await),
        Found::Nothing => begin(ledger, starter, key, intent).await,
        Found::CannotTell { look_at } => Err(Fault::new(
            FaultKind::Internal,
            format!(
                "an earlier attempt was cut off while it started the run, and whether it arrived cannot be found out: \
                 look at {look_at}, then retry the stage"
            ),
        )),
    }
}

async fn begin(
    ledger: &impl Ledger,
    starter: &impl Starter,
    key: &str,
    intent: &Intent,
) -> Result<Started, Fault> {
    match starter.start().await {
        Ok(run) => Ok(started(ledger, key, run).await),
        Err(StartError::NotStarted(fault)) => {
            // A claim that stays makes the next attempt wait and ask the vendor: slower, never wrong.
            let _ = ledger.withdraw(key, &intent.by).await;
            Err(fault)
        }
        // The claim stays until its time is over; then the vendor is asked.
        Err(StartError::Unknown(_)) => {
            let wait = intent.until.duration_since(intent.at);
            Ok(Started::Wait(Duration::try_from(wait).unwrap_or(SETTLE)))
        }
    }
}

async fn started(ledger: &impl Ledger, key: &str, run: String) -> Started {
    for _ in 0..ATTEMPTS {
        match ledger.started(key, &run).await {
            Err(PortError::Unavailable { .. }) => {}
            _ => break,
        }
    }
    Started::Run(run)
}

fn after(at: Timestamp, time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    at.checked_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_plain_short_and_the_keys_own() {
        let id = "01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!(mark(id, 36), id);
        let long = "arn:aws:states:eu-west-1:123456789012:execution:m:e/Wait";
        for key in [long, id, ""] {
            assert_eq!(mark(key, 35).len(), 32, "{key}");
        }
        assert_ne!(mark(long, 64), mark(id, 35));
        assert_eq!(mark(long, 64), mark(long, 36));
    }
}
