//! One row for each request: what an auditor samples.

use std::collections::BTreeMap;

use serde_json::Value;
use shared::approval::audit::verify::Checked;

/// Everything the chain says of one request, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    pub approval: String,
    pub pipeline: String,
    pub stage: String,
    pub action: String,
    pub execution: String,
    pub asked_at: String,
    pub deadline: String,
    pub started_by: String,
    pub authors: String,
    pub revisions: Vec<Revision>,
    pub rule: String,
    pub rule_sha256: String,
    pub four_eyes: String,
    pub snapshot: String,
    pub asked: String,
    pub votes: Vec<Vote>,
    /// `Approved`, `Rejected`, `Expired`, …; empty while it is open.
    pub result: String,
    pub decision: String,
    pub decided_at: String,
    pub delivered_at: String,
    /// What came of the execution.
    pub ended: String,
    /// What passed the rules by.
    pub irregular: Vec<String>,
    /// As `2026-11/3`.
    pub records: Vec<String>,
}

/// What was released.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revision {
    pub id: String,
    pub message: String,
    pub author: String,
}

/// One answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vote {
    pub person: String,
    pub verdict: String,
    /// Against the rule, in an emergency.
    pub alone: bool,
    pub at: String,
    pub level: String,
    pub channel: String,
    pub ip: String,
    pub comment: String,
}

/// The requests of these records, in the order in which they were asked.
pub fn of(records: &[Checked]) -> Vec<Change> {
    let mut all: Vec<Change> = Vec::new();
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    for record in records {
        let body = &record.body;
        let named: Vec<String> = match body["approval"].as_str() {
            Some(id) => vec![id.to_owned()],
            None => texts(&body["what"]["approvals"]),
        };
        for id in named {
            let index = *at.entry(id.clone()).or_insert_with(|| {
                all.push(Change {
                    approval: id,
                    ..Change::default()
                });
                all.len() - 1
            });
            let place = format!("{}/{}", record.month, record.seq);
            all[index].records.push(place);
            add(&mut all[index], body);
        }
    }
    all
}

/// Records that belong to no request.
pub fn others(records: &[Checked]) -> impl Iterator<Item = &Checked> {
    records
        .iter()
        .filter(|r| r.body["approval"].is_null())
        .filter(|r| r.body["kind"] != "execution-ended" && r.body["kind"] != "head-mailed")
}

fn add(change: &mut Change, body: &Value) {
    let what = &body["what"];
    let text = |name: &str| what[name].as_str().unwrap_or_default().to_owned();
    let at = body["at"].as_str().unwrap_or_default().to_owned();
    if change.pipeline.is_empty() {
        change.pipeline = text("pipeline");
        change.stage = text("stage");
        change.action = text("action");
        change.execution = text("execution");
    }
    match body["kind"].as_str().unwrap_or_default() {
        "asked" => {
            change.asked_at = at;
            change.deadline = text("deadline");
            change.started_by = text("startedBy");
            change.authors = actors(&what["authors"]);
            change.rule = text("rule");
            change.rule_sha256 = text("ruleSha256");
            change.four_eyes = four_eyes(&what["fourEyes"]);
            change.snapshot = text("snapshot");
            change.asked = texts(&what["people"]).join(", ");
            let revisions = what["revisions"].as_array().into_iter().flatten();
            change.revisions = revisions.map(revision).collect();
        }
        "voted" => change.votes.push(Vote {
            person: text("person"),
            verdict: text("verdict"),
            alone: what["breakGlass"] == true,
            at: text("votedAt"),
            level: text("level"),
            channel: text("channel"),
            ip: text("ip"),
            comment: text("comment"),
        }),
        "decided" => {
            change.result = text("verdict");
            change.decision = text("decision");
            change.decided_at = text("decidedAt");
        }
        "delivered" => change.delivered_at = at,
        "superseded" => change.result = "Superseded".to_owned(),
        "expired" => change.result = "Expired".to_owned(),
        "elsewhere" => {
            change.result = format!("{} elsewhere", text("verdict"));
            change
                .irregular
                .push(format!("answered elsewhere by {}", text("by")));
        }
        "out-of-band" => {
            change
                .irregular
                .push(format!("result sent past the rule by {}", text("by")));
        }
        "quarantined" => {
            change.irregular.push(format!(
                "contradictory answers from the links of {}",
                text("person")
            ));
        }
        "broken-glass" => {
            let line = format!(
                "decided alone in an emergency by {}: {}; to be reviewed by {} until {}",
                text("person"),
                text("reason"),
                text("group"),
                text("reviewUntil")
            );
            change.irregular.push(line);
        }
        "reviewed" => {
            let line = format!(
                "reviewed by {} on {at}: {}",
                text("person"),
                text("finding")
            );
            change.irregular.push(line);
        }
        "review-overdue" => {
            let line = format!(
                "not reviewed by {} until {}",
                text("group"),
                text("reviewUntil")
            );
            change.irregular.push(line);
        }
        "locked" => {
            let line = format!(
                "the links of {} were locked after wrong codes",
                text("person")
            );
            change.irregular.push(line);
        }
        "other-person" => {
            let line = format!(
                "{} signed in with the link of {}",
                text("detail"),
                text("person")
            );
            change.irregular.push(line);
        }
        "execution-ended" => change.ended = text("state"),
        _ => {}
    }
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|v| Some(v.as_str()?.to_owned())).collect()
}

