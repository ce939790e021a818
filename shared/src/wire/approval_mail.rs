//! What `approval-sweep` asks of `approval-notify`: `{"stagewright": {"mailsDueOf": "<approval id>"}}`, or `mailAuditHead`.

use serde_json::{Value, json};

use crate::{
    approval::{audit::weekly::WeeklyHead, id::ApprovalId, words::one_line},
    id::IdError,
};

/// The event that asks for the mails that are due of this request.
pub fn ask(approval: &ApprovalId) -> Value {
    json!({"stagewright": {"mailsDueOf": approval.as_str()}})
}

/// The request whose mails are asked for; `None`: it is another event.
///
/// # Errors
/// When it names something else than a request.
pub fn due(event: &Value) -> Result<Option<ApprovalId>, IdError> {
    let named = event.pointer("/stagewright/mailsDueOf");
    let text = named.and_then(Value::as_str);
    text.map(str::parse).transpose()
}

/// The event that asks for the mail about the audit chain.
pub fn ask_head(head: &WeeklyHead) -> Value {
    json!({"stagewright": {"mailAuditHead": {
        "install": head.install, "week": head.week, "month": head.month, "seq": head.seq, "hash": head.hash,
    }}})
}

/// The head that is to be mailed; `None`: it is another event.
pub fn head_of(event: &Value) -> Option<WeeklyHead> {
    let head = event.pointer("/stagewright/mailAuditHead")?;
    let text = |name: &str| Some(one_line(head.get(name)?.as_str()?, 100));
    Some(WeeklyHead {
        install: text("install")?,
        week: text("week")?,
        month: text("month")?,
        seq: head.get("seq")?.as_u64()?,
        hash: text("hash")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_read() {
        let id = ApprovalId::from_random([7; 16]);
        assert_eq!(due(&ask(&id)), Ok(Some(id)));
        assert_eq!(due(&json!({"Records": []})), Ok(None));
        let foreign = json!({"stagewright": {"mailsDueOf": "../x"}});
        assert!(due(&foreign).is_err());
    }
}
