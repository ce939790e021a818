//! Answers: every one of them, errors too, carries the same protecting headers.

use shared::approval::http::HttpAnswer;

/// Sent with everything. `Referrer-Policy: same-origin` and not `no-referrer`: the latter makes browsers send
/// `Origin: null` with our own form.
const HEADERS: [(&str, &str); 11] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    (
        "Strict-Transport-Security",
        "max-age=31536000; includeSubDomains",
    ),
    ("X-Robots-Tag", "noindex, nofollow, noarchive"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    ("X-Permitted-Cross-Domain-Policies", "none"),
];

/// The style sheet, the only thing a page loads.
const STYLE: &str = include_str!("../templates/style.css");

/// A page.
pub fn page(status: u16, html: String) -> HttpAnswer {
    with_type(status, "text/html; charset=utf-8", html)
}

/// The style sheet.
pub fn style() -> HttpAnswer {
    with_type(200, "text/css; charset=utf-8", STYLE.to_owned())
}

/// A status alone, for programs.
pub fn empty(status: u16) -> HttpAnswer {
    with_type(status, "text/plain; charset=utf-8", String::new())
}

/// Off to another address, read with GET.
pub fn see_other(location: String) -> HttpAnswer {
    let mut answer = with_type(303, "text/html; charset=utf-8", String::new());
    answer.headers.push(("Location", location));
    answer
}

fn with_type(status: u16, kind: &str, body: String) -> HttpAnswer {
    let mut headers: Vec<(&'static str, String)> = HEADERS
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    headers.push(("Content-Type", kind.to_owned()));
    HttpAnswer {
        status,
        headers,
        cookies: Vec::new(),
        body,
    }
}
