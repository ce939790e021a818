//! What CloudTrail saw: results and overrides past the rules.

use jiff::Timestamp;
use serde_json::json;
use shared::{
    approval::{
        audit::{
            Happened,
            port::{AuditStore, Witness},
            tell,
        },
        id::ApprovalId,
        port::{ApprovalStore, Conditions, Entropy, PipelineReader, Postman, ResultSender},
        request::{Record, State},
        words,
    },
    port::{Clock, PortError, Topic},
};

use crate::{
    Sweep, SweepError,
    event::{Call, CallKind},
};

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
    /// Looks whose result it was: one of ours is noted beside its decision, any other is told and recorded.
    pub(crate) async fn told_of(&self, call: &Call, deadline: Timestamp) -> Result<(), SweepError> {
        if self
            .store
            .recorded(&call.id)
            .await
            .map_err(SweepError::Audit)?
        {
            return Ok(());
        }
        let answered = self.answered_by(call).await.map_err(SweepError::List)?;
        let ours = answered.iter().find(|record| is_ours(record, call));
        if let Some(record) = ours {
            let seen = self.happened(call, "witnessed", Some(&record.request.id));
            let recorded = self.record_once(&call.id, &[seen]).await;
            return recorded.map_err(SweepError::Audit);
        }
        let kind = match call.kind {
            CallKind::Result => "out-of-band",
            CallKind::Override => "condition-overridden",
        };
        let (subject, text) = alarm(call);
        self.alert(&subject, &text)
            .await
            .map_err(SweepError::Alert)?;
        let open = answered
            .iter()
            .find(|r| !matches!(r.state, State::Decided { .. }));
        let seen = self.happened(call, kind, open.map(|r| &r.request.id));
        let recorded = self.record_once(&call.id, &[seen]).await;
        recorded.map_err(SweepError::Audit)?;
        let ids: Vec<ApprovalId> = answered.iter().map(|r| r.request.id.clone()).collect();
        self.tend_all(&ids, deadline).await
    }

    /// Requests of the action that was answered, ended lately or not at all.
    async fn answered_by(&self, call: &Call) -> Result<Vec<Record>, PortError> {
        let mut found = Vec::new();
        if call.kind == CallKind::Override {
            return Ok(found);
        }
        for id in self.store.unfinished(None).await? {
            let record = self.store.load(&id).await?;
            found.extend(record.filter(|r| call.answers(&r.request.target)));
        }
        Ok(found)
    }

    fn happened(&self, call: &Call, kind: &'static str, approval: Option<&ApprovalId>) -> Happened {
        let line = |text: &Option<String>| text.as_deref().map(|t| words::one_line(t, 512));
        Happened {
            at: self.clock.now(),
            kind,
            approval: approval.cloned(),
            what: tell::object(json!({
                "cloudTrailEvent": call.id,
                "time": call.time,
                "by": words::one_line(&call.by, 512),
                "pipeline": call.pipeline,
                "stage": call.stage,
                "action": call.action,
                "status": call.status,
                "summary": line(&call.summary),
                "outOfBand": kind != "witnessed",
            })),
        }
    }
}

/// Whether the result carries the id of this request's own decision.
fn is_ours(record: &Record, call: &Call) -> bool {
    let (State::Deciding { decision, .. } | State::Decided { decision, .. }) = &record.state else {
        return false;
    };
    let said = call.summary.as_deref().unwrap_or_default();
    said.contains(decision.id.as_str()) && call.status.as_deref() == Some(decision.verdict.past())
}

fn alarm(call: &Call) -> (String, String) {
    let (what, more) = match call.kind {
        CallKind::Result => (
            "approval answered past its rule",
            "PutApprovalResult was called by somebody else than the approval functions.",
        ),
        CallKind::Override => (
            "stage condition overridden",
            "OverrideStageCondition was called: the stage went on although its condition did not hold.",
        ),
    };
    let line = |text: &str| words::one_line(text, 512);
    let mut text = format!(
        "{more}\n\nBy: {}\nWhen: {}\nPipeline: {}\nStage: {}\n",
        line(&call.by),
        line(&call.time),
        line(&call.pipeline),
        line(&call.stage),
    );
    for (name, value) in [
        ("Action", &call.action),
        ("Result", &call.status),
        ("Summary", &call.summary),
    ] {
        if let Some(value) = value {
            text.push_str(&format!("{name}: {}\n", line(value)));
        }
    }
    (
        format!("[{}] {}: {what}", line(&call.stage), line(&call.pipeline)),
        text,
    )
}
