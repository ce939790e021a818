//! The audit chain: what happened to requests, one record after the other, each holding the hash of the one before.
//!
//! One chain per install and month; a month begins with the last hash of the month before. The hash is SHA-256, not an
//! HMAC: an auditor checks a chain without holding a secret, and what a thief of a secret could rewrite, the anchors in
//! S3 Object Lock give away (docs/audit.md).

pub mod canonical;
pub mod port;
pub mod tell;
pub mod verify;
pub mod weekly;

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::approval::id::ApprovalId;

/// In front of everything that is hashed.
const DOMAIN: &[u8] = b"stagewright audit v1\n";
/// The hash before the first record of an install.
pub const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Written into every record.
const VERSION: u64 = 1;

/// Something that happened, ready for the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Happened {
    /// When.
    pub at: Timestamp,
    /// What, as [`super::trail::Kind::as_str`] writes it.
    pub kind: &'static str,
    /// To which request; `None`: to none of ours.
    pub approval: Option<ApprovalId>,
    /// Everything an auditor wants to know. No secrets.
    pub what: Map<String, Value>,
}

/// One record of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// 1 and up in each month.
    pub seq: u64,
    /// Its own hash.
    pub hash: String,
    /// Canonical JSON, its hash in it.
    pub text: String,
}

/// Where a chain stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// As `2026-11`, UTC.
    pub month: String,
    /// Number of its last record.
    pub seq: u64,
    /// Hash of its last record.
    pub hash: String,
    /// Up to which record an anchor lies in S3.
    pub anchored: u64,
}

/// The month of a moment, UTC.
pub fn month(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string()
}

/// Adds to a chain: the new head and the records.
pub fn extend(
    head: Option<&Head>,
    install: &str,
    now: Timestamp,
    happened: &[Happened],
) -> (Head, Vec<Line>) {
    let month = month(now);
    let mut after = match head {
        // A clock that went back makes no new month.
        Some(head) if head.month >= month => head.clone(),
        Some(head) => Head {
            month,
            seq: 0,
            hash: head.hash.clone(),
            anchored: 0,
        },
        None => Head {
            month,
            seq: 0,
            hash: BEGINNING.to_owned(),
            anchored: 0,
        },
    };
    let mut lines = Vec::new();
    for event in happened {
        after.seq += 1;
        let body = json!({
            "v": VERSION,
            "install": install,
            "month": after.month,
            "seq": after.seq,
            "prev": after.hash,
            "at": event.at.to_string(),
            "kind": event.kind,
            "approval": event.approval.as_ref().map(ApprovalId::as_str),
            "what": event.what,
        });
        let line = seal(after.seq, body);
        after.hash.clone_from(&line.hash);
        lines.push(line);
    }
    (after, lines)
}

fn seal(seq: u64, mut body: Value) -> Line {
    let hash = hash(&canonical::text(&body));
    body["hash"] = hash.clone().into();
    Line {
        seq,
        hash,
        text: canonical::text(&body),
    }
}

/// Of a record's canonical text without its own hash.
fn hash(text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(text);
    hex(&hash.finalize())
}

/// SHA-256 of a text, as digests stand in records.
pub fn digest(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// SHA-256 of a text as S3 takes it: base64.
pub fn checksum(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is put into S3 for these records, and its key.
pub fn anchor(install: &str, month: &str, lines: &[Line]) -> Option<(String, String)> {
    let from = lines.first()?.seq;
    let hashes: Vec<&str> = lines.iter().map(|line| line.hash.as_str()).collect();
    let body = json!({
        "v": VERSION, "install": install, "month": month, "from": from, "hashes": hashes,
    });
    let key = format!("audit/{install}/{month}/{from:09}.json");
    Some((key, canonical::text(&body)))
}

#[cfg(test)]
mod tests;
