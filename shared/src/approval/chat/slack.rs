//! Messages in Slack's blocks. Foreign texts stand in `plain_text` only, where nothing is a link, a mention or markup.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{Addressee, Button, Question, lines};
use crate::approval::{
    level::Level,
    request::{Recipient, Record, State, Verdict},
    sheet::Sheet,
    words,
};

/// The button that approves.
pub const APPROVE: &str = "stagewright-approve";
/// The button that rejects.
pub const REJECT: &str = "stagewright-reject";
/// The button that opens the page.
const OPEN: &str = "stagewright-open";

/// A message: its blocks, and the text of notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where blocks are not shown.
    pub text: String,
    /// Slack's blocks.
    pub blocks: Value,
}

impl Message {
    fn add(&mut self, block: Value) {
        if let Value::Array(blocks) = &mut self.blocks {
            blocks.push(block);
        }
    }
}

/// The question to one person, with buttons that decide at level L1 and one that opens the page at any other.
pub fn question(asked: &Question<'_>) -> Message {
    let mut message = facts(asked.record, asked.title(), asked.zone, asked.now);
    message.add(actions(elements(asked)));
    if asked.record.rule.level == Level::Code {
        message.add(context("The page asks for the code in your mail."));
    }
    message
}

/// The message of a channel: the question to everybody who is asked, or how the request ended.
pub fn in_channel(record: &Record, zone: &TimeZone, now: Timestamp) -> Message {
    if record.state != State::Open {
        return outcome(record, zone);
    }
    let mut message = facts(record, super::title(record), zone, now);
    message.add(people(
        "Asked: ",
        record.recipients.iter().collect(),
        record,
    ));
    let answers = deciders(record);
    if !answers.is_empty() {
        message.add(context(&format!("So far: {answers}")));
    }
    if record.rule.level == Level::Link {
        let button = Button {
            approval: record.request.id.clone(),
            to: Addressee::Channel,
            seen: record.snapshot_digest(),
        };
        message.add(actions(choice(&button)));
        message.add(context("Only those who are asked decide."));
    } else {
        message.add(context(
            "Those who are asked decide by the link in their mail, which nobody else may use.",
        ));
    }
    message
}

/// What is said under the question when time runs out.
pub fn reminder(record: &Record, zone: &TimeZone) -> Message {
    let until = words::local(record.request.expires_at, zone);
    let title = format!(
        "Reminder: {} still waits, until {until}.",
        record.request.target.pipeline
    );
    under(&title, record)
}

/// What is said under the question when more people are asked.
pub fn escalation(record: &Record, zone: &TimeZone) -> Message {
    let until = words::local(record.request.expires_at, zone);
    let groups = record.rule.escalate_to.iter();
    let groups = groups.take(usize::from(record.escalated));
    let groups: Vec<&str> = groups.map(|e| e.group.as_str()).collect();
    let title = format!(
        "Time runs out for {}, until {until}: {} may answer too.",
        record.request.target.pipeline,
        groups.join(" and ")
    );
    under(&title, record)
}

fn under(title: &str, record: &Record) -> Message {
    let answered = |who: &&Recipient| record.vote_of(&who.id).is_some();
    let left = record.recipients.iter().filter(|who| !answered(who));
    Message {
        text: escaped(title),
        blocks: json!([
            plain(title),
            people("No answer yet: ", left.collect(), record)
        ]),
    }
}

/// What is asked, without a way to answer.
fn facts(record: &Record, title: String, zone: &TimeZone, now: Timestamp) -> Message {
    let sheet = Sheet::new(record, zone, now);
    let mut blocks = vec![header(&title)];
    blocks.extend(sheet.subject.iter().map(|subject| plain(subject)));
    blocks.extend(lines::changes(&sheet).iter().map(|line| plain(line)));
    blocks.extend(sheet.note.iter().map(|note| plain(note)));
    blocks.push(context(&lines::facts(&sheet).join("\n")));
    Message {
        text: escaped(&format!(
            "{title} Stage {}, until {}.",
            sheet.stage, sheet.deadline
        )),
        blocks: Value::Array(blocks),
    }
}

