//! What chats tell of a request, line by line; nothing in it changes by itself as time goes by.

use crate::approval::sheet::{Change, Sheet};

/// How many changes are named.
const CHANGES: usize = 5;

/// What would be released: of each change its headline and, on a second line, id and author.
pub fn changes(sheet: &Sheet) -> Vec<String> {
    let mut lines: Vec<String> = sheet.changes.iter().take(CHANGES).map(change).collect();
    let mut also: Vec<String> = sheet.between.iter().take(CHANGES).map(headline).collect();
    let left = sheet.changes.len().saturating_sub(CHANGES)
        + sheet.between.len().saturating_sub(CHANGES)
        + usize::try_from(sheet.more).unwrap_or_default();
    if left > 0 {
        also.push(format!("and {left} more"));
    }
    if !also.is_empty() {
        lines.push(format!("Also new: {}", also.join("; ")));
    }
    lines
}

fn change(change: &Change) -> String {
    let by = change.author.as_deref().map(|by| format!(", by {by}"));
    let by = by.unwrap_or_default();
    format!("{}\n{}{by}", headline(change), change.id)
}

fn headline(change: &Change) -> String {
    change.headline.as_ref().unwrap_or(&change.name).clone()
}

/// Where, until when, by whom, under which rule, and what stands in the way.
pub fn facts(sheet: &Sheet) -> Vec<String> {
    let mut facts = vec![
        format!("Stage {}, {} {}", sheet.stage, sheet.noun, sheet.place),
        format!("Until {}", sheet.deadline),
        format!("Rule {}", sheet.rule),
    ];
    let mut add = |before: &str, what: &Option<String>| {
        facts.extend(what.iter().map(|what| format!("{before}{what}")));
    };
    add("Started by ", &sheet.started_by);
    add("A newer run waits behind this one: ", &sheet.newer);
    add("Not a time for releases: ", &sheet.closed);
    let release = sheet.release().into_iter();
    facts.extend(release.map(|fact| format!("{}: {}", fact.name, fact.lines.join(", "))));
    facts.push(format!("Approve: {}", sheet.approving));
    facts.push(format!("Reject: {}", sheet.rejecting));
    facts
}
