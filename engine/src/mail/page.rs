//! The inbox at `/_stagewright/mail`: a list, one mail, and the same as JSON. Without scripts.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use super::{MailSink, StoredMail};
use crate::app::App;

/// The page may show its own style and the framed mail; the framed mail may show pictures that it brings along.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
/// Links of a mail open on their own page; nothing in it runs or loads.
const BODY_POLICY: &str = "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'";

/// `/_stagewright/mail…`; mount with `Router::merge`.
pub fn routes() -> Router<App> {
    Router::new()
        .route(
            "/_stagewright/mail",
            get(|State(app): State<App>| async move { inbox(&app.mail) }),
        )
        .route(
            "/_stagewright/mail/",
            get(|State(app): State<App>| async move { inbox(&app.mail) }),
        )
        .route(
            "/_stagewright/mail.json",
            get(|State(app): State<App>| async move { list_json(&app.mail) }),
        )
        .route(
            "/_stagewright/mail/{id}",
            get(
                |State(app): State<App>, Path(id): Path<String>| async move { one(&app.mail, &id) },
            ),
        )
}

#[derive(Template)]
#[template(path = "mail/inbox.html")]
struct Inbox {
    mails: Vec<Row>,
}

struct Row {
    id: String,
    time: String,
    to: String,
    from: String,
    subject: String,
    preview: String,
}

#[derive(Template)]
#[template(path = "mail/mail.html")]
struct OneMail {
    row: Row,
    text: Vec<TextPiece>,
    has_text: bool,
    has_html: bool,
}

/// A piece of a text body: words, or an address to click.
#[derive(Debug, PartialEq, Eq)]
struct TextPiece {
    text: String,
    link: bool,
}

fn inbox(sink: &MailSink) -> Response {
    let mails = sink.list().iter().map(|mail| row(mail)).collect();
    html(&Inbox { mails })
}

fn one(sink: &MailSink, name: &str) -> Response {
    let (id, kind) = name.split_once('.').unwrap_or((name, ""));
    let Some(mail) = sink.get(id) else {
        return crate::console::missing("mail");
    };
    match kind {
        "" => html(&OneMail {
            row: row(&mail),
            text: pieces(mail.text.as_deref().unwrap_or_default()),
            has_text: mail.text.is_some(),
            has_html: mail.html.is_some(),
        }),
        "json" => answer(
            "application/json",
            serde_json::to_string(&*mail).unwrap_or_default(),
        ),
        "eml" => match sink.raw(id) {
            Ok(raw) => answer("message/rfc822", raw),
            Err(error) => {
                tracing::warn!(%error, mail = id, "a mail cannot be read");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the mail cannot be read\n",
                )
                    .into_response()
            }
        },
        "html" => with_policy(
            answer(
                "text/html; charset=utf-8",
                framed(mail.html.as_deref().unwrap_or_default()),
            ),
            BODY_POLICY,
        ),
        _ => (
            StatusCode::NOT_FOUND,
            "a mail is shown as .json, .eml or .html\n",
        )
            .into_response(),
    }
}

fn list_json(sink: &MailSink) -> Response {
    let list: Vec<_> = sink
        .list()
        .iter()
        .map(|m| json!({"id": m.id, "received": m.received, "from": m.from, "to": m.to, "subject": m.subject}))
        .collect();
    answer("application/json", json!({"mails": list}).to_string())
}

fn row(mail: &StoredMail) -> Row {
    let text = mail.text.as_deref().unwrap_or_default();
    let words: Vec<&str> = text
        .split_whitespace()
        .take_while(|w| !is_link(w))
        .collect();
    Row {
        id: mail.id.clone(),
        time: mail.received.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        to: mail.to.join(", "),
        from: mail.from.clone(),
        subject: if mail.subject.is_empty() {
            "(no subject)".to_owned()
        } else {
            mail.subject.clone()
        },
        preview: words.join(" ").chars().take(140).collect(),
    }
}

