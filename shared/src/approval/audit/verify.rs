//! Checks chains offline: names the first record that is not as it was written.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{canonical, hash};

/// One record, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// As `2026-11`.
    pub month: String,
    /// 1 and up in each month.
    pub seq: u64,
    /// All of it.
    pub body: Value,
}

/// The first record that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", place(month, *seq, source_name, *line))]
pub struct Broken {
    /// As `2026-11`; empty where it cannot be told.
    pub month: String,
    /// Number of the record; 0 where it cannot be told.
    pub seq: u64,
    /// Name of the file.
    pub source_name: String,
    /// 1 and up; 0: the record is missing.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

fn place(month: &str, seq: u64, source: &str, line: usize) -> String {
    let record = match (month, seq) {
        ("", _) | (_, 0) => String::new(),
        (month, seq) => format!("record {seq} of {month} "),
    };
    match line {
        0 => format!("{record}(after {source})"),
        line => format!("{record}({source}, line {line})"),
    }
}

/// Hashes that lie in S3 Object Lock, by month and number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anchors {
    hashes: BTreeMap<(String, u64), String>,
}

impl Anchors {
    /// Adds an anchor as it was put into S3.
    ///
    /// # Errors
    /// One sentence, when it is none.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let none = || "this is no anchor of an audit chain".to_owned();
        let anchor: Value = serde_json::from_str(text).map_err(|_| none())?;
        let month = anchor["month"].as_str().ok_or_else(none)?;
        let from = anchor["from"].as_u64().ok_or_else(none)?;
        let hashes = anchor["hashes"].as_array().ok_or_else(none)?;
        for (seq, hash) in (from..).zip(hashes) {
            let hash = hash.as_str().ok_or_else(none)?;
            let key = (month.to_owned(), seq);
            if self
                .hashes
                .insert(key, hash.to_owned())
                .is_some_and(|old| old != hash)
            {
                return Err(format!("two anchors differ about record {seq} of {month}"));
            }
        }
        Ok(())
    }

    /// How many records they cover.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }
}

/// Checks files of records, one JSON each line, in the order of their months. Answers the records.
///
/// # Errors
/// The first record that is changed, missing, moved, or other than its anchor says.
pub fn verify(files: &[(String, String)], anchors: &Anchors) -> Result<Vec<Checked>, Broken> {
    let mut all: Vec<Checked> = Vec::new();
    let mut before: Option<String> = None;
    for (source, text) in files {
        for (at, line) in text
            .lines()
            .enumerate()
            .filter(|(_, l)| !l.trim().is_empty())
        {
            let broken = |month: &str, seq: u64, why: &str| Broken {
                month: month.to_owned(),
                seq,
                source_name: source.clone(),
                line: at + 1,
                why: why.to_owned(),
            };
            let record = read(line).map_err(|why| broken("", 0, why))?;
            let (month, seq) = (record.month.clone(), record.seq);
            let broken = |why: &str| broken(&month, seq, why);
            let expected = match all.last() {
                Some(last) if last.month == month => Some(last.seq + 1),
                Some(last) if last.month > month => {
                    return Err(broken(
                        "it comes after a later month: give the files in order",
                    ));
                }
                Some(_) => Some(1),
                // A file may begin anywhere; what is before it is not vouched for.
                None => None,
            };
            if let Some(expected) = expected.filter(|e| *e != seq) {
                return Err(broken(&format!(
                    "record {expected} should be here: records were dropped, moved or repeated"
                )));
            }
            let own = record.body["hash"].as_str().unwrap_or_default().to_owned();
            let mut unsealed = record.body.clone();
            if let Some(map) = unsealed.as_object_mut() {
                map.remove("hash");
            }
            if hash(&canonical::text(&unsealed)) != own || canonical::text(&record.body) != line {
                return Err(broken(
                    "it was changed: its hash is not that of its content",
                ));
            }
            let prev = record.body["prev"].as_str();
            if before.as_deref().is_some_and(|before| prev != Some(before)) {
                return Err(broken("it does not follow the record before it"));
            }
            let anchored = anchors.hashes.get(&(month.clone(), seq));
            if anchored.is_some_and(|hash| *hash != own) {
                return Err(broken(
                    "its anchor in S3 has another hash: the chain was written anew from here",
                ));
            }
            before = Some(own);
            all.push(record);
        }
    }
    missing(files, &all, anchors)?;
    Ok(all)
}

/// Anchored records that none of the files has, although it has others of their month or from before.
fn missing(files: &[(String, String)], all: &[Checked], anchors: &Anchors) -> Result<(), Broken> {
    let first = all.first().map(|r| (r.month.clone(), r.seq));
    let last = all.last().map(|r| (r.month.clone(), r.seq));
    let lost = anchors.hashes.keys().find(|key| match (&first, &last) {
        (Some(first), Some(last)) => {
            let ends: Vec<&Checked> = all.iter().filter(|r| r.month == key.0).collect();
            let beyond = ends.last().map_or(*key > last, |end| key.1 > end.seq);
            *key >= first && beyond && key.0 <= last.0
        }
        _ => true,
    });
    match lost {
        None => Ok(()),
        Some((month, seq)) => Err(Broken {
            month: month.clone(),
            seq: *seq,
            source_name: files
                .last()
                .map(|(name, _)| name.clone())
                .unwrap_or_default(),
            line: 0,
            why:
                "it is missing, and its anchor in S3 says that it was written: the end was cut off"
                    .to_owned(),
        }),
    }
}

fn read(line: &str) -> Result<Checked, &'static str> {
    let body: Value = serde_json::from_str(line).map_err(|_| "it is no JSON")?;
    if body["v"] != 1 {
        return Err("it is no record of an audit chain that this version reads");
    }
    let month = body["month"].as_str().ok_or("it has no month")?.to_owned();
    let seq = body["seq"].as_u64().ok_or("it has no number")?;
    Ok(Checked { month, seq, body })
}