fn actors(list: &Value) -> String {
    let items = list.as_array().into_iter().flatten();
    let names = items.map(|actor| match actor {
        Value::Array(_) => texts(actor).join(" / "),
        other => other.as_str().unwrap_or_default().to_owned(),
    });
    names.collect::<Vec<_>>().join(", ")
}

fn four_eyes(eyes: &Value) -> String {
    match (eyes["trigger"] == true, eyes["authors"] == true) {
        (true, true) => "neither starter nor author may approve",
        (true, false) => "the starter may not approve",
        (false, true) => "no author may approve",
        (false, false) => "not asked for",
    }
    .to_owned()
}

fn revision(value: &Value) -> Revision {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Revision {
        id: text("id"),
        message: text("message"),
        author: text("author"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(seq: u64, kind: &str, what: Value) -> Checked {
        let at = format!("2026-11-0{seq}T10:00:00Z");
        Checked {
            month: "2026-11".to_owned(),
            seq,
            body: json!({"at": at, "kind": kind, "approval": "q1", "what": what}),
        }
    }

    #[test]
    fn a_broken_glass_is_told_with_reason_reviewer_and_finding() {
        let left = json!({
            "person": "dana", "reason": "The shop is down.", "group": "security", "reviewers": ["kim"],
            "reviewUntil": "2026-11-09T10:00:00Z",
        });
        let records = [
            record(
                1,
                "asked",
                json!({"pipeline": "shop", "people": ["dana", "lee"]}),
            ),
            record(
                2,
                "voted",
                json!({"person": "dana", "verdict": "Approved", "breakGlass": true, "votedAt": "2026-11-02T10:00:00Z",
                    "level": "L2", "channel": "page", "comment": "The shop is down."}),
            ),
            record(
                3,
                "decided",
                json!({"decision": "d1", "verdict": "Approved", "decidedAt": "2026-11-02T10:00:00Z"}),
            ),
            record(4, "broken-glass", left.clone()),
            record(5, "review-overdue", left),
            record(
                6,
                "reviewed",
                json!({"person": "kim", "of": "dana", "finding": "Right to do so."}),
            ),
        ];
        let changes = of(&records);
        let [change] = &changes[..] else {
            panic!("{changes:?}");
        };
        assert_eq!(
            change.irregular,
            [
                "decided alone in an emergency by dana: The shop is down.; to be reviewed by security until 2026-11-09T10:00:00Z",
                "not reviewed by security until 2026-11-09T10:00:00Z",
                "reviewed by kim on 2026-11-06T10:00:00Z: Right to do so.",
            ]
        );
        assert_eq!(
            (change.result.as_str(), change.votes.len()),
            ("Approved", 1)
        );
        assert!(change.votes[0].alone);
        let table = super::super::csv::write(&changes);
        for words in [
            "dana Approved alone, in an emergency, 2026-11-02T10:00:00Z (L2, page): The shop is down.",
            "reviewed by kim on 2026-11-06T10:00:00Z: Right to do so.",
        ] {
            assert!(table.contains(words), "{words}: {table}");
        }
    }
}
