//! Mails that ask nobody to decide: how it ended, a review that is wanted, a link that is locked.

use askama::Template;
use jiff::{Timestamp, tz::TimeZone};
use shared::{
    approval::{
        port::Mail,
        request::{CODE_TRIES, Recipient, Record, State, Verdict},
        settings::NotifySettings,
        sheet::{Fact, Link, Sheet},
        words,
    },
    port::PortError,
};

use crate::letter::{self, Button};

#[derive(Template)]
#[template(path = "news.txt")]
struct Text<'a> {
    sheet: &'a Sheet,
    facts: &'a [Fact],
    news: &'a News,
    to: &'a str,
}

#[derive(Template)]
#[template(path = "news.html")]
struct Html<'a> {
    sheet: &'a Sheet,
    facts: &'a [Fact],
    news: &'a News,
    host: &'a str,
    to: &'a str,
}

/// How it ended, in words.
struct News {
    /// `good`, `bad` or `calm`.
    tone: &'static str,
    /// Beside the words, so that colour alone tells nothing.
    sign: &'static str,
    /// `Approved`.
    word: String,
    /// One sentence.
    told: String,
    /// What is wanted of whoever reads it.
    wanted: Option<Wanted>,
    /// Why they get it, and what to do.
    why: String,
}

/// A review that is wanted.
struct Wanted {
    /// Who decided alone, why, and until when somebody looks at it.
    told: String,
    /// One.
    links: Vec<Button>,
    code: Option<String>,
}

/// The way to the page where a review is closed.
pub struct Ask {
    /// The link.
    pub url: String,
    /// Level L2.
    pub code: Option<String>,
}

/// Writes the mail for one person.
///
/// # Errors
/// When a template fails, which it does not for text.
pub fn compose(
    record: &Record,
    recipient: &Recipient,
    settings: &NotifySettings,
    ask: Option<&Ask>,
) -> Result<Mail, PortError> {
    let ended = record.ended_at().unwrap_or(record.request.asked_at);
    let mut news = news(record, &settings.zone.0);
    news.wanted = ask.zip(record.review.as_ref()).map(|(ask, review)| {
        let who = words::one_line(record.rule.called(&review.of), 100);
        let (reason, until) = (&review.reason, words::local(review.due_at, &settings.zone.0));
        let (reason, group) = (words::one_line(reason, 500), &review.group);
        Wanted {
            told: format!(
                "{who} decided this alone, in an emergency: \u{201c}{reason}\u{201d} Somebody of {group} looks at it until {until}."
            ),
            links: vec![Button {
                words: "Say what you found",
                url: ask.url.clone(),
                hollow: false,
            }],
            code: ask.code.clone(),
        }
    });
    let subject = match &news.wanted {
        Some(_) => "Please review",
        None => news.word.as_str(),
    };
    written(record, recipient, settings, (subject, &news), ended)
}

/// Writes the mail to somebody whose links are locked.
///
/// # Errors
/// When a template fails, which it does not for text.
pub fn compose_locked(
    record: &Record,
    recipient: &Recipient,
    settings: &NotifySettings,
    now: Timestamp,
) -> Result<Mail, PortError> {
    let otherwise = record.request.asker.otherwise();
    let told = if recipient.quarantined_at.is_some() {
        format!(
            "Approve and reject came from your links within seconds, as when a mail scanner follows every link. Neither counts. {otherwise}"
        )
    } else {
        format!(
            "A wrong code was typed {CODE_TRIES} times on the page of your link. {otherwise} If it was not you who typed, somebody else has the link, but not the code: tell whoever runs the approvals."
        )
    };
    let news = News {
        tone: "bad",
        sign: "!",
        word: "Your link is locked".to_owned(),
        told,
        wanted: None,
        why: "because you were asked and cannot answer by this link any more.".to_owned(),
    };
    written(record, recipient, settings, (&news.word, &news), now)
}

fn written(
    record: &Record,
    recipient: &Recipient,
    settings: &NotifySettings,
    (what, news): (&str, &News),
    at: Timestamp,
) -> Result<Mail, PortError> {
    let target = &record.request.target;
    let subject = format!("[{}] {what}: {}", target.stage, target.pipeline);
    let (host, to) = (settings.base.host(), recipient.address.as_str());
    let (text, html) = letter::fitting(record, settings, at, |sheet| {
        let facts = sheet.request();
        let facts = facts.as_slice();
        let text = Text {
            sheet,
            facts,
            news,
            to,
        };
        let html = Html {
            sheet,
            facts,
            news,
            host,
            to,
        };
        Ok((text.render()?, html.render()?))
    })?;
    Ok(Mail {
        from: settings.mailing.from(),
        to: to.to_owned(),
        subject: words::one_line(&subject, 240),
        text,
        html,
        headers: letter::headers(record, settings),
    })
}

fn news(record: &Record, zone: &TimeZone) -> News {
    let asker = &record.request.asker;
    let when = record.ended_at().map(|at| words::local(at, zone));
    let when = when.unwrap_or_default();
    let (tone, sign, word, told) = match &record.state {
        State::Decided { decision, .. } => {
            let (tone, sign, then) = match decision.verdict {
                Verdict::Approve => ("good", "✓", asker.when_approved()),
                Verdict::Reject => ("bad", "✕", asker.when_rejected()),
            };
            let word = decision.verdict.past().to_owned();
            let why = decision.without_votes();
            let why = why.map_or_else(String::new, |why| format!("{why} "));
            (tone, sign, word, format!("Decided on {when}. {why}{then}"))
        }
        State::Elsewhere { verdict, by, .. } => {
            let word = verdict.map_or("Answered", Verdict::past);
            let by = by
                .as_deref()
                .map(|by| format!(" by {}", words::one_line(by, 200)));
            let told = format!(
                "Somebody answered in the AWS console or through the API{}, seen on {when}. The answers below were not sent.",
                by.unwrap_or_default()
            );
            ("calm", "!", format!("{word} elsewhere"), told)
        }
        State::Expired { .. } => (
            "bad",
            "✕",
            "Not answered in time".to_owned(),
            format!(
                "The deadline passed on {}. {} has failed it.",
                words::local(record.request.expires_at, zone),
                asker.service()
            ),
        ),
        State::Superseded { .. } | State::Open | State::Deciding { .. } => (
            "calm",
            "i",
            "No longer waiting".to_owned(),
            format!(
                "It was stopped, retried or changed, seen on {when}. If the {} asks again, you get a new mail.",
                asker.noun()
            ),
        ),
    };
    News {
        tone,
        sign,
        word,
        told,
        wanted: None,
        why: "because you were asked. There is nothing left to do.".to_owned(),
    }
}
