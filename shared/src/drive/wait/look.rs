//! One look at a task that waits: taken in hand, stepped once, answered or put back.

use jiff::{SignedDuration, Timestamp};

use super::Woken;
use crate::{
    action::Action,
    drive::{
        DriveError, Outside,
        decide::Conclusion,
        run::{MAX_FILED, Run},
        stop::{EndedRun, RunEnd},
        task::{Answer, SHORTEST_WAIT, Tasked, answer, open},
        worker::AFTERMATH,
    },
    fault::{Fault, FaultKind},
    job::Job,
    port::{Clock, Ledger, PortError, TaskCallback, WaitingTask, WaitingTasks},
    wire::{
        from_text,
        task::{TaskInput, kept},
    },
};

/// How one look ended.
pub(super) enum Looked {
    Woken(Woken, Vec<PortError>),
    /// Another delivery has it.
    Lost,
    /// Left for a later event.
    Left(PortError),
    Undelivered(DriveError),
}

/// Takes a task in hand and makes one step of it.
pub(super) async fn look<A: Action, O: Outside>(
    action: &A,
    outside: &O,
    table: &O::Table,
    old: WaitingTask,
    deadline: Timestamp,
) -> Looked {
    let mut run = Run::new(outside, deadline);
    let task = WaitingTask {
        by: outside.new_id(),
        until: claimed(deadline),
        ..old.clone()
    };
    let taken = run
        .repeated("the ledger", || table.keep_on(A::NAME, &old, &task))
        .await;
    match taken {
        Ok(()) => {}
        Err(PortError::Conflict { .. }) => return Looked::Lost,
        Err(error) => return Looked::Left(error),
    }
    let now = outside.clock().now();
    let input = from_text::<TaskInput>(&task.input);
    let until = input.as_ref().ok().and_then(|input| input.deadline);
    let until = until.unwrap_or(Timestamp::MAX);
    let opened = input
        .map_err(|_| unreadable())
        .and_then(|input| open(input, outside.new_id(), now).map_err(|(_, fault)| fault));
    let (job, ticket) = match opened {
        Ok(opened) => opened,
        Err(fault) => {
            let conclusion = Conclusion::Failed(fault);
            return looked(run.answered::<A>(table, task, conclusion).await);
        }
    };
    let beat = outside.tokens().heartbeat(&task.token);
    match run.within("Step Functions", run.short(), beat).await {
        Ok(()) => {}
        Err(PortError::Conflict { .. }) => return run.give_up(action, table, task, &job).await,
        Err(error) => run.warnings.push(error),
    }
    let conclusion = match now >= until {
        true => match run.end_task(action, table, &job).await {
            Err(fault) if passes(&fault) => return run.not_ended::<A>(table, task, fault).await,
            ended => {
                let ended = match &ended {
                    Ok(_) => "was stopped",
                    Err(fault) => fault.public.as_str(),
                };
                let text = format!("the task did not end until its deadline, {until}: {ended}");
                Conclusion::Failed(Fault::new(FaultKind::TimedOut, text))
            }
        },
        false => run.step(action, &job, &ticket).await,
    };
    looked(run.settle::<A>(table, task, &job, until, conclusion).await)
}

/// Whether a stop that failed may go well later.
fn passes(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Unavailable | FaultKind::TimedOut)
}

fn unreadable() -> Fault {
    let text =
        "the kept task is not as this version of the function writes it: start the action again";
    Fault::new(FaultKind::Internal, text)
}

fn looked(told: Result<Tasked, DriveError>) -> Looked {
    match told {
        Ok(tasked) => Looked::Woken(Woken::Looked(tasked), Vec::new()),
        Err(error) => Looked::Undelivered(error),
    }
}

