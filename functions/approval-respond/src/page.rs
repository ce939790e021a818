//! What the pages show: from a record to the words and blocks of the templates.

use askama::Template;
use jiff::{Timestamp, tz::TimeZone};
use shared::approval::{
    asker::Asker,
    id::RecipientId,
    level::Level,
    link::{Claims, Purpose},
    request::{Record, State, Verdict},
    settings::BaseUrl,
    sheet::{self, Fact, Link, Sheet},
    words,
};

use crate::{
    alone,
    form::{COMMENT_LIMIT, Form, Mistake},
};

/// The page of a request.
#[derive(Template)]
#[template(path = "request.html")]
pub struct RequestPage<'a> {
    /// Base of every address.
    pub base: &'a BaseUrl,
    /// The link's token, already verified.
    pub token: &'a str,
    /// The facts.
    pub sheet: Sheet,
    /// The question, or its answer.
    pub heading: String,
    /// Whether the link may approve.
    pub may_approve: bool,
    /// Whether the link may reject.
    pub may_reject: bool,
    /// Whether the code of the mail is asked for.
    pub asks_code: bool,
    /// Whose link it is.
    pub address: &'a str,
    /// `in 3 hours`.
    pub left: String,
    /// Whether the deadline still matters.
    pub open: bool,
    /// Where it stands, when that is to be said.
    pub notice: Option<Notice>,
    /// The facts as rows.
    pub facts: Vec<Fact>,
    /// Who waits.
    pub asker: &'a Asker,
    /// What the person may do.
    pub ask: Ask,
    /// How many days others have to look at it, and who, where this person may decide alone in an emergency.
    pub glass: Option<(String, u8)>,
    /// What became of a decision that somebody made alone.
    pub review: Option<alone::ReviewBox>,
    /// Hidden field of the form that signs out, where somebody is signed in.
    pub sign_out: Option<String>,
}

/// What the person may do.
pub enum Ask {
    /// Nothing.
    Nothing,
    /// Vote.
    Vote(VoteForm),
    /// Close the review of a decision that somebody made alone.
    Review(VoteForm),
    /// Deliver a decision whose sender is gone.
    Deliver {
        /// Hidden field.
        nonce: String,
    },
}

impl Ask {
    /// What to mend in the form that came back.
    fn mistakes(&self) -> &[Mistake] {
        match self {
            Self::Vote(form) | Self::Review(form) => &form.mistakes,
            Self::Nothing | Self::Deliver { .. } => &[],
        }
    }
}

/// The form as shown.
#[derive(Default)]
pub struct VoteForm {
    /// Hidden field.
    pub nonce: String,
    /// Hidden field.
    pub seen: String,
    /// What to mend.
    pub mistakes: Vec<Mistake>,
    /// Choice of the form that came back.
    pub verdict: Option<Verdict>,
    /// Whether it was to decide alone.
    pub alone: bool,
    /// Reason of the form that came back.
    pub comment: String,
    /// Longest reason.
    pub comment_limit: usize,
}

/// Where a request stands.
pub struct Notice {
    /// `good`, `bad` or `calm`; told by words too.
    pub tone: &'static str,
    /// A sign beside the words.
    pub sign: &'static str,
    /// One line.
    pub title: String,
    /// What follows from it.
    pub text: String,
}

/// A page without any facts.
#[derive(Template)]
#[template(path = "message.html")]
pub struct MessagePage<'a> {
    /// Base of every address.
    pub base: &'a BaseUrl,
    /// One line.
    pub title: &'a str,
    /// What to do.
    pub text: &'a str,
}

/// What is shown before somebody has signed in: no facts.
#[derive(Template)]
#[template(path = "sign-in.html")]
pub struct SignInPage<'a> {
    /// Base of every address.
    pub base: &'a BaseUrl,
    /// The link's token, already verified.
    pub token: &'a str,
    /// One line.
    pub title: &'a str,
    /// What to do.
    pub text: &'a str,
}

impl VoteForm {
    /// The form again, with what was typed (but the code) and what is to be mended.
    pub fn again(form: &Form, mistakes: Vec<Mistake>) -> Self {
        Self {
            mistakes,
            verdict: form.verdict,
            alone: form.alone,
            comment: words::lines(&form.comment, COMMENT_LIMIT),
            ..Self::default()
        }
    }

    fn chosen(&self, verdict: &str) -> bool {
        match self.verdict {
            Some(Verdict::Approve) if self.alone => verdict == "break-glass",
            Some(Verdict::Approve) => verdict == "approve",
            Some(Verdict::Reject) => verdict == "reject",
            None => false,
        }
    }

