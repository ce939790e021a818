//! Following a vendor's run, step by step: patience, what passes, what is odd, and what the ledger knows.

use std::{cell::RefCell, time::Duration};

use jiff::Timestamp;
use serde_json::json;
use shared::{
    action::{Done, Request, Step},
    drive::decide,
    fault::{Fault, FaultKind},
    follow::{Look, MOST_ODD, Progress, Rules, Setback, Vendor, follow, since},
    job::Job,
    port::{Intent, LedgerEntry},
    start::{Found, StartError, Starter},
};
use shared_testkit::{events, memory::MemoryLedger, time::BEGINNING};

/// A vendor that shows what it is told to, and remembers what it was told.
#[derive(Default)]
struct Scripted {
    looks: std::sync::Mutex<Vec<Result<Look, Setback>>>,
    stops: bool,
    told: std::sync::Mutex<Vec<String>>,
}

impl Scripted {
    fn showing(looks: impl IntoIterator<Item = Result<Look, Setback>>) -> Self {
        let mut looks: Vec<_> = looks.into_iter().collect();
        looks.reverse();
        Self {
            looks: looks.into(),
            stops: true,
            ..Self::default()
        }
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().expect("nobody panics").clone()
    }
}

impl Starter for Scripted {
    async fn start(&self) -> Result<String, StartError> {
        self.told
            .lock()
            .expect("nobody panics")
            .push("start".to_owned());
        Ok("7".to_owned())
    }
    async fn find(&self) -> Result<Found, Fault> {
        Ok(Found::Nothing)
    }
}

impl Vendor for Scripted {
    type Notes = ();
    async fn look(&self, run: &str, (): &mut ()) -> Result<Look, Setback> {
        assert_eq!(run, "7");
        self.looks
            .lock()
            .expect("nobody panics")
            .pop()
            .expect("a further look")
    }
    async fn stop(&self, run: &str) -> Result<(), Fault> {
        self.told
            .lock()
            .expect("nobody panics")
            .push(format!("stop {run}"));
        let refused = || Fault::new(FaultKind::Permission, "it may not be stopped");
        self.stops.then_some(()).ok_or_else(refused)
    }
    fn link(&self, run: &str) -> Option<String> {
        Some(format!("https://vendor.example.com/{run}"))
    }
}

const NAME: &str = "action-scripted";
const PATIENCE: Duration = Duration::from_secs(300);

fn job() -> Job {
    decide::job(events::job(&json!({}))).expect("a job")
}

/// One step, `seconds` after the action began.
async fn step(
    vendor: &Scripted,
    ledger: &MemoryLedger,
    progress: Option<Progress<()>>,
    seconds: u64,
) -> Result<Step<Progress<()>>, Fault> {
    let job = job();
    let request = Request {
        params: &(),
        progress,
        job: &job,
        started_at: BEGINNING,
        now: BEGINNING + Duration::from_secs(seconds),
        budget: Duration::from_secs(50),
        delivery: "delivery-1",
    };
    let rules = Rules {
        action: NAME,
        what: "the run",
        patience: PATIENCE,
        every: Duration::from_secs(10),
    };
    follow(ledger, vendor, rules, request).await
}

fn known() -> Option<Progress<()>> {
    Some(Progress {
        run: Some("7".to_owned()),
        ..Progress::default()
    })
}

fn going() -> Result<Look, Setback> {
    Ok(Look::Going {
        summary: "half".to_owned(),
        percent: Some(100),
        again_in: None,
    })
}

fn passing() -> Result<Look, Setback> {
    Err(Fault::new(FaultKind::Unavailable, "it is busy").into())
}

fn odd() -> Result<Look, Setback> {
    Err(Setback::Odd(Fault::new(FaultKind::Failed, "it is gone")))
}

fn intended(at: Timestamp) -> LedgerEntry {
    LedgerEntry::Intended(Intent {
        at,
        until: at + Duration::from_secs(80),
        by: "another".to_owned(),
    })
}

#[tokio::test]
async fn a_run_is_shown_at_once_and_never_as_ended() {
    let (vendor, ledger) = (Scripted::showing([going()]), MemoryLedger::default());
    let Ok(Step::Wait {
        progress, details, ..
    }) = step(&vendor, &ledger, None, 0).await
    else {
        unreachable!("it waits");
    };
    assert_eq!(details.external_id.unwrap().as_str(), "7");
    assert_eq!(
        details.link.as_deref(),
        Some("https://vendor.example.com/7")
    );
    let Ok(Step::Wait { details, .. }) = step(&vendor, &ledger, Some(progress), 299).await else {
        unreachable!("it waits");
    };
    assert_eq!(details.percent, Some(99), "it has not ended");
    assert_eq!(vendor.told(), ["start"]);
}