impl<O: Outside> Run<'_, O> {
    /// Answers the token, or keeps the task for the next look.
    pub(super) async fn settle<A: Action>(
        mut self,
        table: &O::Table,
        task: WaitingTask,
        job: &Job,
        deadline: Timestamp,
        conclusion: Conclusion,
    ) -> Result<Tasked, DriveError> {
        if let Conclusion::Wait {
            ticket,
            details,
            again_in,
        } = &conclusion
        {
            let input = kept(job, ticket.to_value(), deadline).to_string();
            // More than the table takes goes to the machine, which calls again with it.
            if input.len() <= MAX_FILED {
                let now = self.outside.clock().now();
                let wait = SignedDuration::try_from((*again_in).max(SHORTEST_WAIT));
                let due = now.saturating_add(wait.unwrap_or(SignedDuration::MAX));
                let on = WaitingTask {
                    input,
                    run: details.external_id.as_ref().map(ToString::to_string),
                    due: due.unwrap_or(deadline).min(deadline),
                    until: now,
                    ..task.clone()
                };
                self.put_back::<A>(table, &task, &on).await;
                return Ok(self.waits(task.run_key));
            }
        }
        self.answered::<A>(table, task, conclusion).await
    }

    /// Answers the token, and forgets the task.
    async fn answered<A: Action>(
        mut self,
        table: &O::Table,
        task: WaitingTask,
        conclusion: Conclusion,
    ) -> Result<Tasked, DriveError> {
        let (told, fault) = answer(conclusion);
        let delivery = self.call_back(&task.token, &told, &task.run_key).await?;
        self.forget::<A>(table, &task).await;
        Ok(Tasked {
            run_key: task.run_key,
            answer: told,
            delivery: Some(delivery),
            fault,
            warnings: self.warnings,
        })
    }

    /// The machine waits no more: stops what was started, tells nobody.
    async fn give_up<A: Action>(
        mut self,
        action: &A,
        table: &O::Table,
        task: WaitingTask,
        job: &Job,
    ) -> Looked {
        // Unless the machine came back meanwhile, with a new token for the same run.
        let ours = self
            .repeated("the ledger", || table.keep_on(A::NAME, &task, &task))
            .await;
        match ours {
            Ok(()) => {}
            Err(PortError::Conflict { .. }) => return Looked::Lost,
            Err(error) => return Looked::Left(error),
        }
        let end = match self.end_task(action, table, job).await {
            Ok(end) => end,
            Err(fault) => return self.not_ended::<A>(table, task, fault).await,
        };
        self.forget::<A>(table, &task).await;
        let run_key = task.run_key;
        Looked::Woken(Woken::GivenUp(EndedRun { run_key, end }), self.warnings)
    }

    /// Ends the run of a task, where the action has runs.
    async fn end_task<A: Action>(
        &self,
        action: &A,
        table: &O::Table,
        job: &Job,
    ) -> Result<RunEnd, Fault> {
        if !A::STOPS {
            return Ok(RunEnd::NeverStarted);
        }
        let key = job.ledger_key(A::NAME);
        let entry = self.within("the ledger", self.short(), table.read(&key));
        if entry.await?.is_none() {
            // Nothing is left that could start: a machine that asks again with this run's name may.
            return Ok(RunEnd::NeverStarted);
        }
        let parameters = self.raw(job).await?;
        self.end(action, job, &parameters).await
    }

    /// The run goes on although it should not: the invocation fails. What may pass is tried again by the next sweep.
    async fn not_ended<A: Action>(
        mut self,
        table: &O::Table,
        task: WaitingTask,
        source: Fault,
    ) -> Looked {
        let now = self.outside.clock().now();
        if passes(&source) {
            let back = WaitingTask {
                due: now,
                until: now,
                ..task.clone()
            };
            self.put_back::<A>(table, &task, &back).await;
        } else {
            self.forget::<A>(table, &task).await;
        }
        Looked::Undelivered(DriveError::NotStopped {
            run: task.run_key,
            source,
        })
    }

    /// Gives a task out of hand. One that stays in hand is found again once this delivery is over.
    async fn put_back<A: Action>(
        &mut self,
        table: &O::Table,
        task: &WaitingTask,
        back: &WaitingTask,
    ) {
        let put = self
            .repeated("the ledger", || table.keep_on(A::NAME, task, back))
            .await;
        self.warnings.extend(unless_conflict(put));
    }

    /// Forgets a task that is over. One that stays is looked at once more and finds its token closed.
    async fn forget<A: Action>(&mut self, table: &O::Table, task: &WaitingTask) {
        let forgotten = self
            .repeated("the ledger", || table.forget(A::NAME, task))
            .await;
        self.warnings.extend(unless_conflict(forgotten));
    }

    pub(super) fn waits(self, run_key: String) -> Tasked {
        Tasked {
            run_key,
            answer: Answer::Kept,
            delivery: None,
            fault: None,
            warnings: self.warnings,
        }
    }
}

/// A conflict means that another delivery goes on with it.
fn unless_conflict(result: Result<(), PortError>) -> Option<PortError> {
    match result {
        Ok(()) | Err(PortError::Conflict { .. }) => None,
        Err(error) => Some(error),
    }
}

pub(super) fn claimed(deadline: Timestamp) -> Timestamp {
    deadline
        .saturating_add(SignedDuration::try_from(AFTERMATH).unwrap_or_default())
        .unwrap_or(Timestamp::MAX)
}