/// The same message once the request has ended: without buttons.
pub fn outcome(record: &Record, zone: &TimeZone) -> Message {
    let name = &record.request.target.pipeline;
    let (title, why) = match &record.state {
        State::Decided { decision, .. } | State::Deciding { decision, .. } => (
            format!("{}: {name}", decision.verdict.past()),
            decision.without_votes(),
        ),
        State::Elsewhere { verdict, by, .. } => {
            let word = verdict.map_or("Answered", Verdict::past);
            let by = by
                .as_deref()
                .map(|by| format!(" by {}", words::one_line(by, 200)));
            let by = by.unwrap_or_default();
            let why = format!("Answered in the AWS console or through the API{by}.");
            (format!("{word} elsewhere: {name}"), Some(why))
        }
        State::Expired { .. } => (format!("Not answered in time: {name}"), None),
        State::Superseded { .. } | State::Open => (
            format!("No longer waiting: {name}"),
            Some("It was stopped, retried or changed.".to_owned()),
        ),
    };
    let when = record.ended_at().map(|at| words::local(at, zone));
    let stage = format!("Stage {}", record.request.target.stage);
    let first: Vec<String> = [stage].into_iter().chain(when).collect();
    let told: Vec<String> = [first.join(", ")]
        .into_iter()
        .chain(why)
        .chain(Some(deciders(record)).filter(|by| !by.is_empty()))
        .collect();
    Message {
        text: escaped(&title),
        blocks: json!([header(&title), context(&told.join("\n"))]),
    }
}

/// What whoever pressed a button is told, in place of the message.
pub fn note(title: &str, text: &str) -> Message {
    Message {
        text: escaped(title),
        blocks: json!([plain(title), context(text)]),
    }
}

fn deciders(record: &Record) -> String {
    let votes = record.votes.iter().filter_map(|vote| {
        let who = record.recipient(&vote.recipient)?;
        let called = words::one_line(record.rule.called(&who.person), 60);
        Some(format!("{called} {}", vote.verdict.past().to_lowercase()))
    });
    let votes: Vec<String> = votes.collect();
    votes.join(", ")
}

fn elements(asked: &Question<'_>) -> Vec<Value> {
    if let Some(page) = asked.page {
        return vec![json!({
            "type": "button", "action_id": OPEN, "style": "primary", "url": page.reveal(),
            "text": {"type": "plain_text", "text": "Review and decide"},
        })];
    }
    choice(&Button {
        approval: asked.record.request.id.clone(),
        to: Addressee::Person {
            recipient: asked.recipient.id.clone(),
            link: asked.link.clone(),
        },
        seen: asked.record.snapshot_digest(),
    })
}

/// The two buttons that decide.
fn choice(button: &Button) -> Vec<Value> {
    let value = button.value();
    let button = |id: &str, word: &str, style: &str| {
        let text = |text: &str| json!({"type": "plain_text", "text": text});
        json!({
            "type": "button", "action_id": id, "style": style, "value": value, "text": text(word),
            "confirm": {
                "title": text(&format!("{word}?")), "text": text("It cannot be changed afterwards."),
                "confirm": text(word), "deny": text("Not now"),
            },
        })
    };
    vec![
        button(APPROVE, "Approve", "primary"),
        button(REJECT, "Reject", "danger"),
    ]
}

/// Names, and mentions of those who are in Slack: they are told.
fn people(before: &str, who: Vec<&Recipient>, record: &Record) -> Value {
    let mut elements = vec![json!({"type": "text", "text": before})];
    for (at, who) in who.into_iter().enumerate() {
        if at > 0 {
            elements.push(json!({"type": "text", "text": ", "}));
        }
        let person = record.rule.people.get(&who.person);
        elements.push(match person.and_then(|person| person.slack.as_ref()) {
            Some(user) => json!({"type": "user", "user_id": user.as_str()}),
            None => {
                let name = words::one_line(record.rule.called(&who.person), 60);
                json!({"type": "text", "text": name})
            }
        });
    }
    json!({"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]})
}

fn actions(elements: Vec<Value>) -> Value {
    json!({"type": "actions", "elements": elements})
}

/// Slack takes headers of at most 150 characters, sections of 3,000, contexts of 2,000 (an element).
fn header(text: &str) -> Value {
    let text = words::one_line(text, 150);
    json!({"type": "header", "text": {"type": "plain_text", "text": text, "emoji": false}})
}

fn plain(text: &str) -> Value {
    let text = words::lines(text, 2_900);
    json!({"type": "section", "text": {"type": "plain_text", "text": text, "emoji": false}})
}

fn context(text: &str) -> Value {
    let text = words::lines(text, 1_900);
    json!({"type": "context", "elements": [{"type": "plain_text", "text": text, "emoji": false}]})
}

/// The three signs that begin markup in `text`.
fn escaped(text: &str) -> String {
    let plain = words::one_line(text, 300);
    plain
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