#[tokio::test]
async fn when_the_patience_is_over_the_run_is_stopped() {
    let ended = "the run did not end within 5 minutes";
    for (look, stops, kind, want) in [
        (
            going(),
            true,
            FaultKind::TimedOut,
            format!("{ended} and was stopped — https://vendor.example.com/7"),
        ),
        (
            going(),
            false,
            FaultKind::TimedOut,
            format!(
                "{ended} and could not be stopped: it may not be stopped — https://vendor.example.com/7"
            ),
        ),
        (
            passing(),
            true,
            FaultKind::Unavailable,
            format!("{ended}; last seen: it is busy. It was stopped"),
        ),
        (
            odd(),
            true,
            FaultKind::Unavailable,
            format!("{ended}; last seen: it is gone"),
        ),
    ] {
        let vendor = Scripted {
            stops,
            ..Scripted::showing([look])
        };
        let fault = step(&vendor, &MemoryLedger::default(), known(), 300)
            .await
            .unwrap_err();
        assert_eq!(fault.kind, kind);
        assert!(fault.public.starts_with(&want), "{}", fault.public);
        assert_eq!(fault.external_id.unwrap().as_str(), "7");
        assert_eq!(vendor.told(), ["stop 7"]);
    }
    // One that has just ended is as good as ever.
    let vendor = Scripted::showing([Ok(Look::Passed(Done::default()))]);
    let done = step(&vendor, &MemoryLedger::default(), known(), 900).await;
    assert!(matches!(done, Ok(Step::Done(_))), "{done:?}");
}

#[tokio::test]
async fn nothing_is_started_when_the_patience_is_over() {
    let stopped = ["stop 7".to_owned()];
    for (entry, kind, want, told) in [
        (
            None,
            FaultKind::Unavailable,
            "the run could not be started within 300 s",
            &[][..],
        ),
        (
            Some(intended(BEGINNING)),
            FaultKind::TimedOut,
            "whether the run was started could not be found out",
            &[],
        ),
        (
            Some(LedgerEntry::Started {
                run: "7".to_owned(),
            }),
            FaultKind::TimedOut,
            "did not end within 5 minutes and was stopped",
            &stopped,
        ),
    ] {
        let (vendor, ledger) = (Scripted::showing([]), MemoryLedger::default());
        if let Some(entry) = entry {
            ledger.set(&job().ledger_key(NAME), entry);
        }
        let fault = step(&vendor, &ledger, None, 300).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{}", fault.public);
        assert!(fault.public.contains(want), "{}", fault.public);
        assert_eq!(vendor.told(), told);
    }
}

#[tokio::test]
async fn odd_answers_are_believed_after_a_while_and_others_between_make_them_forgotten() {
    let ledger = MemoryLedger::default();
    for (before, ends) in [(MOST_ODD - 1, false), (MOST_ODD, true)] {
        let vendor = Scripted::showing((0..before).map(|_| odd()).chain([going()]));
        let progress = RefCell::new(known());
        let mut failed = None;
        for _ in 0..before {
            let given = progress.take();
            match step(&vendor, &ledger, given, 10).await {
                Ok(Step::Wait { progress: next, .. }) => *progress.borrow_mut() = Some(next),
                other => failed = Some(other.unwrap_err().public),
            }
        }
        let want = ends.then(|| "it is gone — https://vendor.example.com/7".to_owned());
        assert_eq!(failed, want);
        if !ends {
            let Ok(Step::Wait { progress, .. }) = step(&vendor, &ledger, progress.take(), 10).await
            else {
                unreachable!("it goes on");
            };
            assert_eq!(progress.odd, 0);
        }
    }
}

#[tokio::test]
async fn the_earliest_start_is_the_claims() {
    let job = job();
    let earlier = BEGINNING - Duration::from_secs(60);
    let ledger = MemoryLedger::default();
    let asked = async |progress: Option<Progress<()>>| {
        let request = Request {
            params: &(),
            progress,
            job: &job,
            started_at: BEGINNING,
            now: BEGINNING,
            budget: Duration::from_secs(50),
            delivery: "delivery-2",
        };
        since(&ledger, NAME, &request).await.unwrap()
    };
    assert_eq!(asked(None).await, BEGINNING);
    ledger.set(&job.ledger_key(NAME), intended(earlier));
    assert_eq!(asked(None).await, earlier);
    assert_eq!(asked(known()).await, BEGINNING, "the run is known");
}
