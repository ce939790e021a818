//! A job of CodePipeline, from its first look to its one report.

use super::{
    Delivery, DriveError, Ended, Outside,
    decide::{self, Conclusion, Next},
    limit,
    run::Run,
};
use crate::{
    action::Action,
    fault::Fault,
    id::JobId,
    job::{Job, Report},
    port::{Clock, JobReporter, Ledger, LedgerEntry, PortError, Timer},
};

impl<O: Outside> Run<'_, O> {
    /// Steps the action for this job and reports exactly once.
    pub async fn job<A: Action>(
        mut self,
        action: &A,
        id: JobId,
        job: Result<Job, Fault>,
    ) -> Result<Ended, DriveError> {
        let opened = job.and_then(|job| decide::open(job, self.outside.clock().now()));
        let (run, (report, fault)) = match opened {
            Err(fault) => (None, (decide::failure(&fault), Some(fault))),
            Ok((job, ticket)) => {
                let key = job.ledger_key(A::NAME);
                if self.is_finished(&key).await {
                    return Ok(self.ended(
                        id,
                        ticket.run_key,
                        None,
                        None,
                        Delivery::AlreadyFinished,
                    ));
                }
                let conclusion = self.step(action, &job, &ticket).await;
                let told = self.told::<A>(&job, conclusion).await;
                (Some((key, ticket.run_key, job.origin)), told)
            }
        };
        let delivered = self.deliver(&id, report).await;
        let mut stopped = Vec::new();
        if let Some((_, _, origin)) = &run
            && is_refused(&delivered)
        {
            stopped = self.refused(action, &id, origin).await?;
        }
        let (report, delivery) = match delivered {
            Ok(delivered) => delivered,
            // The job is forgotten, and its run is stopped: there is nobody left to tell.
            Err(DriveError::Undelivered { .. }) if !stopped.is_empty() => {
                let run_key = stopped[0].run_key.clone();
                let ended = self.ended(id, run_key, None, fault, Delivery::AlreadyThere);
                return Ok(Ended { stopped, ..ended });
            }
            Err(error) => return Err(error),
        };
        let run_key = match run {
            None => id.to_string(),
            Some((key, run_key, _)) => {
                // Only what this delivery ended: a late duplicate's own verdict says nothing about a run that goes on.
                let ours = matches!(delivery, Delivery::Sent { .. });
                if ours && !matches!(report, Report::Continue { .. }) {
                    self.finish(&key).await;
                }
                run_key
            }
        };
        let ended = self.ended(id, run_key, Some(report), fault, delivery);
        Ok(Ended { stopped, ..ended })
    }

    /// What CodePipeline is told, and the fault behind it.
    async fn told<A: Action>(
        &mut self,
        job: &Job,
        conclusion: Conclusion,
    ) -> (Report, Option<Fault>) {
        let fault = match conclusion {
            Conclusion::Done { details, variables } => {
                let details = limit::with_link(details);
                return (Report::Success { details, variables }, None);
            }
            Conclusion::Wait {
                ticket, details, ..
            } => match self.token::<A>(job, &ticket).await {
                Ok(token) => {
                    let details = limit::with_link(details);
                    return (Report::Continue { details, token }, None);
                }
                Err(fault) => fault,
            },
            Conclusion::Failed(fault) => fault,
        };
        (decide::failure(&fault), Some(fault))
    }

    /// Whether an earlier delivery ended this run. When the ledger does not answer, the step is made:
    /// steps may be repeated, and a second report is refused by CodePipeline.
    async fn is_finished(&mut self, key: &str) -> bool {
        let Some(table) = self.outside.table() else {
            return false;
        };
        let entry = self
            .within("the ledger", self.short(), table.read(key))
            .await;
        match entry {
            Ok(entry) => entry == Some(LedgerEntry::Finished),
            Err(error) => {
                self.warnings.push(error);
                false
            }
        }
    }

    /// Calls until the report is taken, or nothing more can be done before the deadline.
    async fn deliver(
        &mut self,
        id: &JobId,
        mut report: Report,
    ) -> Result<(Report, Delivery), DriveError> {
        let mut attempt = 1;
        loop {
            let call = self.outside.reporter().report(id, &report);
            let time = decide::call_time(attempt, self.left());
            let result = self.within("CodePipeline", time, call).await;
            match decide::after_call(&report, &result, attempt, self.left()) {
                Next::Delivered => return Ok((report, Delivery::Sent { attempts: attempt })),
                Next::AlreadyThere => return Ok((report, Delivery::AlreadyThere)),
                Next::Again(wait) => self.outside.timer().sleep(wait).await,
                Next::Instead(other) => {
                    report = other;
                    self.warnings.extend(result.err());
                }
                Next::GiveUp => {
                    return Err(DriveError::Undelivered {
                        of: format!("job {id}"),
                        source: result.expect_err("only an error is given up on"),
                    });
                }
            }
            attempt += 1;
        }
    }

    /// Remembers the end for late duplicates. Without it they are stepped again and their report is refused.
    async fn finish(&mut self, key: &str) {
        let Some(table) = self.outside.table() else {
            return;
        };
        let marked = self
            .within("the ledger", self.short(), table.finished(key))
            .await;
        if let Err(error) = marked {
            self.warnings.push(error);
        }
    }

    fn ended(
        self,
        job: JobId,
        run_key: String,
        report: Option<Report>,
        fault: Option<Fault>,
        delivery: Delivery,
    ) -> Ended {
        Ended {
            job,
            run_key,
            report,
            delivery,
            stopped: Vec::new(),
            fault,
            warnings: self.warnings,
        }
    }
}

/// Whether the report found a job that takes none: an earlier report ended it, or the pipeline did.
fn is_refused(delivered: &Result<(Report, Delivery), DriveError>) -> bool {
    match delivered {
        Ok((_, delivery)) => matches!(delivery, Delivery::AlreadyThere),
        Err(DriveError::Undelivered { source, .. }) => {
            matches!(source, PortError::NotFound { .. })
        }
        Err(_) => false,
    }
}
