//! Writes a mail as RFC 5322 text.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::StoredMail;

/// Octets per line of base64 (RFC 2045).
const LINE: usize = 76;

/// The whole mail; bodies are base64, so that no line is too long and nothing needs escaping.
pub(super) fn compose(mail: &StoredMail, boundary: &str) -> String {
    let mut out = String::new();
    let date = mail.received.strftime("%a, %d %b %Y %H:%M:%S +0000");
    let header = |out: &mut String, name: &str, value: &str| {
        out.push_str(&format!("{name}: {value}\r\n"));
    };
    header(&mut out, "Date", &date.to_string());
    header(&mut out, "From", &mail.from);
    header(&mut out, "To", &mail.to.join(", "));
    header(&mut out, "Subject", &word(&mail.subject));
    header(
        &mut out,
        "Message-ID",
        &format!("<{boundary}@stagewright.localhost>"),
    );
    header(&mut out, "MIME-Version", "1.0");
    match (&mail.text, &mail.html) {
        (Some(text), Some(html)) => {
            let kind = format!("multipart/alternative; boundary=\"{boundary}\"");
            header(&mut out, "Content-Type", &kind);
            for (kind, body) in [("plain", text), ("html", html)] {
                out.push_str(&format!("\r\n--{boundary}\r\n"));
                part(&mut out, kind, body);
            }
            out.push_str(&format!("\r\n--{boundary}--\r\n"));
        }
        (text, Some(html)) if text.is_none() => part(&mut out, "html", html),
        (text, _) => part(&mut out, "plain", text.as_deref().unwrap_or_default()),
    }
    out
}

/// Header text on one line: control characters become spaces, and runs of spaces one.
pub(super) fn one_line(text: &str) -> String {
    let odd = |c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}';
    let spaced: String = text.chars().map(|c| if odd(c) { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn part(out: &mut String, kind: &str, body: &str) {
    out.push_str(&format!("Content-Type: text/{kind}; charset=UTF-8\r\n"));
    out.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
    let encoded = BASE64_STANDARD.encode(body);
    for line in encoded.as_bytes().chunks(LINE) {
        out.extend(line.iter().map(|b| char::from(*b)));
        out.push_str("\r\n");
    }
}

/// RFC 2047 for what is not ASCII, in words of at most 75 characters.
fn word(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut words = Vec::new();
    let mut piece = String::new();
    for c in text.chars() {
        if piece.len() + c.len_utf8() > 42 {
            words.push(std::mem::take(&mut piece));
        }
        piece.push(c);
    }
    words.push(piece);
    let encode = |w: &String| format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(w));
    words.iter().map(encode).collect::<Vec<_>>().join("\r\n ")
}
