//! The posted form: limits first, then exactly the known fields, each at most once.

use base64::{Engine, engine::general_purpose::STANDARD};
use shared::{
    approval::{
        decide::Act,
        http::{Body, HttpRequest},
        level::Level,
        request::Verdict,
        words,
    },
    secret::Secret,
};

/// Largest body.
const BODY_LIMIT: usize = 8 * 1024;
/// The reason where a person lets a newer run through and gives none.
pub const MAKES_WAY: &str = "Makes way for a newer run.";
/// Longest reason, in characters.
pub const COMMENT_LIMIT: usize = 500;

/// The fields as sent; absent ones are empty.
#[derive(Debug, Default, Clone)]
pub struct Form {
    /// `decide`, or `deliver` for a decision whose sender is gone.
    pub intent: String,
    /// `approve`, `reject` or nothing.
    pub verdict: Option<Verdict>,
    /// Approves alone, in an emergency.
    pub alone: bool,
    /// As typed.
    pub code: Secret,
    /// Cleaned, not yet cut.
    pub comment: String,
    /// From the hidden field.
    pub nonce: Secret,
    /// Digest of what was shown.
    pub seen: String,
}

/// Why a body is no form of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormError {
    /// 413.
    TooLarge,
    /// 415.
    Type,
    /// 400.
    Garbled,
}

/// What a person has to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    /// The rule does not count the vote: its sentence.
    Rule(String),
    /// No choice.
    NoVerdict,
    /// Rejected without a reason.
    NoReason,
    /// Decided alone without a reason.
    NoEmergency,
    /// Nothing said about what a review found.
    NoFinding,
    /// The reason is too long.
    LongReason,
    /// No code.
    NoCode,
    /// Wrong code; so many tries are left.
    WrongCode(u8),
    /// The page was open for too long.
    OldPage,
}

/// Reads the form.
///
/// # Errors
/// When it is too large, of another type or not made by our page.
pub fn read(request: &HttpRequest) -> Result<Form, FormError> {
    let kind = request.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(FormError::Type);
    }
    let body = bytes(&request.body)?;
    let text = std::str::from_utf8(&body).map_err(|_| FormError::Garbled)?;
    let mut form = Form::default();
    let mut known = [
        ("intent", None),
        ("verdict", None),
        ("code", None),
        ("comment", None),
        ("nonce", None),
        ("seen", None),
    ];
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name)?;
        let slot = known.iter_mut().find(|(have, _)| *have == name);
        match slot {
            Some((_, slot @ None)) => *slot = Some(decode(value)?),
            _ => return Err(FormError::Garbled),
        }
    }
    let [intent, verdict, code, comment, nonce, seen] =
        known.map(|(_, value)| value.unwrap_or_default());
    form.intent = intent;
    form.verdict = match verdict.as_str() {
        "approve" | "break-glass" => Some(Verdict::Approve),
        "reject" | "make-way" => Some(Verdict::Reject),
        "" => None,
        _ => return Err(FormError::Garbled),
    };
    form.alone = verdict == "break-glass";
    form.code = Secret::new(code);
    form.comment = words::lines(&comment, BODY_LIMIT);
    if verdict == "make-way" && form.comment.is_empty() {
        MAKES_WAY.clone_into(&mut form.comment);
    }
    form.nonce = Secret::new(nonce);
    form.seen = seen;
    Ok(form)
}

impl Form {
    /// What it is for.
    pub fn act(&self) -> Act {
        match (self.intent.as_str(), self.alone) {
            ("review", _) => Act::Review,
            (_, true) => Act::BreakGlass,
            (_, false) => Act::Vote,
        }
    }

    /// What is wrong with it, before the code is looked at; `required` of the page is only a courtesy.
    pub fn mistakes(&self, level: Level) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let silent = self.comment.is_empty();
        if self.act() == Act::Review {
            mistakes.extend(silent.then_some(Mistake::NoFinding));
        } else if self.verdict.is_none() {
            mistakes.push(Mistake::NoVerdict);
        }
        if self.alone && silent {
            mistakes.push(Mistake::NoEmergency);
        }
        if self.verdict == Some(Verdict::Reject) && silent {
            mistakes.push(Mistake::NoReason);
        }
        if self.comment.chars().count() > COMMENT_LIMIT {
            mistakes.push(Mistake::LongReason);
        }
        if level == Level::Code && self.code.reveal().trim().is_empty() {
            mistakes.push(Mistake::NoCode);
        }
        mistakes
    }
}

