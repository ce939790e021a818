//! What the sweep works with, in memory: the audit chain, anchors, machines, alerts, and who sends mails.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use shared::{
    approval::{
        audit::{
            Head, Line,
            port::{Append, AuditStore, Witness},
            weekly::WeeklyHead,
        },
        id::ApprovalId,
        port::{Conditions, Postman},
        request::Record,
        rules::{
            evaluate::{CalendarState, GateState},
            gate::Gate,
        },
        stored,
    },
    port::{PortError, Topic},
};

use super::{ApprovalWorld, State, conflict};

#[derive(Debug, Default)]
pub(super) struct Audit {
    head: Option<Head>,
    lines: BTreeMap<(String, u64), Line>,
    events: BTreeSet<String>,
    anchors: BTreeMap<String, String>,
    alerts: Vec<(String, String)>,
    asked: Vec<ApprovalId>,
    heads: Vec<WeeklyHead>,
}

impl ApprovalWorld {
    /// The audit chain so far, a record a line.
    pub fn audit(&self) -> String {
        let state = self.lock();
        let lines = state.audit.lines.values();
        lines.map(|line| format!("{}\n", line.text)).collect()
    }

    /// Anchors so far, by key.
    pub fn anchors(&self) -> BTreeMap<String, String> {
        self.lock().audit.anchors.clone()
    }

    /// Alerts so far: subject and text.
    pub fn alerts(&self) -> Vec<(String, String)> {
        self.lock().audit.alerts.clone()
    }

    /// Heads of the audit chain whose mail was asked for, in order.
    pub fn heads_mailed(&self) -> Vec<WeeklyHead> {
        self.lock().audit.heads.clone()
    }

    /// Requests whose mails were asked for, in order.
    pub fn mails_asked(&self) -> Vec<ApprovalId> {
        self.lock().audit.asked.clone()
    }

    /// Requests that the sweep is done with.
    pub fn done(&self) -> usize {
        self.lock().done.len()
    }

    /// The code of the first link that went to this recipient.
    ///
    /// # Panics
    /// When nobody asked them through [`ApprovalWorld::ask_by`].
    pub fn invitation_of(&self, record: &Record, recipient: usize) -> String {
        let link = &record.recipients[recipient].links[0].id;
        let state = self.lock();
        let code = state.codes.get(link).expect("they were asked");
        code.reveal().clone()
    }

    /// Stores a record as it is.
    pub fn keep(&self, record: &Record) {
        let id = record.request.id.clone();
        self.lock().records.insert(id, stored::encode(record));
    }
}

impl AuditStore for ApprovalWorld {
    async fn head(&self) -> Result<Option<Head>, PortError> {
        self.call("audit head", |s| Ok(s.audit.head.clone())).await
    }

    async fn append(&self, append: Append<'_>) -> Result<(), PortError> {
        let act = |s: &mut State| {
            if s.audit.head.as_ref() != append.before {
                return conflict();
            }
            if append
                .once
                .is_some_and(|event| s.audit.events.contains(event))
            {
                return conflict();
            }
            if let Some(next) = append.drained {
                let held = s.records.get(&next.request.id);
                let held = held.and_then(|text| stored::decode(text.reveal()).ok());
                if held.is_none_or(|held| held.version + 1 != next.version) {
                    return conflict();
                }
                s.records
                    .insert(next.request.id.clone(), stored::encode(next));
            }
            s.audit.events.extend(append.once.map(str::to_owned));
            s.audit.head = Some(append.after.clone());
            for line in append.lines {
                let key = (append.after.month.clone(), line.seq);
                assert!(
                    s.audit.lines.insert(key, line.clone()).is_none(),
                    "{line:?}"
                );
            }
            Ok(())
        };
        self.call("audit append", act).await
    }

    async fn recorded(&self, event: &str) -> Result<bool, PortError> {
        let act = |s: &mut State| Ok(s.audit.events.contains(event));
        self.call("audit recorded", act).await
    }

    async fn lines(&self, month: &str, from: u64) -> Result<Vec<Line>, PortError> {
        let act = |s: &mut State| {
            let range = s.audit.lines.range((month.to_owned(), from)..);
            let lines = range.take_while(|((m, _), _)| m == month);
            Ok(lines.map(|(_, line)| line.clone()).take(3).collect())
        };
        self.call("audit lines", act).await
    }
}

impl Witness for ApprovalWorld {
    async fn keep(&self, key: &str, text: &str, _: Timestamp) -> Result<(), PortError> {
        let act = |s: &mut State| {
            s.audit.anchors.insert(key.to_owned(), text.to_owned());
            Ok(())
        };
        self.call("witness", act).await
    }
}

impl Topic for ApprovalWorld {
    async fn publish(&self, _: &str, subject: &str, message: &str) -> Result<(), PortError> {
        let act = |s: &mut State| {
            s.audit
                .alerts
                .push((subject.to_owned(), message.to_owned()));
            Ok(())
        };
        self.call("alert", act).await
    }
}

impl Postman for ApprovalWorld {
    async fn send_due(&self, approval: &ApprovalId) -> Result<(), PortError> {
        let act = |s: &mut State| {
            s.audit.asked.push(approval.clone());
            Ok(())
        };
        self.call("postman", act).await
    }

    async fn mail_head(&self, head: &WeeklyHead) -> Result<(), PortError> {
        let act = |s: &mut State| {
            s.audit.heads.push(head.clone());
            Ok(())
        };
        self.call("postman head", act).await
    }
}

/// Calendars and gates; what is not set cannot be reached. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Machines(Arc<Mutex<Says>>);

#[derive(Debug, Default)]
struct Says {
    calendars: BTreeMap<String, CalendarState>,
    gates: BTreeMap<String, GateState>,
    asked: usize,
}

impl Machines {
    /// From now on a calendar is like this.
    pub fn calendar_is(&self, name: &str, state: CalendarState) {
        self.lock().calendars.insert(name.to_owned(), state);
    }

    /// From now on a gate is like this.
    pub fn gate_is(&self, name: &str, state: GateState) {
        self.lock().gates.insert(name.to_owned(), state);
    }

    /// How often any was asked.
    pub fn asked(&self) -> usize {
        self.lock().asked
    }

    fn lock(&self) -> MutexGuard<'_, Says> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn silent(what: &str) -> PortError {
    PortError::Unavailable {
        what: what.to_owned(),
        source: None,
    }
}

impl Conditions for Machines {
    async fn calendar(&self, name: &str) -> Result<CalendarState, PortError> {
        let mut says = self.lock();
        says.asked += 1;
        says.calendars
            .get(name)
            .copied()
            .ok_or_else(|| silent(name))
    }

    async fn gate(&self, gate: &Gate, _: &Record) -> Result<GateState, PortError> {
        let mut says = self.lock();
        says.asked += 1;
        says.gates
            .get(&gate.name)
            .cloned()
            .ok_or_else(|| silent(&gate.name))
    }
}
