//! What a vendor answered.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    call::Call,
    error::{ProviderError, Trouble},
};

/// An answer. Its `Debug` text has no body: tokens come in bodies.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// At most as many bytes as the call asked for.
    pub body: Vec<u8>,
    /// Whether there was more.
    pub cut: bool,
    /// Bytes written to [`Call::save_to`].
    pub saved: u64,
    pub(super) from: Origin,
}

/// Which question it answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Origin {
    pub provider: &'static str,
    pub what: &'static str,
}

impl Answer {
    /// An answer with names of headers in any case.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
        Self {
            status,
            headers: headers.into_iter().map(lower).collect(),
            body,
            ..Self::default()
        }
    }

    /// The first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as what was expected.
    ///
    /// # Errors
    /// [`Trouble::Garbled`] when it is empty, cut, HTML, a redirect, or JSON of another shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        let garbled = |why: String| Err(self.trouble(Trouble::Garbled { why }));
        if (300..400).contains(&self.status) {
            let to = self.header("location").map(place).unwrap_or_default();
            return garbled(format!(
                "a redirect to {to:?}, which is not followed because the credentials would go along: \
                 name the address it leads to"
            ));
        }
        if self.cut {
            return garbled(format!("more than {} bytes", self.body.len()));
        }
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return garbled("an empty answer".to_owned());
        }
        match serde_json::from_slice::<T>(&self.body) {
            Ok(value) => Ok(value),
            Err(_) if self.is_html() => garbled("an HTML page".to_owned()),
            Err(error) if error.is_data() => {
                let error = serde_path_to_error::deserialize::<_, T>(
                    &mut serde_json::Deserializer::from_slice(&self.body),
                )
                .err();
                let field = error.map(|error| error.path().to_string());
                garbled(format!(
                    "JSON of an unexpected shape (at {})",
                    field.unwrap_or_default()
                ))
            }
            Err(error) if error.is_eof() => garbled("JSON that breaks off".to_owned()),
            Err(_) => garbled("something that is no JSON".to_owned()),
        }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// An error about this answer.
    pub fn trouble(&self, trouble: Trouble) -> ProviderError {
        ProviderError {
            provider: self.from.provider,
            what: self.from.what,
            trouble,
            source: None,
        }
    }

    /// What the vendor says is wrong, short and without the call's secrets; empty when it says nothing readable.
    pub fn words(&self, call: &Call) -> String {
        let said = match serde_json::from_slice::<Value>(&self.body) {
            Ok(value) => message(&value, 0).unwrap_or_default(),
            Err(_) if self.is_html() => title(&self.text()).unwrap_or_default(),
            Err(_) => self.text(),
        };
        let said = call.redact(&said);
        let said = said.replace(char::is_control, " ");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        said.chars().take(LONGEST_WORDS).collect()
    }

    fn is_html(&self) -> bool {
        let named = self
            .header("content-type")
            .is_some_and(|kind| kind.contains("html"));
        named || self.body.trim_ascii_start().starts_with(b"<")
    }
}

/// A vendor's words are cut here: they end in a pipeline's history.
const LONGEST_WORDS: usize = 300;

/// A text under one of the usual names, up to two levels down.
fn message(value: &Value, depth: u32) -> Option<String> {
    const NAMES: [&str; 10] = [
        "message",
        "errorMessage",
        "error_description",
        "detail",
        "error",
        "errors",
        "reason",
        "title",
        "description",
        "data",
    ];
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(all) if depth < 4 => all.iter().find_map(|one| message(one, depth + 1)),
        Value::Object(map) if depth < 4 => NAMES
            .iter()
            .find_map(|name| message(map.get(*name)?, depth + 1)),
        _ => None,
    }
}

fn title(html: &str) -> Option<String> {
    let (_, rest) = html.split_once("<title>")?;
    rest.split_once('<').map(|(title, _)| title.to_owned())
}

/// Host and path of an address: its query may hold a token.
fn place(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} bytes", self.status, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::secret::Secret;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Item {
        id: u64,
    }

    fn answer(status: u16, kind: &str, body: &str) -> Answer {
        let headers = vec![
            ("Content-Type".to_owned(), kind.to_owned()),
            (
                "Location".to_owned(),
                "https://sso.example.com/in?t=planted".to_owned(),
            ),
        ];
        Answer::new(status, headers, body.as_bytes().to_vec())
    }

    #[test]
    fn json_is_read_or_said_to_be_something_else() {
        let json = "application/json";
        let good = answer(200, json, r#"{"id": 7, "planted": {}}"#);
        assert_eq!(good.json::<Item>().unwrap(), Item { id: 7 });
        let cut = Answer { cut: true, ..good };
        for (answer, want) in [
            (answer(200, json, " \n"), "an empty answer"),
            (answer(200, json, r#"{"id": "#), "JSON that breaks off"),
            (
                answer(200, json, r#"{"id": "x"}"#),
                "JSON of an unexpected shape (at id)",
            ),
            (answer(200, json, "id"), "something that is no JSON"),
            (answer(200, "text/html;charset=utf-8", "x"), "an HTML page"),
            (answer(200, json, "<html>"), "an HTML page"),
            (
                answer(302, json, ""),
                "a redirect to \"https://sso.example.com/in\", which is not followed",
            ),
            (cut, "more than 24 bytes"),
        ] {
            let error = answer.json::<Item>().unwrap_err();
            let Trouble::Garbled { why } = error.trouble else {
                unreachable!("{error:?}");
            };
            assert!(why.contains(want) && !why.contains("planted"), "{why}");
        }
    }

    #[test]
    fn the_vendors_words_are_found_and_cleaned() {
        let call = Call::get("the job", "https://a/").bearer(&Secret::new("planted".to_owned()));
        for (kind, body, want) in [
            (
                "application/json",
                r#"{"code": 1, "message": "no\n such  job"}"#,
                "no such job",
            ),
            (
                "application/json",
                r#"{"error": {"message": "bad planted"}}"#,
                "bad [redacted]",
            ),
            ("application/json", r#"{"errors": [{"detail": "x"}]}"#, "x"),
            ("application/json", r#"{"a": 1}"#, ""),
            (
                "text/html",
                "<html><title>Error 409</title><body>b",
                "Error 409",
            ),
            ("text/html", "<html>", ""),
            ("text/plain", "job is \u{7} disabled", "job is disabled"),
        ] {
            assert_eq!(answer(409, kind, body).words(&call), want, "{body}");
        }
        let long = answer(400, "text/plain", &"x".repeat(5_000));
        assert_eq!(long.words(&call).len(), LONGEST_WORDS);
    }
}