    fn mistake_at(&self, field: &str) -> Option<String> {
        let at = self.mistakes.iter().find(|m| m.field() == field);
        at.map(|m| m.words())
    }
}

impl<'a> RequestPage<'a> {
    /// The page of this recipient.
    pub fn new(
        (base, zone): (&'a BaseUrl, &TimeZone),
        token: &'a str,
        record: &'a Record,
        claims: &Claims,
        now: Timestamp,
    ) -> Self {
        let who = &claims.recipient;
        let sheet = Sheet::new(record, zone, now);
        Self {
            may_approve: claims.purpose != Purpose::Reject,
            may_reject: claims.purpose != Purpose::Approve,
            asks_code: record.rule.level == Level::Code,
            base,
            token,
            facts: [sheet.release(), sheet.request()].concat(),
            sheet,
            heading: heading(record),
            address: record.recipient(who).map_or("", |r| r.address.as_str()),
            left: words::relative(record.request.expires_at, now),
            open: record.state == State::Open,
            notice: notice(record, who, zone, now),
            asker: &record.request.asker,
            ask: Ask::Nothing,
            glass: alone::may(record, who),
            review: record.review.as_ref().map(|r| alone::told(record, r, zone)),
            sign_out: None,
        }
    }
}

fn heading(record: &Record) -> String {
    let pipeline = &record.request.target.pipeline;
    match &record.state {
        State::Open => format!("Approve {pipeline}?"),
        State::Deciding { decision, .. } | State::Decided { decision, .. } => {
            format!("{}: {pipeline}", decision.verdict.past())
        }
        _ => format!("Approval of {pipeline}"),
    }
}

fn notice(record: &Record, who: &RecipientId, zone: &TimeZone, now: Timestamp) -> Option<Notice> {
    let say = |tone, sign, title: String, text: &str| {
        Some(Notice {
            tone,
            sign,
            title,
            text: text.to_owned(),
        })
    };
    let asker = &record.request.asker;
    let (noun, service) = (asker.noun(), asker.service());
    let over = || {
        let text =
            format!("{service} has failed it. If the {noun} asks again, you get a new mail.");
        say("calm", "i", "The deadline has passed".to_owned(), &text)
    };
    let outcome = |verdict| match verdict {
        Verdict::Approve => ("good", "✓", "Approved", asker.when_approved()),
        Verdict::Reject => ("bad", "✕", "Rejected", asker.when_rejected()),
    };
    match &record.state {
        State::Decided {
            decision,
            delivered_at,
        } => {
            let (tone, sign, word, text) = outcome(decision.verdict);
            let title = format!("{word} on {}", words::local(*delivered_at, zone));
            let why = decision.without_votes();
            let why = why.map_or_else(String::new, |why| format!("{why} "));
            say(tone, sign, title, &format!("{why}{text}"))
        }
        State::Deciding { decision, .. } => {
            let (tone, sign, word, _) = outcome(decision.verdict);
            let title = format!("{word}; {service} is being told");
            say(
                tone,
                sign,
                title,
                "The decision is recorded and cannot change. Load this page again in a moment.",
            )
        }
        State::Elsewhere { verdict, .. } => {
            let word = match verdict {
                Some(Verdict::Approve) => "It was approved",
                Some(Verdict::Reject) => "It was rejected or stopped",
                None => "It was answered",
            };
            let title = format!("{word} outside of this page");
            say(
                "calm",
                "i",
                title,
                "Somebody answered in the AWS console or through the API. Votes given here were not sent. There is nothing left to do here.",
            )
        }
        State::Superseded { .. } => say(
            "calm",
            "i",
            "No longer waiting".to_owned(),
            &format!(
                "It was stopped, retried or changed. If the {noun} asks again, you get a new mail."
            ),
        ),
        State::Expired { .. } => over(),
        State::Open if now >= record.request.expires_at => over(),
        State::Open => match record.vote_of(who) {
            Some(vote) => {
                let title = format!(
                    "Your answer is recorded: {}",
                    vote.verdict.past().to_lowercase()
                );
                say("good", "✓", title, &sheet::more(record, now))
            }
            None if record
                .recipient(who)
                .is_some_and(|r| r.quarantined_at.is_some()) =>
            {
                say(
                    "bad",
                    "!",
                    "Both links of your mail were used at once".to_owned(),
                    &format!(
                        "Approve and reject came within seconds, as when a mail scanner follows every link. Neither counts, and both links are locked. {}",
                        asker.otherwise()
                    ),
                )
            }
            None if record.recipient(who).is_some_and(|r| r.locked()) => say(
                "bad",
                "!",
                "This link is locked".to_owned(),
                &format!(
                    "The code was typed wrongly too often. {}",
                    asker.otherwise()
                ),
            ),
            None => None,
        },
    }
}