/// Cuts a text into words and web addresses; the characters that usually end a sentence stay outside of a link.
fn pieces(text: &str) -> Vec<TextPiece> {
    let mut out: Vec<TextPiece> = Vec::new();
    let mut push = |text: &str, link: bool| {
        match out.last_mut() {
            Some(last) if !last.link && !link => last.text.push_str(text),
            _ if text.is_empty() => {}
            _ => out.push(TextPiece {
                text: text.to_owned(),
                link,
            }),
        };
    };
    for token in text.split_inclusive(char::is_whitespace) {
        if is_link(token) {
            let link = token
                .trim_end()
                .trim_end_matches(['.', ',', ';', ')', '>', '"']);
            push(link, true);
            push(&token[link.len()..], false);
        } else {
            push(token, false);
        }
    }
    out
}

fn is_link(token: &str) -> bool {
    token.starts_with("http://") || token.starts_with("https://")
}

/// The mail's own HTML; its links leave the frame, and a mail without a style gets a plain one.
fn framed(html: &str) -> String {
    let style = "body{font:15px/1.5 system-ui,'DejaVu Sans',sans-serif;margin:1rem;color:#1d2733;background:#fff}";
    format!("<!doctype html><base target=\"_top\"><style>{style}</style>{html}")
}

fn html(template: &impl Template) -> Response {
    match template.render() {
        Ok(page) => with_policy(answer("text/html; charset=utf-8", page), PAGE_POLICY),
        Err(error) => {
            tracing::error!(%error, "a mail page cannot be rendered");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the page cannot be rendered\n",
            )
                .into_response()
        }
    }
}

fn answer(kind: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

fn with_policy(mut response: Response, policy: &'static str) -> Response {
    let policy = HeaderValue::from_static(policy);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, mail::Mail};
    use axum::body::to_bytes;

    #[test]
    fn links_are_found_in_text() {
        let piece = |text: &str, link| TextPiece {
            text: text.to_owned(),
            link,
        };
        assert_eq!(
            pieces("See https://example.com/a.\nOr <http://x/> javascript:alert(1)"),
            [
                piece("See ", false),
                piece("https://example.com/a", true),
                piece(".\nOr <http://x/> javascript:alert(1)", false),
            ]
        );
    }

    #[tokio::test]
    async fn pages_show_and_escape() {
        let folder = tempfile::tempdir().unwrap();
        let sink = MailSink::open(folder.path(), None, Clock::real()).unwrap();
        let mail = Mail {
            from: "p@example.com".to_owned(),
            to: vec!["dana@example.com".to_owned()],
            subject: "<script>alert(1)</script>".to_owned(),
            text: Some("Approve: https://example.com/a?x=1&y=2 <b>".to_owned()),
            html: Some("<p>Hello</p>".to_owned()),
        };
        let id = sink.deliver(mail).unwrap();
        let text = async |response: Response| {
            assert_eq!(response.status(), StatusCode::OK);
            let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        let page = text(inbox(&sink)).await;
        assert!(
            page.contains("/_stagewright/mail/000001") && !page.contains("<script"),
            "{page}"
        );
        let page = text(one(&sink, &id)).await;
        assert!(
            !page.contains("<script")
                && page.contains("href=\"https://example.com/a?x=1&#38;y=2\""),
            "{page}"
        );
        let framed = one(&sink, "000001.html");
        let policy = framed.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            policy.contains("sandbox") && !policy.contains("allow-scripts"),
            "{policy}"
        );
        assert!(text(framed).await.contains("<p>Hello</p>"));
        assert!(
            text(one(&sink, "000001.json"))
                .await
                .contains("\"subject\"")
        );
        assert!(
            text(one(&sink, "000001.eml"))
                .await
                .contains("\r\nTo: dana@example.com\r\n")
        );
        assert_eq!(one(&sink, "7").status(), StatusCode::NOT_FOUND);
    }
}
