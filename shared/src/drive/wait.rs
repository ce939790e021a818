//! A state machine's task that waits with its token: kept in the table until the token is answered, so that the function
//! ends meanwhile and whoever hears first goes on with it, a vendor's callback or the schedule's sweep.
//!
//! A task is kept before its first step, and one delivery at a time has it in hand, as with a worker's jobs: a crash
//! loses none, a duplicate finds it taken. A look begins with a heartbeat, which also says whether the machine still waits;
//! when it does not, the vendor's run is stopped and nobody is told. Step Functions takes one outcome of a token, so a look
//! that is repeated after its answer changes nothing.

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use self::look::{Looked, claimed, look};
use super::{
    DriveError, Outside, decide,
    run::{MAX_FILED, Run},
    stop::EndedRun,
    task::{Tasked, answer, failed},
    token::Ticket,
    wakes::is_schedule,
    worker::ROUND,
};
use crate::{
    action::Action,
    host::is_callback,
    job::Job,
    port::{Clock, PortError, WaitingTask, WaitingTasks},
    secret::Secret,
    wire::task::kept,
};

mod look;

/// What became of one task that waited.
#[derive(Debug)]
pub enum Woken {
    /// Its token is answered, or it waits on ([`super::task::Answer::Kept`]).
    Looked(Tasked),
    /// The machine waits no more: what was started is stopped.
    GivenUp(EndedRun),
}

/// What became of all that an event was about.
#[derive(Debug, Default)]
pub(super) struct Swept {
    pub woken: Vec<Woken>,
    pub lost: u32,
    pub warnings: Vec<PortError>,
    pub undelivered: Option<DriveError>,
}

/// Without a deadline of its own a task waits this long: the table forgets it a day later.
const LONGEST: SignedDuration = SignedDuration::from_hours(13 * 24);
/// Tasks looked at side by side.
const AT_ONCE: usize = 10;
/// Tasks of one sweep, the longest due first.
const MOST: usize = 1000;
/// The schedule comes once a minute: what is due before half of it is over is looked at now.
const EARLY: SignedDuration = SignedDuration::from_secs(30);

/// The first delivery of a task with a token, by a function with a table.
pub(super) async fn begin<A: Action, O: Outside>(
    action: &A,
    table: &O::Table,
    mut run: Run<'_, O>,
    (job, ticket): (Job, Ticket),
    token: Secret,
    deadline: Option<Timestamp>,
) -> Result<Tasked, DriveError> {
    let deadline = deadline.unwrap_or_else(|| longest(&ticket));
    let input = kept(&job, ticket.to_value(), deadline).to_string();
    if input.len() > MAX_FILED {
        let conclusion = run.steps(action, &job, ticket, &token).await;
        return run
            .tell(job.run_key, answer(conclusion), Some(&token))
            .await;
    }
    let task = WaitingTask {
        run_key: job.run_key.clone(),
        token,
        input,
        run: None,
        due: run.outside.clock().now(),
        by: run.outside.new_id(),
        until: claimed(run.deadline),
    };
    let noted = run
        .repeated("the ledger", || table.keep(A::NAME, &task))
        .await;
    match noted {
        Ok(()) => {}
        // An earlier delivery of the same has it.
        Err(PortError::Conflict { .. }) => return Ok(run.waits(job.run_key)),
        // Nothing is started that a crash could lose.
        Err(error) => {
            let told = failed(error.into());
            return run.tell(job.run_key, told, Some(&task.token)).await;
        }
    }
    let conclusion = run.step(action, &job, &ticket).await;
    run.settle::<A>(table, task, &job, deadline, conclusion)
        .await
}

/// Looks at the tasks that wait, when the event is a reason to: the schedule at those that are due, a callback at the one
/// that it names, or at all where it names none. `None`: the event is none, or the function keeps no tasks.
pub(super) async fn sweep<A: Action, O: Outside>(
    action: &A,
    outside: &O,
    event: &Value,
    deadline: Timestamp,
) -> Option<Swept> {
    let said = match is_callback(event) {
        true => Some(said(event)),
        false if is_schedule(event) => None,
        false => return None,
    };
    let table = outside.table()?;
    let mut swept = Swept::default();
    let now = outside.clock().now();
    let due = match &said {
        Some(_) => Timestamp::MAX,
        None => now.saturating_add(EARLY).unwrap_or(Timestamp::MAX),
    };
    let run = Run::new(outside, deadline);
    let found = table.waiting(A::NAME, now, due, MOST);
    let mut found = match run.within("the ledger", run.short(), found).await {
        Ok(found) => found,
        Err(error) => {
            swept.warnings.push(error);
            return Some(swept);
        }
    };
    found.sort_by_key(|task| task.due);
    if let Some(said) = &said {
        named(said, &mut found);
    }
    for tasks in found.chunks(AT_ONCE) {
        let looks = tasks
            .iter()
            .map(|task| look(action, outside, table, task.clone(), deadline));
        swept.add(join_all(looks).await);
        if decide::until(outside.clock().now(), deadline) < ROUND {
            break;
        }
    }
    Some(swept)
}

/// Everything that a caller said. None of it is believed: it only tells where to look first.
fn said(event: &Value) -> String {
    ["/rawPath", "/rawQueryString", "/body"]
        .iter()
        .filter_map(|part| event.pointer(part)?.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Keeps the tasks whose run is named; as many as are looked at side by side when none is.
fn named(said: &str, tasks: &mut Vec<WaitingTask>) {
    let is_named = |task: &WaitingTask| {
        let runs = task.run.as_deref().unwrap_or_default();
        let mut runs = runs.split([',', ' ']).filter(|run| !run.is_empty());
        runs.any(|run| said.contains(run))
    };
    if tasks.iter().any(is_named) {
        tasks.retain(is_named);
    }
    tasks.truncate(AT_ONCE);
}

impl Swept {
    fn add(&mut self, looks: Vec<Looked>) {
        for look in looks {
            match look {
                Looked::Woken(woken, warnings) => {
                    self.woken.push(woken);
                    self.warnings.extend(warnings);
                }
                Looked::Lost => self.lost += 1,
                Looked::Left(warning) => self.warnings.push(warning),
                Looked::Undelivered(error) => self.undelivered = Some(error),
            }
        }
    }
}

fn longest(ticket: &Ticket) -> Timestamp {
    let longest = ticket.started_at.saturating_add(LONGEST);
    longest.unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(run: Option<&str>) -> WaitingTask {
        WaitingTask {
            run_key: run.unwrap_or("none").to_owned(),
            token: Secret::default(),
            input: String::new(),
            run: run.map(str::to_owned),
            due: Timestamp::UNIX_EPOCH,
            by: String::new(),
            until: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_callback_goes_to_the_task_it_names_or_to_all() {
        let all = || vec![task(Some("r-1,r-2")), task(None), task(Some("r-3"))];
        for (said, expected) in [
            (r#"{"id": "r-2"}"#, &["r-1,r-2"][..]),
            ("/hook/r-3?x=1", &["r-3"]),
            ("r-1 r-3", &["r-1,r-2", "r-3"]),
            ("a stranger's", &["r-1,r-2", "none", "r-3"]),
        ] {
            let mut tasks = all();
            named(said, &mut tasks);
            let keys: Vec<&str> = tasks.iter().map(|task| task.run_key.as_str()).collect();
            assert_eq!(keys, expected, "{said}");
        }
        let mut many: Vec<_> = (0..50).map(|_| task(None)).collect();
        named("", &mut many);
        assert_eq!(many.len(), AT_ONCE);
    }
}
