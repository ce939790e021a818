//! What an approver is told, the same in mail and page: every text cleaned and cut.

use crate::approval::{
    request::{Record, Revision},
    words::{self, SafeLink},
};

/// The facts of one request, ready to be shown (still to be escaped).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// Pipeline.
    pub pipeline: String,
    /// Stage.
    pub stage: String,
    /// Action.
    pub action: String,
    /// Account and region.
    pub place: String,
    /// Execution id.
    pub execution: String,
    /// Who or what started it.
    pub started_by: Option<String>,
    /// When it was asked.
    pub asked: String,
    /// When CodePipeline gives up.
    pub deadline: String,
    /// Who must agree.
    pub rule: String,
    /// What would be released.
    pub changes: Vec<Change>,
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
    /// The facts of a record.
    pub fn new(record: &Record) -> Self {
        let r = &record.request;
        Self {
            pipeline: r.target.pipeline.to_string(),
            stage: r.target.stage.to_string(),
            action: r.target.action.to_string(),
            place: words::one_line(&format!("{} in account {}", r.region, r.account), 80),
            execution: r.execution.to_string(),
            started_by: r
                .facts
                .started_by
                .as_deref()
                .map(|s| words::one_line(s, 100)),
            asked: words::moment(r.asked_at),
            deadline: words::moment(r.expires_at),
            rule: words::one_line(&record.rule.told(record.recipients.len()), 400),
            changes: r.facts.revisions.iter().map(change).collect(),
            note: r
                .custom_data
                .as_deref()
                .map(|text| words::lines(text, 1000))
                .filter(|t| !t.is_empty()),
            link: r.external_link.as_deref().map(link),
        }
    }
}

fn change(revision: &Revision) -> Change {
    let short = |text: &Option<String>| {
        text.as_deref()
            .map(|t| words::one_line(t, 80))
            .filter(|t| !t.is_empty())
    };
    let message = revision.message.as_deref().unwrap_or_default().trim();
    let body = message
        .split_once('\n')
        .map(|(_, rest)| words::lines(rest, 600));
    Change {
        name: words::one_line(&revision.name, 100),
        id: words::short_id(&revision.id),
        headline: words::headline(revision, 200),
        body: body.filter(|t| !t.is_empty()),
        author: short(&revision.author),
        branch: short(&revision.branch),
        link: revision.url.as_deref().map(link),
    }
}

fn link(text: &str) -> Link {
    match words::safe_link(text) {
        Some(safe) => Link::Safe(safe),
        None => Link::Text(words::one_line(text, 200)),
    }
}
