//! The mail: the same facts, code and links as text and as HTML.

use askama::Template;
use jiff::Timestamp;
use shared::{
    approval::{
        code::Code,
        level::Level,
        link::Purpose,
        port::Mail,
        request::{Recipient, Record},
        settings::NotifySettings,
        sheet::{Fact, Link, Sheet},
        words,
    },
    port::PortError,
    secret::Secret,
};

/// Gmail cuts longer mails, and with them the button.
const LONGEST: usize = 90_000;
/// How long the lists of a mail may be: shorter where the texts in them are long.
const LISTED: [usize; 3] = [20, 6, 1];

#[derive(Template)]
#[template(path = "mail.txt")]
struct Text<'a> {
    occasion: Occasion,
    sheet: &'a Sheet,
    facts: &'a [Fact],
    way: &'a Way<'a>,
    to: &'a str,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    occasion: Occasion,
    sheet: &'a Sheet,
    facts: &'a [Fact],
    way: &'a Way<'a>,
    host: &'a str,
    to: &'a str,
}

/// Why somebody is asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// For the first time.
    First,
    /// Time runs out, and those who were asked before have not decided.
    Escalated,
    /// The link they had is revoked.
    Renewed,
    /// Time runs out and they have not answered.
    Reminder,
}

impl Occasion {
    /// Before subject and heading.
    const fn prefix(self) -> &'static str {
        match self {
            Self::First => "",
            Self::Escalated => "Time runs out: ",
            Self::Renewed => "New link: ",
            Self::Reminder => "Reminder: ",
        }
    }

    /// Above the heading.
    const fn kicker(self) -> &'static str {
        match self {
            Self::First => "Approval needed",
            Self::Escalated => "Time runs out, and nobody has decided: you are asked too",
            Self::Renewed => "Approval needed: a new link for the one that was revoked",
            Self::Reminder => "Reminder: approval still needed",
        }
    }
}

/// How the approver answers.
struct Way<'a> {
    /// Level L2.
    code: Option<&'a str>,
    /// Level L3.
    signs_in: bool,
    /// Level L1 has two.
    links: Vec<Button>,
}

/// One link of a mail.
pub(crate) struct Button {
    /// What it says.
    pub(crate) words: &'static str,
    /// Where it leads.
    pub(crate) url: String,
    /// Drawn as an outline, so that its shape tells it from the one beside it.
    pub(crate) hollow: bool,
}

/// Writes the mail for one approver.
///
/// # Errors
/// When a template fails, which it does not for text.
pub fn compose(
    record: &Record,
    recipient: &Recipient,
    settings: &NotifySettings,
    links: &[(Purpose, Secret)],
    code: &Code,
    occasion: Occasion,
    now: Timestamp,
) -> Result<Mail, PortError> {
    let level = record.rule.level;
    let button = |(purpose, token): &(Purpose, Secret)| Button {
        words: match purpose {
            Purpose::Review => "Review and decide",
            Purpose::Approve => "\u{2713} Approve\u{2026}",
            Purpose::Reject => "\u{2715} Reject\u{2026}",
        },
        url: format!("{}/a/{}", settings.base, token.reveal()),
        hollow: *purpose == Purpose::Reject,
    };
    let way = Way {
        code: (level == Level::Code).then(|| code.reveal()),
        signs_in: level == Level::SignIn,
        links: links.iter().map(button).collect(),
    };
    let (to, host) = (recipient.address.as_str(), settings.base.host());
    let (text, html) = fitting(record, settings, now, |sheet| {
        let facts = [sheet.release(), sheet.request()].concat();
        let (facts, way) = (facts.as_slice(), &way);
        let text = Text {
            occasion,
            sheet,
            facts,
            way,
            to,
        };
        let html = Html {
            occasion,
            sheet,
            facts,
            way,
            host,
            to,
        };
        Ok((text.render()?, html.render()?))
    })?;
    let subject = words::subject(&record.request, &settings.zone.0);
    Ok(Mail {
        from: settings.mailing.from(),
        to: to.to_owned(),
        subject: format!("{}{subject}", occasion.prefix()),
        text,
        html,
        headers: headers(record, settings),
    })
}

/// Text and HTML of a mail with as much of the lists as mail programs show.
///
/// # Errors
/// When a template fails, which it does not for text.
pub(crate) fn fitting(
    record: &Record,
    settings: &NotifySettings,
    now: Timestamp,
    render: impl Fn(&Sheet) -> askama::Result<(String, String)>,
) -> Result<(Secret, Secret), PortError> {
    let mut parts = (String::new(), String::new());
    for most in LISTED {
        let sheet = Sheet::new(record, &settings.zone.0, now).at_most(most);
        parts = render(&sheet).map_err(|error| PortError::Invalid {
            what: "the approval mail".to_owned(),
            message: error.to_string(),
        })?;
        if parts.1.len() < LONGEST {
            break;
        }
    }
    Ok((Secret::new(parts.0), Secret::new(parts.1)))
}

/// Says that a machine wrote it, and holds all mails of one approval together in one thread: they refer to one id,
/// which no mail has.
pub fn headers(record: &Record, settings: &NotifySettings) -> Vec<(&'static str, String)> {
    let host = settings.base.host().split(':').next().unwrap_or_default();
    let thread = format!("<approval.{}@{host}>", record.request.id);
    vec![
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Auto-Response-Suppress", "All".to_owned()),
        ("In-Reply-To", thread.clone()),
        ("References", thread),
    ]
}
