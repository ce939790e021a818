//! Slack's Web API as far as messages go, the presses of buttons that it signs, and the addresses it takes replies at.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};
use shared::provider::form;

use crate::{Asked, Reply, StandIn};

pub use shared::approval::chat::slack::{APPROVE, REJECT};

/// The app's bot token.
pub const TOKEN: &str = "planted-slack-token";
/// The app's signing secret.
pub const SECRET: &str = "planted-signing-secret";

/// A workspace with the users that are told to it.
#[derive(Debug, Clone, Default)]
pub struct Slack {
    /// Ids of users, and of channels the app is in.
    pub users: Vec<String>,
    /// Messages by channel and time: the newest version of each.
    pub messages: BTreeMap<(String, String), Value>,
    /// What was written under messages.
    pub threads: Vec<Value>,
    /// What was written at the addresses for replies.
    pub replies: Vec<Value>,
}

/// What Slack sends when a button is pressed: headers and body.
#[derive(Debug, Clone)]
pub struct Pressed {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// A form with one field, `payload`.
    pub body: String,
}

impl Slack {
    /// A workspace with these users.
    pub fn with(users: &[&str]) -> Self {
        Self {
            users: users.iter().map(|user| (*user).to_owned()).collect(),
            ..Self::default()
        }
    }

    /// The newest version of the only message to this user.
    pub fn message(&self, user: &str) -> Value {
        let channel = channel(user);
        let mut all = self.messages.iter().filter(|((at, _), _)| *at == channel);
        match (all.next(), all.next()) {
            (Some((_, message)), None) => message.clone(),
            (first, _) => panic!("one message to {user}: {first:?}"),
        }
    }

    /// What Slack sends when this user presses the button with this action in a message; `reply` is the address for
    /// replies.
    pub fn press(
        &self,
        user: &str,
        message: &Value,
        action: &str,
        reply: &str,
        at: Timestamp,
    ) -> Pressed {
        let blocks = message["blocks"].as_array().into_iter().flatten();
        let elements = blocks
            .filter_map(|block| block["elements"].as_array())
            .flatten();
        let mut buttons = elements.filter(|element| element["action_id"] == action);
        let button = buttons
            .next()
            .unwrap_or_else(|| panic!("no {action}: {message}"));
        let payload = json!({
            "type": "block_actions", "api_app_id": "A111", "trigger_id": "1.2.planted-trigger",
            "team": {"id": "T111", "domain": "shop"}, "user": {"id": user, "username": "somebody", "team_id": "T111"},
            "container": {"type": "message"}, "message": {"ts": message["ts"]}, "response_url": reply,
            "actions": [{"type": "button", "action_id": action, "block_id": "b", "value": button["value"], "action_ts": "1.1"}],
        });
        signed(&form(&[("payload".to_owned(), payload.to_string())]), at)
    }
}

/// A body that Slack signs at this time.
pub fn signed(body: &str, at: Timestamp) -> Pressed {
    let time = at.as_second().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, format!("v0:{time}:{body}").as_bytes());
    let hex: String = tag
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Pressed {
        headers: vec![
            header("content-type", "application/x-www-form-urlencoded"),
            header("x-slack-request-timestamp", &time),
            header("x-slack-signature", &format!("v0={hex}")),
        ],
        body: body.to_owned(),
    }
}

/// The channel of direct messages with a user; a channel is its own.
fn channel(user: &str) -> String {
    match user.strip_prefix(['U', 'W']) {
        Some(rest) => format!("D{rest}"),
        None => user.to_owned(),
    }
}

fn refused(code: &str) -> Reply {
    Reply::json(200, &json!({"ok": false, "error": code}))
}

impl StandIn for Slack {
    fn handle(&mut self, asked: &Asked, _: Timestamp) -> Reply {
        let body = asked.json();
        if asked.path.starts_with("/actions/") {
            self.replies.push(body);
            return Reply::text(200, "ok");
        }
        let kind = asked.header("content-type").unwrap_or_default();
        if kind != "application/json; charset=utf-8" {
            return refused("missing_charset");
        }
        if asked.bearer() != Some(TOKEN) {
            return refused("invalid_auth");
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        if body["blocks"]
            .as_array()
            .is_none_or(|blocks| blocks.len() > 50)
        {
            return refused("invalid_blocks");
        }
        match asked.path.as_str() {
            "/api/chat.postMessage" => {
                let to = text("channel");
                if body["thread_ts"].is_string() {
                    if !self.messages.contains_key(&(to, text("thread_ts"))) {
                        return refused("thread_not_found");
                    }
                    self.threads.push(body);
                    return Reply::json(200, &json!({"ok": true, "channel": "C", "ts": "1.1"}));
                }
                if !self.users.contains(&to) {
                    return refused("channel_not_found");
                }
                let at = (
                    channel(&to),
                    format!("1700000000.{:06}", self.messages.len()),
                );
                let mut message = body;
                message["ts"] = json!(at.1);
                self.messages.insert(at.clone(), message);
                Reply::json(200, &json!({"ok": true, "channel": at.0, "ts": at.1}))
            }
            "/api/chat.update" => {
                let at = (text("channel"), text("ts"));
                match self.messages.get_mut(&at) {
                    Some(message) => {
                        *message = body;
                        Reply::json(200, &json!({"ok": true, "channel": at.0, "ts": at.1}))
                    }
                    None => refused("message_not_found"),
                }
            }
            _ => refused("unknown_method"),
        }
    }
}
