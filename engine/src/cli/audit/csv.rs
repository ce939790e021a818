//! Requests as comma-separated values (RFC 4180), safe to open in a spreadsheet.

use super::changes::{Change, Vote};

const HEADER: [&str; 22] = [
    "approval",
    "pipeline",
    "stage",
    "action",
    "execution",
    "asked at",
    "deadline",
    "started by",
    "authors",
    "revisions",
    "rule",
    "rule sha256",
    "four-eyes",
    "asked",
    "votes",
    "result",
    "decision",
    "decided at",
    "delivered at",
    "execution ended",
    "irregular",
    "records",
];

/// A header and one row for each.
pub fn write(changes: &[Change]) -> String {
    let mut out = row(&HEADER.map(str::to_owned));
    for c in changes {
        let revisions: Vec<&str> = c.revisions.iter().map(|r| r.id.as_str()).collect();
        let votes: Vec<String> = c.votes.iter().map(vote).collect();
        out.push_str(&row(&[
            c.approval.clone(),
            c.pipeline.clone(),
            c.stage.clone(),
            c.action.clone(),
            c.execution.clone(),
            c.asked_at.clone(),
            c.deadline.clone(),
            c.started_by.clone(),
            c.authors.clone(),
            revisions.join(" "),
            c.rule.clone(),
            c.rule_sha256.clone(),
            c.four_eyes.clone(),
            c.asked.clone(),
            votes.join(" | "),
            c.result.clone(),
            c.decision.clone(),
            c.decided_at.clone(),
            c.delivered_at.clone(),
            c.ended.clone(),
            c.irregular.join(" | "),
            c.records.join(" "),
        ]));
    }
    out
}

fn vote(v: &Vote) -> String {
    let mut text = format!(
        "{} {}{} {} ({}, {}",
        v.person,
        v.verdict,
        if v.alone {
            " alone, in an emergency,"
        } else {
            ""
        },
        v.at,
        v.level,
        v.channel
    );
    if !v.ip.is_empty() {
        text.push_str(&format!(", {}", v.ip));
    }
    text.push(')');
    if !v.comment.is_empty() {
        text.push_str(&format!(": {}", v.comment));
    }
    text
}

fn row(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    format!("{}\r\n", cells.join(","))
}

/// A spreadsheet runs what begins like a formula: such a cell begins with an apostrophe.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let mark = if formula { "'" } else { "" };
    format!("\"{mark}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(quoted("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
        let text = write(&[Change {
            approval: "q1".to_owned(),
            ..Change::default()
        }]);
        let cells: Vec<usize> = text.lines().map(|l| l.split(',').count()).collect();
        assert_eq!(cells, [HEADER.len(), HEADER.len()]);
    }
}
