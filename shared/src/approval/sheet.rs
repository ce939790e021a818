//! What an approver is told, the same in mail and page: every text cleaned and cut.

mod answers;
mod facts;

use jiff::{Timestamp, tz::TimeZone};

use crate::approval::{
    history::{Deploy, Earlier},
    request::{Record, Revision},
    words::{self, SafeLink},
};

pub use answers::{Answer, more};
pub use facts::Fact;

/// The facts of one request, ready to be shown (still to be escaped).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// `pipeline` or `state machine`.
    pub noun: &'static str,
    /// Its name.
    pub pipeline: String,
    /// What is to be decided, in a state machine's words.
    pub subject: Option<String>,
    /// Stage.
    pub stage: String,
    /// Action.
    pub action: String,
    /// Account and region.
    pub place: String,
    /// Execution id.
    pub execution: String,
    /// Our own id of the request, under which the audit has it.
    pub id: String,
    /// Who or what started it.
    pub started_by: Option<String>,
    /// When it was asked, where people are and in UTC.
    pub asked: String,
    /// `2 hours ago`; once it has ended, how long it waited.
    pub waiting: String,
    /// When CodePipeline gives up, where people are and in UTC.
    pub deadline: String,
    /// Who must agree.
    pub rule: String,
    /// How many agree so far, and what is still needed.
    pub tally: String,
    /// Who answered so far, in order.
    pub answers: Vec<Answer>,
    /// What an approval does.
    pub approving: String,
    /// What a rejection does.
    pub rejecting: String,
    /// What would be released.
    pub changes: Vec<Change>,
    /// What else came since the last release.
    pub between: Vec<Change>,
    /// How many more.
    pub more: u32,
    /// How many changes and answers [`Sheet::at_most`] left out.
    pub left_out: usize,
    /// What is there now, and where a rollback leads.
    pub current: Option<String>,
    /// How the stage ended last.
    pub last: Option<Last>,
    /// What the actions behind the approval deploy.
    pub deploys: Vec<String>,
    /// A newer execution that waits behind.
    pub newer: Option<String>,
    /// Why nothing is released right now.
    pub closed: Option<String>,
    /// That hours and freezes of the rule allow it right now.
    pub times: Option<String>,
    /// The action's text.
    pub note: Option<String>,
    /// The action's link.
    pub link: Option<Link>,
}

/// One source revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Source artifact or action.
    pub name: String,
    /// Shortened id.
    pub id: String,
    /// First line of the commit message.
    pub headline: Option<String>,
    /// The rest of it.
    pub body: Option<String>,
    /// Author.
    pub author: Option<String>,
    /// Branch.
    pub branch: Option<String>,
    /// Where it can be read.
    pub link: Option<Link>,
    /// Where it can be compared with what is there now.
    pub compare: Option<SafeLink>,
}

/// How the stage ended when it last ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// Well.
    pub good: bool,
    /// `Succeeded on …`.
    pub words: String,
}

/// A link, or an address that is only shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// May be followed.
    Safe(SafeLink),
    /// Not https, or odd: shown as text.
    Text(String),
}

impl Sheet {
    /// The facts of a record, at `now`, for people in this zone.
    pub fn new(record: &Record, zone: &TimeZone, now: Timestamp) -> Self {
        let r = &record.request;
        let past = &r.facts.history;
        Self {
            noun: r.asker.noun(),
            pipeline: r.target.pipeline.to_string(),
            subject: r
                .asker
                .machine()
                .and_then(|task| task.subject.as_deref())
                .map(|subject| words::one_line(subject, 200)),
            stage: r.target.stage.to_string(),
            action: r.target.action.to_string(),
            place: words::one_line(&format!("{} in account {}", r.region, r.account), 80),
            execution: match r.asker.machine() {
                Some(task) => words::one_line(task.execution.name(), 120),
                None => r.execution.to_string(),
            },
            started_by: r
                .facts
                .started_by
                .as_deref()
                .map(|s| words::one_line(s, 100)),
            id: r.id.to_string(),
            asked: words::local(r.asked_at, zone),
            waiting: match record.ended_at() {
                Some(end) => format!("waited {}", words::span(end.duration_since(r.asked_at))),
                None => words::relative(r.asked_at, now),
            },
            deadline: words::local(r.expires_at, zone),
            rule: words::one_line(&record.rule.told(record.recipients.len()), 400),
            tally: words::one_line(&answers::tally(record, now), 400),
            answers: answers::all(record, zone),
            approving: answers::approving(record),
            rejecting: answers::rejecting(record),
            changes: r
                .facts
                .revisions
                .iter()
                .map(|revision| change(revision, past.current.as_ref()))
                .collect(),
            between: past.between.iter().map(|r| change(r, None)).collect(),
            more: past.more,
            left_out: 0,
            current: past.current.as_ref().map(|e| current(e, zone)),
            last: past.last.as_ref().map(|e| {
                let how = if e.succeeded { "Succeeded" } else { "Failed" };
                Last {
                    good: e.succeeded,
                    words: format!("{how} on {}", words::there(e.at, zone)),
                }
            }),
            deploys: past.deploys.iter().map(|d| deploy(d, record)).collect(),
            newer: past.newer.first().map(|e| newer(e, past.newer.len())),
            closed: closed(record, now),
            times: times(record, now),
            note: r
                .custom_data
                .as_deref()
                .map(|text| words::lines(text, 1000))
                .filter(|t| !t.is_empty()),
            link: r.external_link.as_deref().map(link),
        }
    }

