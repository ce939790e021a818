//! The mail that tells everybody who was asked how it ended. It holds no link and no code.

use askama::Template;
use jiff::tz::TimeZone;
use shared::{
    approval::{
        port::Mail,
        request::{Recipient, Record, State, Verdict},
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
    let (host, to) = (settings.base.host(), recipient.address.as_str());
    let (text, html) = letter::fitting(record, settings, ended, |sheet| {
        let facts = sheet.request();
        let (facts, news) = (facts.as_slice(), &news);
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
    let target = &record.request.target;
    let subject = match &news.wanted {
        Some(_) => format!("[{}] Please review: {}", target.stage, target.pipeline),
        None => format!("[{}] {}: {}", target.stage, news.word, target.pipeline),
    };
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
    }
}
