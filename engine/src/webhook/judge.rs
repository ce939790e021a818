//! Whether a delivery is let in: who sent it, and what its payload says.

use std::{collections::BTreeMap, net::IpAddr};

use engine_plan::webhook::{Authentication, WebhookDefinition, WebhookFilter, expected};
use ipnet::IpNet;
use ring::hmac;
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::face::call::form;

/// One call of a webhook's URL.
#[derive(Debug, Clone, Copy, Default)]
pub struct Delivery<'a> {
    /// Who is at the other end of the connection.
    pub peer: Option<IpAddr>,
    /// `X-Hub-Signature-256`.
    pub sha256: Option<&'a str>,
    /// `X-Hub-Signature`, SHA-1; looked at when there is no other.
    pub sha1: Option<&'a str>,
    /// `X-GitHub-Event`.
    pub event: Option<&'a str>,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The whole body.
    pub body: &'a [u8],
}

/// What a delivery that was let in asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Start the pipeline.
    Start,
    /// Nothing: GitHub tries the URL.
    Pong,
    /// Nothing: this filter (counted from 1) does not pass.
    Ignored(usize),
}

/// Why a delivery was not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// GITHUB_HMAC.
    #[error("the signature is missing or does not fit the body and the secret token")]
    Signature,
    /// IP.
    #[error("the sender's address is not in the allowed range")]
    Address,
    /// The payload is no JSON.
    #[error("the payload is not JSON")]
    Payload,
    /// A placeholder of a filter has lost its key, or the target action is gone.
    #[error("a filter cannot be evaluated: {0}")]
    Target(String),
}

/// Judges a delivery; `configuration` is the target action's, `None` when there is no such action any more.
///
/// # Errors
/// The sender is not believed, or the delivery cannot be judged.
pub fn judge(
    webhook: &WebhookDefinition,
    configuration: Option<&BTreeMap<String, String>>,
    delivery: &Delivery<'_>,
) -> Result<Verdict, Refused> {
    authenticate(&webhook.authentication, delivery)?;
    if delivery.event == Some("ping") {
        return Ok(Verdict::Pong);
    }
    let configuration = configuration
        .ok_or_else(|| Refused::Target("the pipeline has no such source action".to_owned()))?;
    let payload = payload(delivery)?;
    for (at, filter) in webhook.filters.iter().enumerate() {
        if !passes(filter, configuration, &payload)? {
            return Ok(Verdict::Ignored(at + 1));
        }
    }
    Ok(Verdict::Start)
}

fn authenticate(authentication: &Authentication, delivery: &Delivery<'_>) -> Result<(), Refused> {
    match authentication {
        Authentication::Unauthenticated => Ok(()),
        Authentication::Ip { allowed_ip_range } => {
            let range = allowed_ip_range.parse::<IpNet>().ok();
            let inside = range
                .zip(delivery.peer)
                .is_some_and(|(range, peer)| range.contains(&peer.to_canonical()));
            inside.then_some(()).ok_or(Refused::Address)
        }
        Authentication::GithubHmac { secret_token } => {
            let (algorithm, signature) = match (delivery.sha256, delivery.sha1) {
                (Some(header), _) => (hmac::HMAC_SHA256, header.strip_prefix("sha256=")),
                (None, Some(header)) => (
                    hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                    header.strip_prefix("sha1="),
                ),
                (None, None) => return Err(Refused::Signature),
            };
            let tag = signature.and_then(|it| hex::decode(it).ok());
            let key = hmac::Key::new(algorithm, secret_token.reveal().as_bytes());
            // constant time
            hmac::verify(&key, delivery.body, &tag.unwrap_or_default())
                .map_err(|_| Refused::Signature)
        }
    }
}

