//! Whether what a page answered is good, not there yet, or wrong. Pure.

use serde::{Deserialize, Serialize};

use crate::params::Params;

/// What one attempt saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// No HTTP answer; the words say why.
    Nothing {
        /// As the HTTP client says it.
        why: String,
    },
    /// An answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// The body's digest.
        body: Digest,
        /// Whether the body holds the expected text; true when none is expected.
        has_text: bool,
    },
}

/// What identifies a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// SHA-256 in hex.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// Whether there was more than is read.
    pub cut: bool,
}

/// What to make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Good,
    /// A site that is not up or not published yet looks like this.
    NotYet(String),
    /// Waiting will not help.
    Wrong(String),
}

/// Judges one attempt. `expected` is the digest of `matchArtifactFile`.
pub fn judge(params: &Params, expected: Option<&Digest>, seen: &Seen) -> Verdict {
    let (status, body, has_text) = match seen {
        Seen::Nothing { why } => return Verdict::NotYet(format!("no answer ({why})")),
        Seen::Answer {
            status,
            body,
            has_text,
        } => (*status, body, *has_text),
    };
    if status != params.expect_status {
        let text = format!("status {status} where {} is expected", params.expect_status);
        return match status {
            404 | 500.. => Verdict::NotYet(text),
            300..=399 => Verdict::Wrong(format!(
                "{text}; redirects are not followed, so name the address it leads to"
            )),
            _ => Verdict::Wrong(text),
        };
    }
    if !has_text {
        return Verdict::Wrong(match body.cut {
            false => "the expected text is not in the page".to_owned(),
            true => format!(
                "the expected text is not in the first {} bytes of the page",
                body.bytes
            ),
        });
    }
    match expected {
        Some(expected) if expected != body => Verdict::Wrong(format!(
            "the page differs from the artifact's file: {} bytes with SHA-256 {} where {} bytes with SHA-256 {} are expected",
            body.bytes,
            short(&body.sha256),
            expected.bytes,
            short(&expected.sha256)
        )),
        _ => Verdict::Good,
    }
}

fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(sha256: &str) -> Digest {
        Digest {
            sha256: sha256.to_owned(),
            bytes: 3,
            cut: false,
        }
    }

    #[test]
    fn every_kind_of_answer_has_its_verdict() {
        let params = |text: &str| serde_json::from_str::<Params>(text).unwrap();
        let plain = params(r#"{"url":"http://a/"}"#);
        let gone = params(r#"{"url":"http://a/","expectStatus":404}"#);
        let answer = |status, has_text| Seen::Answer {
            status,
            body: digest("abc"),
            has_text,
        };
        let word = |params: &Params, expected: Option<&str>, seen: &Seen| match judge(
            params,
            expected.map(digest).as_ref(),
            seen,
        ) {
            Verdict::Good => "good",
            Verdict::NotYet(_) => "not yet",
            Verdict::Wrong(_) => "wrong",
        };
        let nothing = Seen::Nothing {
            why: "refused".into(),
        };
        for (params, expected, seen, want) in [
            (&plain, None, answer(200, true), "good"),
            (&plain, Some("abc"), answer(200, true), "good"),
            (&plain, Some("abd"), answer(200, true), "wrong"),
            (&plain, None, answer(200, false), "wrong"),
            (&plain, None, answer(404, true), "not yet"),
            (&plain, None, answer(500, true), "not yet"),
            (&plain, None, answer(503, true), "not yet"),
            (&plain, None, answer(403, true), "wrong"),
            (&plain, None, answer(301, true), "wrong"),
            (&plain, None, nothing, "not yet"),
            (&gone, None, answer(404, true), "good"),
            (&gone, None, answer(200, true), "wrong"),
        ] {
            assert_eq!(word(params, expected, &seen), want, "{seen:?}");
        }
    }
}
