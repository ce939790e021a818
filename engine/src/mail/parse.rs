//! Reads what people look at out of a raw mail: sender, recipients, subject, text and HTML.

use base64::{Engine as _, engine::general_purpose::GeneralPurpose, prelude::BASE64_STANDARD};

/// Nesting of multiparts that is followed.
const DEPTH: usize = 5;
const BASE64: GeneralPurpose = BASE64_STANDARD;

/// What was found; missing parts are empty.
#[derive(Default)]
pub(super) struct Parsed {
    pub from: String,
    pub to: Vec<String>,
    pub subject: String,
    pub text: Option<String>,
    pub html: Option<String>,
}

/// Never fails: a mail that cannot be read is shown as text.
pub(super) fn parse(raw: &[u8]) -> Parsed {
    let raw = String::from_utf8_lossy(raw).replace("\r\n", "\n");
    let (headers, body) = split(&raw);
    let list = |name: &str| {
        let all = header(&headers, name);
        all.split(',')
            .map(|a| a.trim().to_owned())
            .filter(|a| !a.is_empty())
            .collect::<Vec<_>>()
    };
    let mut parsed = Parsed {
        from: words(header(&headers, "from")),
        to: ["to", "cc"].iter().flat_map(|name| list(name)).collect(),
        subject: words(header(&headers, "subject")),
        ..Parsed::default()
    };
    part(&headers, body, DEPTH, &mut parsed);
    parsed
}

type Headers = Vec<(String, String)>;

fn split(text: &str) -> (Headers, &str) {
    let (head, body) = match text.strip_prefix('\n') {
        Some(body) => ("", body),
        None => text.split_once("\n\n").unwrap_or((text, "")),
    };
    let mut headers = Headers::new();
    for line in head.lines() {
        if let (true, Some((_, value))) = (line.starts_with([' ', '\t']), headers.last_mut()) {
            value.push(' ');
            value.push_str(line.trim());
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    (headers, body)
}

fn header<'h>(headers: &'h Headers, name: &str) -> &'h str {
    let found = headers.iter().find(|(n, _)| n == name);
    found.map_or("", |(_, value)| value)
}

fn part(headers: &Headers, body: &str, depth: usize, parsed: &mut Parsed) {
    let content_type = header(headers, "content-type");
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if kind.starts_with("multipart/") && depth > 0 {
        let Some(boundary) = boundary(content_type) else {
            return;
        };
        let fence = format!("\n--{boundary}");
        // The text before the first fence is for mail programs without MIME.
        let whole = format!("\n{body}");
        for piece in whole.split(fence.as_str()).skip(1) {
            if piece.starts_with("--") {
                break;
            }
            let inner = piece.split_once('\n').map_or("", |(_, rest)| rest);
            let (headers, body) = split(inner);
            part(&headers, body, depth - 1, parsed);
        }
        return;
    }
    if header(headers, "content-disposition")
        .to_ascii_lowercase()
        .starts_with("attachment")
    {
        return;
    }
    let encoding = header(headers, "content-transfer-encoding").to_ascii_lowercase();
    let text = match encoding.trim() {
        "base64" => {
            let plain: String = body.chars().filter(|c| !c.is_whitespace()).collect();
            BASE64
                .decode(plain)
                .map(|b| String::from_utf8_lossy(&b).into_owned())
                .ok()
        }
        "quoted-printable" => Some(unquote(body)),
        _ => Some(body.trim_end().to_owned()),
    };
    let slot = match kind.as_str() {
        "text/html" => &mut parsed.html,
        "text/plain" | "" => &mut parsed.text,
        _ => return,
    };
    if slot.is_none() {
        *slot = text;
    }
}

fn boundary(content_type: &str) -> Option<&str> {
    let at = content_type.to_ascii_lowercase().find("boundary=")?;
    let rest = content_type.get(at + "boundary=".len()..)?;
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split([';', ' ']).next(),
    }
    .filter(|b| !b.is_empty())
}

fn unquote(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let hex = |b: &[u8]| {
            std::str::from_utf8(b)
                .ok()
                .and_then(|h| u8::from_str_radix(h, 16).ok())
        };
        match (byte, after) {
            (b'=', [b'\n', after @ ..]) => rest = after,
            (b'=', [a, b, after @ ..]) => match hex(&[*a, *b]) {
                Some(decoded) => {
                    out.push(decoded);
                    rest = after;
                }
                None => out.push(b'='),
            },
            _ => out.push(*byte),
        }
    }
    String::from_utf8_lossy(&out).trim_end().to_owned()
}

/// Decodes RFC 2047 words (UTF-8 ones; others stay as they are).
fn words(text: &str) -> String {
    let mut out = String::new();
    let mut after_word = false;
    for token in text.split(' ') {
        let decoded = word(token);
        let joined = after_word && decoded.is_some();
        if !out.is_empty() && !joined {
            out.push(' ');
        }
        after_word = decoded.is_some();
        out.push_str(decoded.as_deref().unwrap_or(token));
    }
    out
}

fn word(token: &str) -> Option<String> {
    let inner = token.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut parts = inner.splitn(3, '?');
    let (charset, encoding, data) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    match encoding {
        "B" | "b" => String::from_utf8(BASE64.decode(data).ok()?).ok(),
        "Q" | "q" => Some(unquote(&data.replace('_', "=20"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_mail_is_read() {
        let raw = concat!(
            "Content-Type: multipart/mixed; boundary=\"===a==\"\r\nMIME-Version: 1.0\r\n",
            "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_an?= =?utf-8?q?_alle?=\r\nFrom: a@example.com\r\nTo: b@example.com,\r\n c@example.com\r\n\r\n",
            "--===a==\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n",
            "--inner\r\nContent-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nlong=\r\n line =C3=A4\r\n\r\n",
            "--inner\r\nContent-Type: text/html\r\n\r\n<b>x</b>\r\n--inner--\r\n",
            "--===a==\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=x\r\n\r\nfile\r\n--===a==--\r\n",
        );
        let parsed = parse(raw.as_bytes());
        assert_eq!(parsed.subject, "Grüße an alle");
        assert_eq!(parsed.to, ["b@example.com", "c@example.com"]);
        assert_eq!(parsed.text.as_deref(), Some("long line ä"));
        assert_eq!(parsed.html.as_deref(), Some("<b>x</b>"));
    }

    #[test]
    fn rubbish_is_text() {
        let parsed = parse(b"no header at all");
        assert_eq!(
            (parsed.from.as_str(), parsed.text.as_deref()),
            ("", Some(""))
        );
        parse(&[0xff, 0, b'=', b'?']);
    }
}