/// The JSON, which GitHub sends in a form field unless told otherwise.
fn payload(delivery: &Delivery<'_>) -> Result<Value, Refused> {
    let is_form = delivery
        .content_type
        .is_some_and(|it| it.starts_with("application/x-www-form-urlencoded"));
    let parsed = if is_form {
        let fields = form(delivery.body);
        let field = fields.iter().find(|(name, _)| name == "payload");
        field.and_then(|(_, value)| serde_json::from_str(value).ok())
    } else {
        serde_json::from_slice(delivery.body).ok()
    };
    parsed.ok_or(Refused::Payload)
}

/// Whether one of the values that the path selects is the expected one.
fn passes(
    filter: &WebhookFilter,
    configuration: &BTreeMap<String, String>,
    payload: &Value,
) -> Result<bool, Refused> {
    let path = path(&filter.json_path).map_err(Refused::Target)?;
    let selected = path.query(payload);
    let Some(text) = &filter.match_equals else {
        return Ok(!selected.is_empty());
    };
    let wanted =
        expected(text, configuration).map_err(|error| Refused::Target(error.to_string()))?;
    Ok(selected.iter().any(|value| match value {
        Value::String(text) => *text == wanted,
        other => other.to_string() == wanted,
    }))
}

/// Reads a filter's path.
///
/// A sender chooses the payload, so a path may go through all of it once: one `..`, no `$` inside.
///
/// # Errors
/// What is wrong with it.
pub fn path(text: &str) -> Result<JsonPath, String> {
    let path = JsonPath::parse(text).map_err(|error| error.to_string())?;
    let bare = outside_quotes(text);
    if bare.matches("..").count() > 1 {
        return Err("at most one '..' is allowed".to_owned());
    }
    if bare.matches('$').count() > 1 {
        return Err("'$' is allowed at the start only".to_owned());
    }
    Ok(path)
}

