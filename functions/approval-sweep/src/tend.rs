//! Looks after one request until nothing is left to do for now: the loop around `shared::approval::sweep`.

use shared::{
    approval::{
        audit::port::{AuditStore, Witness},
        booth::{Booth, Delivery},
        decide::Finding,
        history::Past,
        id::ApprovalId,
        newer,
        port::{ApprovalStore, Conditions, Entropy, PipelineReader, Postman, ResultSender},
        request::{Record, Request, State},
        rules::evaluate::{self, Verdict},
        sweep::{self, Seen, Step},
    },
    port::{Clock, PortError, Topic},
};

use crate::{FreshOf, Sweep, chain_of};

/// Steps for one request in one round; the rest is for the next.
const STEPS: usize = 12;

impl<S, P, O, M, T, W, C, E> Sweep<S, P, O, M, T, W, C, E>
where
    S: ApprovalStore + AuditStore,
    P: PipelineReader + ResultSender,
    O: Conditions,
    M: Postman,
    T: Topic,
    W: Witness,
    C: Clock,
    E: Entropy,
{
    /// Does everything that is due for a request now.
    pub(crate) async fn tend(&self, id: &ApprovalId) -> Result<(), PortError> {
        let booth = Booth {
            store: &self.store,
            sender: &self.pipelines,
            clock: &self.clock,
        };
        let mut seen = Seen::default();
        for _ in 0..STEPS {
            let Some(record) = self.store.load(id).await? else {
                // Its item was removed by the table's TTL.
                return self.store.finished(id).await;
            };
            if record.state == State::Open && seen.found.is_none() {
                seen.found = self.find(&record).await;
                seen.past = self.past(&record).await;
            }
            seen.verdict = self.verdict(&record).await;
            let now = self.clock.now();
            let mut fresh = FreshOf(&self.entropy);
            match sweep::step(&record, &seen, &self.settings.revoked, &mut fresh, now) {
                Step::TakeOver => match booth.take_over(&record).await? {
                    Some(delivery) if !told(&record, &delivery) => break,
                    _ => {}
                },
                Step::Decide(next, decision) => match booth.send(*next, decision).await? {
                    Some(delivery) if !told(&record, &delivery) => break,
                    _ => {}
                },
                Step::Write(next) => match self.store.replace(&next).await {
                    Ok(()) => {
                        tracing::info!(approval = %id, state = ?next.state, "an approval moved on by itself");
                    }
                    Err(PortError::Conflict { .. }) => {}
                    Err(error) => return Err(error),
                },
                Step::GiveUp(next) => {
                    // First told, then written: cut off between, it is told again, and the token takes one answer.
                    self.pipelines.give_up(&record).await?;
                    match self.store.replace(&next).await {
                        Ok(()) => {
                            tracing::info!(approval = %id, "nobody decided in time; the state machine was told");
                        }
                        Err(PortError::Conflict { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
                Step::Mail => {
                    self.postman.send_due(id).await?;
                    break;
                }
                Step::Finish => return self.store.finished(id).await,
                Step::Wait => break,
            }
        }
        self.drain(id).await
    }

    /// How the request's run stands; what cannot be read now is looked at in a minute.
    async fn find(&self, record: &Record) -> Option<Finding> {
        let request = &record.request;
        if request.asker.machine().is_none() && self.is_shown(request).await {
            return Some(Finding::default());
        }
        match self.pipelines.look(request).await {
            Ok(found) => Some(found),
            Err(PortError::NotFound { .. }) => Some(Finding {
                ended: true,
                ..Finding::default()
            }),
            Err(error) => {
                tracing::warn!(approval = %request.id, error = %chain_of(&error), "the run could not be looked at");
                None
            }
        }
    }

    /// What the pipeline did, where it is time to look.
    async fn past(&self, record: &Record) -> Option<Past> {
        let request = &record.request;
        if !newer::wants_past(record, self.clock.now()) {
            return None;
        }
        let (pipeline, stage) = (&request.target.pipeline, &request.target.stage);
        match self.pipelines.past(pipeline, stage).await {
            Ok(past) => Some(past),
            Err(error) => {
                tracing::warn!(approval = %request.id, error = %chain_of(&error), "newer executions could not be looked for");
                None
            }
        }
    }

    /// Whether GetPipelineState shows the request's token.
    async fn is_shown(&self, request: &Request) -> bool {
        let pipeline = &request.target.pipeline;
        let shown = self.pipelines.waiting_in_state(pipeline).await;
        shown.is_ok_and(|waiting| waiting.iter().any(|w| w.token == request.token))
    }

    /// What the votes come to. Machines are asked only where everything else is there.
    async fn verdict(&self, record: &Record) -> Option<Verdict> {
        let now = self.clock.now();
        let rule = &record.rule;
        if record.state != State::Open
            || record.votes.is_empty()
            || now >= record.request.expires_at
        {
            return None;
        }
        let good = evaluate::Conditions::good(rule);
        let wished = record.evaluate_under(&good, now).verdict;
        let alone = rule.change_calendars.is_empty() && rule.gates.is_empty();
        if alone || !matches!(wished, Verdict::Approved { .. }) {
            return Some(wished);
        }
        let mut conditions = evaluate::Conditions::default();
        for name in &rule.change_calendars {
            match self.conditions.calendar(name).await {
                Ok(state) => drop(conditions.calendars.insert(name.clone(), state)),
                Err(error) => {
                    tracing::warn!(calendar = name, error = %chain_of(&error), "a change calendar counts as closed");
                }
            }
        }
        for gate in &rule.gates {
            match self.conditions.gate(gate, record).await {
                Ok(state) => drop(conditions.gates.insert(gate.name.clone(), state)),
                Err(error) => {
                    tracing::warn!(gate = gate.name, error = %chain_of(&error), "a check counts as not passed");
                }
            }
        }
        Some(record.evaluate_under(&conditions, now).verdict)
    }
}

/// Logs how far a decision came; whether whoever asked was told.
fn told(record: &Record, delivery: &Delivery) -> bool {
    let (approval, decision) = (&record.request.id, &delivery.decision.id);
    match &delivery.end {
        Ok(state) => {
            tracing::info!(%approval, %decision, state = ?state, "a decision left unsent was sent");
            true
        }
        Err(error) => {
            tracing::error!(%approval, %decision, error = %chain_of(error), "the decision is recorded but not delivered yet");
            false
        }
    }
}