    /// The same with no list longer than this, for a place with little room. The page has them all.
    #[must_use]
    pub fn at_most(mut self, most: usize) -> Self {
        for list in [&mut self.changes, &mut self.between] {
            self.left_out += list.len().saturating_sub(most);
            list.truncate(most);
        }
        // The last answers are the news.
        let old = self.answers.len().saturating_sub(most);
        self.answers.drain(..old);
        self.left_out += old;
        self
    }
}

fn change(revision: &Revision, current: Option<&Earlier>) -> Change {
    let short = |text: &Option<String>| {
        text.as_deref()
            .map(|t| words::one_line(t, 80))
            .filter(|t| !t.is_empty())
    };
    let message = revision.message.as_deref().unwrap_or_default().trim();
    let body = message
        .split_once('\n')
        .map(|(_, rest)| words::lines(rest, 600));
    let before = current.and_then(|e| e.revisions.iter().find(|r| r.name == revision.name));
    let compare = before
        .zip(revision.url.as_deref())
        .and_then(|(before, url)| words::compare_link(url, &before.id, &revision.id));
    Change {
        name: words::one_line(&revision.name, 100),
        id: words::short_id(&revision.id),
        headline: words::headline(revision, 200),
        body: body.filter(|t| !t.is_empty()),
        author: short(&revision.author),
        branch: short(&revision.branch),
        link: revision.url.as_deref().map(link),
        compare,
    }
}

/// `3f2a9c10, since Thu 1 Jan 2026, 10:00 UTC`.
fn current(earlier: &Earlier, zone: &TimeZone) -> String {
    let ids: Vec<String> = earlier
        .revisions
        .iter()
        .map(|r| words::short_id(&r.id))
        .collect();
    let what = if ids.is_empty() {
        format!("execution {}", earlier.execution)
    } else {
        ids.join(", ")
    };
    let since = words::there(earlier.at, zone);
    words::one_line(&format!("{what}, since {since}"), 200)
}

/// `CloudFormation stack site`, and where, unless it is where the pipeline is.
fn deploy(deploy: &Deploy, record: &Record) -> String {
    let r = &record.request;
    let mut text = deploy.provider.clone();
    if let Some(what) = &deploy.what {
        text.push_str(&format!(" {what}"));
    }
    if let Some(region) = deploy.region.as_ref().filter(|region| **region != r.region) {
        text.push_str(&format!(", {region}"));
    }
    if let Some(account) = deploy
        .account
        .as_ref()
        .filter(|account| **account != r.account)
    {
        text.push_str(&format!(", account {account}"));
    }
    words::one_line(&text, 200)
}

fn newer(first: &Earlier, all: usize) -> String {
    let what = first.revisions.first().map(|r| {
        let id = words::short_id(&r.id);
        match words::headline(r, 100) {
            Some(headline) => format!("{id} \u{201c}{headline}\u{201d}"),
            None => id,
        }
    });
    let what = what.unwrap_or_else(|| format!("execution {}", first.execution));
    match all {
        1 => what,
        many => format!("{what}, and {} more", many - 1),
    }
}

fn closed(record: &Record, now: Timestamp) -> Option<String> {
    let rule = &record.rule;
    let hours = rule.hours.as_ref().and_then(|h| h.closed(now));
    let freeze = || rule.freezes.iter().find_map(|f| f.closed(now));
    let closed = hours.or_else(freeze)?;
    Some(words::one_line(&closed.sentence(), 300))
}

fn times(record: &Record, now: Timestamp) -> Option<String> {
    let rule = &record.rule;
    let mut told = Vec::new();
    told.extend(
        rule.hours
            .as_ref()
            .map(|h| format!("within the hours \"{}\"", h.name)),
    );
    if !rule.freezes.is_empty() {
        told.push("no freeze".to_owned());
    }
    if !rule.change_calendars.is_empty() {
        told.push("Change Calendars are asked at the decision".to_owned());
    }
    let open = closed(record, now).is_none() && !told.is_empty();
    open.then(|| words::one_line(&format!("Open now: {}", told.join(", ")), 300))
}

fn link(text: &str) -> Link {
    match words::safe_link(text) {
        Some(safe) => Link::Safe(safe),
        None => Link::Text(words::one_line(text, 200)),
    }
}
