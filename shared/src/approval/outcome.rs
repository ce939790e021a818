//! How a request ended, and by whom.

use jiff::Timestamp;

use crate::approval::request::{Decision, Record, State, Verdict};

impl Decision {
    /// What people are told where no vote decided.
    pub fn without_votes(&self) -> Option<String> {
        let newer = self.newer.as_ref()?;
        Some(format!(
            "Nobody rejected it: the newer execution {newer} waits, and the rule lets older ones give way."
        ))
    }
}

impl Record {
    /// When it ended, if it did.
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Open | State::Deciding { .. } => None,
            State::Decided { delivered_at, .. } => Some(*delivered_at),
            State::Elsewhere { at, .. } | State::Superseded { at } | State::Expired { at } => {
                Some(*at)
            }
        }
    }

    /// Address of whoever gave the vote that decided: the last one for it.
    pub fn decider(&self, decision: &Decision) -> Option<&str> {
        let mut votes = self.votes.iter().rev();
        let last = votes.find(|v| v.verdict == decision.verdict)?;
        Some(self.recipient(&last.recipient)?.address.as_str())
    }

    /// Addresses of everybody who answered like this.
    pub fn agreeing(&self, verdict: Verdict) -> Vec<&str> {
        let votes = self.votes.iter().filter(|v| v.verdict == verdict);
        votes
            .filter_map(|v| Some(self.recipient(&v.recipient)?.address.as_str()))
            .collect()
    }
}
