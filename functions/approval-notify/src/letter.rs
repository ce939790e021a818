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
        sheet::{Link, Sheet},
        words,
    },
    port::PortError,
    secret::Secret,
};

#[derive(Template)]
#[template(path = "mail.txt")]
struct Text<'a> {
    sheet: &'a Sheet,
    way: &'a Way<'a>,
    to: &'a str,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    sheet: &'a Sheet,
    way: &'a Way<'a>,
    host: &'a str,
    to: &'a str,
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

/// One link of the mail.
struct Button {
    words: &'static str,
    url: String,
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
    now: Timestamp,
) -> Result<Mail, PortError> {
    let sheet = Sheet::new(record, &settings.zone.0, now);
    let level = record.rule.level;
    let button = |(purpose, token): &(Purpose, Secret)| Button {
        words: match purpose {
            Purpose::Review => "Review and decide",
            Purpose::Approve => "Approve\u{2026}",
            Purpose::Reject => "Reject\u{2026}",
        },
        url: format!("{}/a/{}", settings.base, token.reveal()),
    };
    let way = Way {
        code: (level == Level::Code).then(|| code.reveal()),
        signs_in: level == Level::SignIn,
        links: links.iter().map(button).collect(),
    };
    let to = recipient.address.as_str();
    let (sheet, way) = (&sheet, &way);
    let text = Text { sheet, way, to }.render().map_err(unwritten)?;
    let html = Html {
        sheet,
        way,
        host: settings.base.host(),
        to,
    }
    .render()
    .map_err(unwritten)?;
    Ok(Mail {
        from: settings.mailing.from(),
        to: to.to_owned(),
        subject: words::subject(&record.request, &settings.zone.0),
        text: Secret::new(text),
        html: Secret::new(html),
        headers: headers(record, settings),
    })
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

fn unwritten(error: askama::Error) -> PortError {
    PortError::Invalid {
        what: "the approval mail".to_owned(),
        message: error.to_string(),
    }
}
