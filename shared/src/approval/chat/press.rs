//! What Slack says when somebody presses a button: signed, and parsed only then.

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Button, slack};
use crate::{
    approval::request::{Verdict, digest_text},
    provider::pairs,
    secret::Secret,
    wire::from_text,
};

/// Calls older or younger are not believed (Slack's own advice).
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Why a call is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// No time, or not of now.
    #[error("the call has no time, or one that is not of now")]
    Stale,
    /// No signature, or another.
    #[error("the signature does not fit")]
    Signature,
}

/// A button that somebody pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Press {
    /// Who, by Slack's id.
    pub user: String,
    /// What it said; `None`: a button that only opens the page.
    pub chosen: Option<(Verdict, Button)>,
    /// Where the message can be rewritten for half an hour. Whoever has it can write there.
    pub reply: Secret,
}

/// Checks Slack's signature over the body's bytes as they came, with `X-Slack-Request-Timestamp` and
/// `X-Slack-Signature`; answers what tells this call from any other.
pub fn verify(
    secret: &Secret,
    time: &str,
    signature: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<String, Forged> {
    let plain = !time.is_empty() && time.len() <= 12 && time.bytes().all(|b| b.is_ascii_digit());
    let at = time.parse().ok().filter(|_| plain);
    let at = at.and_then(|s| Timestamp::from_second(s).ok());
    let at = at.ok_or(Forged::Stale)?;
    if now.duration_since(at).abs() > SKEW {
        return Err(Forged::Stale);
    }
    let tag = signature.strip_prefix("v0=").and_then(bytes_of);
    let tag = tag.ok_or(Forged::Signature)?;
    let key = secret.reveal().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in [b"v0:", time.as_bytes(), b":", body] {
        mac.update(part);
    }
    // The library compares in constant time.
    mac.verify_slice(&tag).map_err(|_| Forged::Signature)?;
    let mut hash = Sha256::new();
    hash.update(tag);
    Ok(format!("slack.{}", digest_text(hash)))
}

/// The press of a believed call; `None`: it is none of ours.
pub fn read(body: &[u8]) -> Option<Press> {
    let text = std::str::from_utf8(body).ok()?;
    let mut payloads = pairs(text)
        .into_iter()
        .filter(|(name, _)| name == "payload");
    let (Some((_, payload)), None) = (payloads.next(), payloads.next()) else {
        return None;
    };
    let wire: Wire = from_text(&payload).ok()?;
    let [action] = &wire.actions[..] else {
        return None;
    };
    let verdict = match action.action_id.as_str() {
        slack::APPROVE => Some(Verdict::Approve),
        slack::REJECT => Some(Verdict::Reject),
        _ => None,
    };
    let chosen = match verdict {
        Some(verdict) => Some((verdict, action.value.as_deref()?.parse().ok()?)),
        None => None,
    };
    (wire.kind == "block_actions").then(|| Press {
        user: wire.user.id,
        chosen,
        reply: wire.response_url.unwrap_or_default(),
    })
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "type")]
    kind: String,
    user: User,
    #[serde(default)]
    response_url: Option<Secret>,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct User {
    id: String,
}

#[derive(Deserialize)]
struct Action {
    #[serde(default)]
    action_id: String,
    #[serde(default)]
    value: Option<String>,
}

/// 32 bytes of lower-case hexadecimal.
fn bytes_of(hex: &str) -> Option<[u8; 32]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let (mut tag, text) = ([0; 32], hex.as_bytes());
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in tag.iter_mut().zip(text.chunks(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The worked example of Slack's documentation.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const TIME: &str = "1531420618";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    #[test]
    fn slacks_own_example_is_believed_and_nothing_near_it() {
        let secret = Secret::new(SECRET.to_owned());
        let at = |seconds: i64| Timestamp::from_second(1_531_420_618 + seconds).unwrap();
        let check = |time: &str, signature: &str, body: &str, now| {
            verify(&secret, time, signature, body.as_bytes(), now)
        };
        let id = check(TIME, SIGNATURE, BODY, at(0)).unwrap();
        assert_eq!(check(TIME, SIGNATURE, BODY, at(300)), Ok(id));
        assert_eq!(check(TIME, SIGNATURE, BODY, at(301)), Err(Forged::Stale));
        assert_eq!(check(TIME, SIGNATURE, BODY, at(-301)), Err(Forged::Stale));
        for time in ["", "now", "-1", "1531420619 ", "99999999999999999999"] {
            assert_eq!(
                check(time, SIGNATURE, BODY, at(0)),
                Err(Forged::Stale),
                "{time}"
            );
        }
        let other = BODY.replacen("xyzz0", "xyzz1", 1);
        for (time, signature, body) in [
            ("1531420619", SIGNATURE, BODY),
            (TIME, SIGNATURE, other.as_str()),
            (TIME, &SIGNATURE[..SIGNATURE.len() - 2], BODY),
            (TIME, &SIGNATURE.replacen("v0=", "v1=", 1), BODY),
            (TIME, &SIGNATURE.to_uppercase(), BODY),
            (TIME, "v0=", BODY),
            (TIME, "", BODY),
        ] {
            assert_eq!(check(time, signature, body, at(0)), Err(Forged::Signature));
        }
    }

    #[test]
    fn what_is_no_press_is_none() {
        for body in [
            "",
            "payload=",
            "payload=%7B%7D",
            "payload=%7B%22type%22%3A%22block_actions%22%7D&payload=x",
            "payload=%7B%22type%22%3A%22view_submission%22%2C%22user%22%3A%7B%22id%22%3A%22U%22%7D%2C%22actions%22%3A%5B%7B%7D%5D%7D",
        ] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
        assert_eq!(read(b"\xff"), None);
    }
}
