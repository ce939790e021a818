//! The mail: the same facts, code and link as text and as HTML.

use askama::Template;
use shared::{
    approval::{
        code::Code,
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
    code: &'a str,
    url: &'a str,
    to: &'a str,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    sheet: &'a Sheet,
    code: &'a str,
    url: &'a str,
    host: &'a str,
    to: &'a str,
}

/// Writes the mail for one approver.
///
/// # Errors
/// When a template fails, which it does not for text.
pub fn compose(
    record: &Record,
    recipient: &Recipient,
    settings: &NotifySettings,
    token: &Secret,
    code: &Code,
) -> Result<Mail, PortError> {
    let sheet = Sheet::new(record);
    let url = format!("{}/a/{}", settings.base, token.reveal());
    let (to, code) = (recipient.address.as_str(), code.reveal());
    let text = Text {
        sheet: &sheet,
        code,
        url: &url,
        to,
    }
    .render()
    .map_err(unwritten)?;
    let html = Html {
        sheet: &sheet,
        code,
        url: &url,
        host: settings.base.host(),
        to,
    }
    .render()
    .map_err(unwritten)?;
    Ok(Mail {
        from: settings.sender.to_string(),
        to: to.to_owned(),
        subject: words::subject(&record.request),
        text: Secret::new(text),
        html: Secret::new(html),
        headers: vec![
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("X-Auto-Response-Suppress", "All".to_owned()),
        ],
    })
}

fn unwritten(error: askama::Error) -> PortError {
    PortError::Invalid {
        what: "the approval mail".to_owned(),
        message: error.to_string(),
    }
}