impl Mistake {
    /// The field to mend.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::NoVerdict | Self::Rule(_) => "approve",
            Self::NoReason | Self::NoEmergency | Self::NoFinding | Self::LongReason => "comment",
            Self::NoCode | Self::WrongCode(_) | Self::OldPage => "code",
        }
    }

    /// What to do.
    pub fn words(&self) -> String {
        match self {
            Self::Rule(why) => words::one_line(why, 400),
            Self::NoVerdict => "Choose approve or reject.".to_owned(),
            Self::NoReason => "Say why you reject: the team sees it in the pipeline.".to_owned(),
            Self::NoEmergency => {
                "Say what the emergency is: others look at it afterwards.".to_owned()
            }
            Self::NoFinding => "Say what you found.".to_owned(),
            Self::LongReason => format!("Keep the reason within {COMMENT_LIMIT} characters."),
            Self::NoCode => "Type the code from the mail.".to_owned(),
            Self::WrongCode(1) => "This is not the code of the mail. One try is left.".to_owned(),
            Self::WrongCode(left) => {
                format!("This is not the code of the mail. {left} tries are left.")
            }
            Self::OldPage => {
                "The page was open for more than 15 minutes. Check it and send it again.".to_owned()
            }
        }
    }
}

fn bytes(body: &Body) -> Result<Vec<u8>, FormError> {
    let bytes = match body {
        Body::Empty => Vec::new(),
        Body::Text(text) if text.len() > BODY_LIMIT => return Err(FormError::TooLarge),
        Body::Text(text) => text.clone().into_bytes(),
        Body::Base64(text) if text.len() > BODY_LIMIT.div_ceil(3) * 4 => {
            return Err(FormError::TooLarge);
        }
        Body::Base64(text) => STANDARD.decode(text).map_err(|_| FormError::Garbled)?,
    };
    if bytes.len() > BODY_LIMIT {
        return Err(FormError::TooLarge);
    }
    Ok(bytes)
}

/// `application/x-www-form-urlencoded`, strict: a broken escape or broken UTF-8 is refused.
fn decode(text: &str) -> Result<String, FormError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    let digit = rest.next().and_then(|b| char::from(b).to_digit(16));
                    digit
                        .and_then(|d| u8::try_from(d).ok())
                        .ok_or(FormError::Garbled)
                };
                digit()? * 16 + digit()?
            }
            other => other,
        });
    }
    String::from_utf8(out).map_err(|_| FormError::Garbled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(body: Body) -> Result<Form, FormError> {
        let headers = vec![(
            "content-type".to_owned(),
            "application/x-www-form-urlencoded; charset=UTF-8".to_owned(),
        )];
        read(&HttpRequest {
            headers,
            body,
            ..HttpRequest::default()
        })
    }
    fn text(body: &str) -> Result<Form, FormError> {
        post(Body::Text(body.to_owned()))
    }

    #[test]
    fn a_form_is_read_plain_and_base64() {
        let body = "intent=decide&verdict=reject&comment=N%C3%B6%2C+later%0D%0Ano&code=2ZAB-JKSZ&nonce=n&seen=s";
        for form in [text(body), post(Body::Base64(STANDARD.encode(body)))] {
            let form = form.unwrap();
            assert_eq!(form.verdict, Some(Verdict::Reject));
            assert_eq!(form.comment, "Nö, later\nno");
            assert_eq!(form.mistakes(Level::Code), []);
            assert!(!format!("{form:?}").contains("2ZAB"));
        }
    }

    #[test]
    fn hostile_bodies_are_refused() {
        let many = "x=1&".repeat(1_000);
        for (body, error) in [
            ("verdict=approve&verdict=reject", FormError::Garbled),
            ("verdict=maybe", FormError::Garbled),
            ("next=https://evil.example", FormError::Garbled),
            ("comment=%zz", FormError::Garbled),
            ("comment=%f", FormError::Garbled),
            ("comment=%ff", FormError::Garbled),
            (many.as_str(), FormError::Garbled),
            (&"a".repeat(8_193), FormError::TooLarge),
        ] {
            assert_eq!(
                text(body).unwrap_err(),
                error,
                "{}",
                &body[..body.len().min(40)]
            );
        }
        let bad = post(Body::Base64("%%%".to_owned()));
        assert_eq!(bad.unwrap_err(), FormError::Garbled);
        let large = post(Body::Base64("A".repeat(1 << 20)));
        assert_eq!(large.unwrap_err(), FormError::TooLarge);
        let json = vec![("content-type".to_owned(), "application/json".to_owned())];
        let request = HttpRequest {
            headers: json,
            ..HttpRequest::default()
        };
        assert_eq!(read(&request).unwrap_err(), FormError::Type);
    }

    #[test]
    fn mistakes_are_named() {
        let mistakes = |body| text(body).unwrap().mistakes(Level::Code);
        assert_eq!(mistakes(""), [Mistake::NoVerdict, Mistake::NoCode]);
        assert_eq!(
            mistakes("verdict=reject&code=x&comment=+%0a"),
            [Mistake::NoReason]
        );
        assert_eq!(mistakes("verdict=approve&code=x"), []);
        let linked = text("verdict=approve").unwrap();
        assert_eq!(linked.mistakes(Level::Link), []);
        let long = format!("verdict=approve&code=x&comment={}", "y".repeat(501));
        assert_eq!(
            text(&long).unwrap().mistakes(Level::Code),
            [Mistake::LongReason]
        );
    }
}
