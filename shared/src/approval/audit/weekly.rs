//! Where the chain stands, mailed once a week: a witness outside of AWS. Plain data to plain data.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

use super::{Happened, Head, tell};

/// Where a chain stood in a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeeklyHead {
    /// Whose chain.
    pub install: String,
    /// As `2026-W48`, UTC.
    pub week: String,
    /// Month of the last record.
    pub month: String,
    /// Its number in that month.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

impl WeeklyHead {
    /// Of this chain, now.
    pub fn of(head: &Head, install: &str, now: Timestamp) -> Self {
        let week = now.to_zoned(TimeZone::UTC).date().iso_week_date();
        Self {
            install: install.to_owned(),
            week: format!("{:04}-W{:02}", week.year(), week.week()),
            month: head.month.clone(),
            seq: head.seq,
            hash: head.hash.clone(),
        }
    }

    /// What stands for this week's mail: it is asked for once.
    pub fn event(&self) -> String {
        format!("audit-head-{}-{}", self.install, self.week)
    }

    /// The record that it was.
    pub fn happened(&self, now: Timestamp) -> Happened {
        Happened {
            at: now,
            kind: "head-mailed",
            approval: None,
            what: tell::object(json!({
                "week": self.week, "ofMonth": self.month, "ofSeq": self.seq, "ofHash": self.hash,
            })),
        }
    }
}
