//! Moves what happened from the requests into the audit chain, alerts where people must hear of it, and anchors.

use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::{
    approval::{
        audit::{
            self, Happened,
            port::{Append, AuditStore, Witness},
            tell,
            weekly::WeeklyHead,
        },
        history::{Run, RunStatus, Work},
        id::ApprovalId,
        port::{ApprovalStore, Conditions, Entropy, PipelineReader, Postman, ResultSender},
        request::Record,
    },
    id::{ExecutionId, PipelineName},
    port::{Clock, PortError, Topic},
};

use crate::{Sweep, SweepError, chain_of};

/// How often a write is tried again after somebody else's.
const WRITES: usize = 16;
/// Records in one transaction; DynamoDB takes 100 items.
const AT_ONCE: usize = 50;

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
    /// Chains the trail of a request: in one transaction the records are there and the trail is empty.
    pub(crate) async fn drain(&self, id: &ApprovalId) -> Result<(), PortError> {
        let mut alerted = 0;
        for _ in 0..WRITES {
            let Some(record) = self.store.load(id).await? else {
                return Ok(());
            };
            let count = record.trail.len().min(AT_ONCE);
            if count == 0 {
                return Ok(());
            }
            let (taken, rest) = record.trail.split_at(count);
            // Alerted first: an alert may come twice, but none is lost.
            for entry in taken
                .iter()
                .skip(alerted)
                .filter(|entry| entry.kind.alarms())
            {
                let (subject, text) = alarm(&record, entry.kind.as_str(), entry.detail.as_deref());
                self.alert(&subject, &text).await?;
            }
            alerted = count;
            let happened: Vec<Happened> = taken.iter().map(|e| tell::tell(&record, e)).collect();
            let mut drained = record.clone();
            drained.version += 1;
            drained.trail = rest.to_vec();
            match self.chain(&happened, Some(&drained), None).await {
                Ok(()) => alerted = 0,
                Err(PortError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(PortError::Conflict {
            what: format!("the trail of {id}"),
        })
    }

    /// Adds to the chain as it stands now.
    async fn chain(
        &self,
        happened: &[Happened],
        drained: Option<&Record>,
        once: Option<&str>,
    ) -> Result<(), PortError> {
        let before = self.store.head().await?;
        let now = self.clock.now();
        let install = &self.settings.install;
        let unanchored = before.as_ref().is_some_and(|b| b.anchored < b.seq);
        let (after, lines) = audit::extend(before.as_ref(), install, now, happened);
        if unanchored && before.as_ref().is_some_and(|b| b.month != after.month) {
            // Anchors go by month: the old one's end first.
            self.anchor().await?;
            return Err(PortError::Conflict {
                what: "the audit chain of a new month".to_owned(),
            });
        }
        let append = Append {
            before: before.as_ref(),
            after: &after,
            lines: &lines,
            drained,
            once,
        };
        self.store.append(append).await
    }

    /// Records an event that is no request's, once.
    pub(crate) async fn record_once(
        &self,
        event: &str,
        happened: &[Happened],
    ) -> Result<(), PortError> {
        for _ in 0..WRITES {
            if self.store.recorded(event).await? {
                return Ok(());
            }
            match self.chain(happened, None, Some(event)).await {
                Err(PortError::Conflict { .. }) => {}
                result => return result,
            }
        }
        Err(PortError::Conflict {
            what: format!("the record of the event {event}"),
        })
    }

    /// Puts what is new in the chain where nobody can change it.
    pub(crate) async fn anchor(&self) -> Result<(), PortError> {
        let Some(witness) = &self.witness else {
            return Ok(());
        };
        for _ in 0..WRITES {
            let head = self.store.head().await?;
            let Some(head) = head.filter(|head| head.anchored < head.seq) else {
                return Ok(());
            };
            let lines = self.store.lines(&head.month, head.anchored + 1).await?;
            let Some((key, text)) = audit::anchor(&self.settings.install, &head.month, &lines)
            else {
                return Ok(());
            };
            let kept = SignedDuration::from_hours(24 * i64::from(self.settings.audit_days));
            witness.keep(&key, &text, self.clock.now() + kept).await?;
            let mut after = head.clone();
            after.anchored = lines.last().map_or(head.anchored, |line| line.seq);
            let append = Append {
                before: Some(&head),
                after: &after,
                lines: &[],
                drained: None,
                once: None,
            };
            match self.store.append(append).await {
                Ok(()) | Err(PortError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Has the head mailed to auditors, once in a week. Asked for first, then recorded: a mail may come twice, but none
    /// is lost.
    pub(crate) async fn mail_head(&self) -> Result<(), PortError> {
        let head = match self.settings.mails_head {
            true => self.store.head().await?,
            false => None,
        };
        let Some(head) = head else {
            return Ok(());
        };
        let now = self.clock.now();
        let weekly = WeeklyHead::of(&head, &self.settings.install, now);
        if self.store.recorded(&weekly.event()).await? {
            return Ok(());
        }
        self.postman.mail_head(&weekly).await?;
        self.record_once(&weekly.event(), &[weekly.happened(now)])
            .await
    }

    /// How the execution of approved work ended, and what its deployments came to.
    pub(crate) async fn tell_end(
        &self,
        end: &End<'_>,
        approvals: &[ApprovalId],
    ) -> Result<(), SweepError> {
        let recorded = self.store.recorded(end.event).await;
        if recorded.map_err(SweepError::Audit)? {
            return Ok(());
        }
        let ids: Vec<&str> = approvals.iter().map(ApprovalId::as_str).collect();
        let happened = Happened {
            at: self.clock.now(),
            kind: "execution-ended",
            approval: None,
            what: tell::object(json!({
                "pipeline": end.pipeline.as_str(),
                "execution": end.execution.as_str(),
                "attempt": end.attempt,
                "state": end.state,
                "deployed": self.deployed(end, approvals).await,
                "approvals": ids,
            })),
        };
        let recorded = self.record_once(end.event, &[happened]).await;
        recorded.map_err(SweepError::Audit)
    }

    /// What the execution's deployments came to; `None` where that cannot be read.
    async fn deployed(&self, end: &End<'_>, approvals: &[ApprovalId]) -> Option<Vec<Value>> {
        let record = self.store.load(approvals.first()?).await.ok()??;
        if record.request.asker.machine().is_some() {
            return None;
        }
        let stage = &record.request.target.stage;
        let past = match self.pipelines.past(end.pipeline, stage).await {
            Ok(past) => past,
            Err(error) => {
                tracing::warn!(execution = %end.execution, error = %chain_of(&error), "what was deployed could not be read");
                return None;
            }
        };
        let own = past
            .runs
            .iter()
            .filter(|run| run.execution == *end.execution);
        Some(own.filter_map(deployment).collect())
    }

    /// Tells people, and the log.
    pub(crate) async fn alert(&self, subject: &str, text: &str) -> Result<(), PortError> {
        tracing::error!(alarm = subject, "{text}");
        match &self.settings.alerts {
            Some(topic) => self.alerts.publish(topic, subject, text).await,
            None => Ok(()),
        }
    }
}

/// How an execution ended.
#[derive(Debug)]
pub(crate) struct End<'a> {
    /// Id of the event that told it.
    pub event: &'a str,
    /// The pipeline.
    pub pipeline: &'a PipelineName,
    /// The execution.
    pub execution: &'a ExecutionId,
    /// How, in AWS's word.
    pub state: &'static str,
    /// Its attempt, as AWS counts.
    pub attempt: Option<u64>,
}

/// What a run deployed and how that ended; `None`: it deploys nothing.
fn deployment(run: &Run) -> Option<Value> {
    let Work::Deploy(deploy) = &run.work else {
        return None;
    };
    let mut told = tell::deploys(deploy);
    told["stage"] = json!(run.stage);
    told["action"] = json!(run.action);
    told["result"] = json!(match run.status {
        RunStatus::InProgress => "InProgress",
        RunStatus::Succeeded => "Succeeded",
        RunStatus::Failed => "Failed",
    });
    Some(told)
}

/// Subject and text of an alert about a request.
fn alarm(record: &Record, kind: &str, detail: Option<&str>) -> (String, String) {
    let target = &record.request.target;
    let (what, more) = match kind {
        "elsewhere" => (
            "answered elsewhere",
            "The approval was answered in the AWS console or through the API, past its rule.",
        ),
        "quarantined" => (
            "contradictory answers",
            "Opposite answers came from one approver's links at once. Neither counts; a machine may be opening the links.",
        ),
        other => (other, "Look at the audit for what happened."),
    };
    let by = detail.map(|by| format!("\nBy: {by}")).unwrap_or_default();
    let subject = format!("[{}] {}: {what}", target.stage, target.pipeline);
    let text = format!(
        "{more}\n\nPipeline: {}\nStage: {}\nAction: {}\nExecution: {}\nApproval: {}{by}\n",
        target.pipeline, target.stage, target.action, record.request.execution, record.request.id,
    );
    (subject, text)
}