fn outside_quotes(text: &str) -> String {
    let mut quote = None;
    let mut escaped = false;
    text.chars()
        .filter(|c| {
            let inside = quote.is_some();
            match quote {
                Some(_) if escaped => escaped = false,
                Some(_) if *c == '\\' => escaped = true,
                Some(open) if open == *c => quote = None,
                None if ['\'', '"'].contains(c) => quote = Some(*c),
                _ => {}
            }
            !inside
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"ref":"refs/heads/main","size":3,"commits":[{"id":"a"},{"id":"b"}]}"#;

    fn hook(authentication: Authentication, filters: &[(&str, Option<&str>)]) -> WebhookDefinition {
        WebhookDefinition {
            name: "w".to_owned(),
            target_pipeline: "p".to_owned(),
            target_action: "s".to_owned(),
            filters: filters
                .iter()
                .map(|(path, value)| WebhookFilter {
                    json_path: (*path).to_owned(),
                    match_equals: value.map(str::to_owned),
                })
                .collect(),
            authentication,
        }
    }

    fn configuration() -> BTreeMap<String, String> {
        BTreeMap::from([("Branch".to_owned(), "main".to_owned())])
    }

    #[test]
    fn only_the_right_sender_is_believed() {
        let hmac = || Authentication::GithubHmac {
            secret_token: "It's a Secret to Everybody".to_owned().into(),
        };
        let ip = |range: &str| Authentication::Ip {
            allowed_ip_range: range.to_owned(),
        };
        // the example of GitHub's documentation
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let old = "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59";
        let hello = Delivery {
            body: b"Hello, World!",
            event: Some("ping"),
            ..Delivery::default()
        };
        let signed = |sha256, sha1| Delivery {
            sha256,
            sha1,
            ..hello
        };
        let from = |peer: &str| Delivery {
            peer: peer.parse().ok(),
            ..hello
        };
        let pong = Ok(Verdict::Pong);
        for (authentication, delivery, expected) in [
            (hmac(), signed(Some(good), None), pong.clone()),
            (hmac(), signed(Some(good), Some("sha1=00")), pong.clone()),
            (hmac(), signed(None, Some(old)), pong.clone()),
            (
                hmac(),
                signed(Some("sha256=00"), Some(old)),
                Err(Refused::Signature),
            ),
            (
                hmac(),
                signed(Some(&good[7..]), None),
                Err(Refused::Signature),
            ),
            (hmac(), signed(None, Some("sha1=")), Err(Refused::Signature)),
            (hmac(), signed(None, None), Err(Refused::Signature)),
            (
                hmac(),
                Delivery {
                    body: b"Hello, World?",
                    ..signed(Some(good), None)
                },
                Err(Refused::Signature),
            ),
            (ip("10.0.0.0/8"), from("10.1.2.3"), pong.clone()),
            (ip("10.0.0.0/8"), from("::ffff:10.1.2.3"), pong.clone()),
            (ip("2001:db8::/32"), from("2001:db8::1"), pong.clone()),
            (ip("10.0.0.0/8"), from("11.1.2.3"), Err(Refused::Address)),
            (ip("10.0.0.0/8"), hello, Err(Refused::Address)),
            (Authentication::Unauthenticated, hello, pong),
        ] {
            let found = judge(&hook(authentication, &[]), None, &delivery);
            assert_eq!(found, expected, "{delivery:?}");
        }
    }

    #[test]
    fn every_filter_must_pass() {
        let branch = ("$.ref", Some("refs/heads/{Branch}"));
        for (filters, expected) in [
            (vec![], Ok(Verdict::Start)),
            (vec![branch], Ok(Verdict::Start)),
            (
                vec![branch, ("$.ref", Some("main"))],
                Ok(Verdict::Ignored(2)),
            ),
            (
                vec![("$.size", Some("3")), ("$.commits", None)],
                Ok(Verdict::Start),
            ),
            (vec![("$.none", None)], Ok(Verdict::Ignored(1))),
            (vec![("$.commits[*].id", Some("b"))], Ok(Verdict::Start)),
            (vec![("$..id", Some("c"))], Ok(Verdict::Ignored(1))),
            (vec![("$.commits[?@.id == 'a']", None)], Ok(Verdict::Start)),
            (
                vec![("$.ref", Some("{Gone}"))],
                Err(Refused::Target(
                    "the target action has no configuration key 'Gone'".to_owned(),
                )),
            ),
        ] {
            let webhook = hook(Authentication::Unauthenticated, &filters);
            let delivery = Delivery {
                body: BODY,
                ..Delivery::default()
            };
            let found = judge(&webhook, Some(&configuration()), &delivery);
            assert_eq!(found, expected, "{filters:?}");
        }
    }

    #[test]
    fn payloads_come_as_json_or_in_a_form() {
        let webhook = hook(Authentication::Unauthenticated, &[("$.a", Some("b c"))]);
        for (content_type, body, expected) in [
            (None, r#"{"a":"b c"}"#, Ok(Verdict::Start)),
            (
                Some("application/x-www-form-urlencoded"),
                "payload=%7B%22a%22%3A%22b+c%22%7D",
                Ok(Verdict::Start),
            ),
            (
                Some("application/x-www-form-urlencoded"),
                "x=1",
                Err(Refused::Payload),
            ),
            (Some("application/json"), "payload=1", Err(Refused::Payload)),
            (None, "", Err(Refused::Payload)),
        ] {
            let delivery = Delivery {
                content_type,
                body: body.as_bytes(),
                ..Delivery::default()
            };
            assert_eq!(
                judge(&webhook, Some(&configuration()), &delivery),
                expected,
                "{body}"
            );
        }
        let delivery = Delivery {
            body: BODY,
            ..Delivery::default()
        };
        assert!(matches!(
            judge(&webhook, None, &delivery),
            Err(Refused::Target(_))
        ));
    }

    #[test]
    fn paths_that_cost_too_much_are_refused() {
        for (text, fine) in [
            ("$.ref", true),
            ("$['a..b$'].c", true),
            ("$['a\\'..b']..c", true),
            ("$..a", true),
            ("$..*..*", false),
            ("$.a[?$.b[*]]", false),
            ("ref", false),
            ("$.[", false),
        ] {
            assert_eq!(path(text).is_ok(), fine, "{text}");
        }
    }
}
