//! Chats over HTTP: Slack's Web API, the addresses Slack gives for replies, and webhooks of Teams.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{
    Asked, ChatPlace, Question, SlackUser,
    room::{Due, Notice, Said},
    slack::{self, Message},
    teams,
};
use crate::{
    approval::{
        port::{Chat, Mail, Mailer, Press},
        request::Record,
    },
    port::{PortError, SecretStore},
    provider::{Answer, Call, Http, Payload, SendError},
    secret::{Secret, SecretRef},
};

/// Nobody waits for a chat: the mail is there.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Slack shows an error to whoever pressed a button after three seconds.
const REPLY_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Errors of Slack after which it "may have succeeded", as its documentation says.
const UNSURE: [&str; 4] = [
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
];
/// Where Slack's replies go.
const HOOKS: &str = "https://hooks.slack.com/";

/// The chats of an install.
#[derive(Debug)]
pub struct Chats<H, S> {
    /// HTTP.
    pub http: H,
    /// Where tokens lie.
    pub secrets: S,
    /// Bot token of the Slack app; without it nobody is asked there.
    pub slack_token: Option<SecretRef>,
    /// Signing secret of the Slack app; without it no press is taken.
    pub slack_secret: Option<SecretRef>,
    /// `https://slack.com/api`.
    pub slack_api: String,
}

/// A call of Slack that did not succeed.
struct Failed {
    error: PortError,
    /// It may have been carried out.
    unsure: bool,
}

impl From<Failed> for PortError {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

/// Certainly nothing was done.
impl From<PortError> for Failed {
    fn from(error: PortError) -> Self {
        let unsure = false;
        Self { error, unsure }
    }
}

impl<H: Http, S: SecretStore> Chat for Chats<H, S> {
    async fn ask(&self, question: &Question<'_>) -> Asked {
        let people = &question.record.rule.people;
        let Some(person) = people.get(&question.recipient.person) else {
            return Asked::default();
        };
        let card = match (&person.teams, question.page) {
            (Some(webhook), Some(page)) => {
                let card = teams::question(question, page.reveal());
                self.post_card(webhook, card).await
            }
            _ => Ok(()),
        };
        let place = match (&person.slack, &self.slack_token) {
            (Some(user), Some(token)) => self.put(question, user, token).await.map(Some),
            _ => Ok(None),
        };
        match place {
            Ok(place) => Asked {
                place,
                failed: card.err(),
            },
            Err(error) => Asked {
                place: None,
                failed: Some(error),
            },
        }
    }

    async fn tell(&self, notice: &Notice<'_>) -> Result<Said, PortError> {
        let Some(token) = &self.slack_token else {
            return Ok(Said::Nowhere);
        };
        match self.said(notice, token).await {
            Ok(place) => Ok(Said::At(place)),
            Err(Failed {
                error,
                unsure: true,
            }) => Ok(Said::Unsure(error)),
            Err(failed) => Err(failed.error),
        }
    }

    async fn rewrite(
        &self,
        place: &ChatPlace,
        record: &Record,
        zone: &TimeZone,
    ) -> Result<(), PortError> {
        let Some(token) = &self.slack_token else {
            return Ok(());
        };
        let message = slack::outcome(record, zone);
        Ok(self.update(place, token, &message).await?)
    }
}

impl<H: Http, S: SecretStore> Press for Chats<H, S> {
    async fn signing_secret(&self) -> Result<Option<Secret>, PortError> {
        match &self.slack_secret {
            Some(at) => self.secrets.read(at).await.map(Some),
            None => Ok(None),
        }
    }

    async fn reply(&self, to: &Secret, message: &Message, private: bool) -> Result<(), PortError> {
        let what = "replying in Slack";
        let local = ["http://127.0.0.1:", "http://localhost:"];
        let own = local.iter().any(|host| self.slack_api.starts_with(host));
        let origin = self.slack_api.trim_end_matches("/api");
        let known = to.reveal().starts_with(HOOKS) || own && to.reveal().starts_with(origin);
        if !known {
            let message = "the address for replies is none of Slack's".to_owned();
            let what = what.to_owned();
            return Err(PortError::Invalid { what, message });
        }
        let body = json!({
            "text": message.text, "blocks": message.blocks, "unfurl_links": false, "unfurl_media": false,
            "replace_original": !private,
            "response_type": if private { "ephemeral" } else { "in_channel" },
        });
        let call = Call::post(what, to.reveal().clone(), Payload::Json(body)).hiding(to);
        let answer = self.http.send(&call, REPLY_TIMEOUT).await;
        good(what, answer.map_err(|error| lost(what, error))?).map(drop)
    }
}

impl<H: Http, S: SecretStore> Chats<H, S> {
    /// The question to one person: anew, in its own place, or a reminder under it.
    async fn put(
        &self,
        question: &Question<'_>,
        user: &SlackUser,
        token: &SecretRef,
    ) -> Result<ChatPlace, PortError> {
        let Some(place) = &question.recipient.chat else {
            let to = json!({"channel": user.as_str()});
            let message = slack::question(question);
            return Ok(self.post(token, to, &message).await?);
        };
        if question.again {
            let reminder = slack::reminder(question.record, question.zone);
            self.under(place, token, &reminder).await?;
        } else {
            let message = slack::question(question);
            self.update(place, token, &message).await?;
        }
        Ok(place.clone())
    }

    async fn said(&self, notice: &Notice<'_>, token: &SecretRef) -> Result<ChatPlace, Failed> {
        let Notice {
            record, room, zone, ..
        } = *notice;
        let question = || slack::in_channel(record, zone, notice.now);
        let Some(place) = &room.place else {
            let to = json!({"channel": room.channel.as_str()});
            return self.post(token, to, &question()).await;
        };
        match notice.due {
            Due::Reminder(_) => {
                let message = slack::reminder(record, zone);
                self.under(place, token, &message).await?;
            }
            Due::Escalation(_) => {
                let message = slack::escalation(record, zone);
                self.under(place, token, &message).await?;
            }
            Due::Question | Due::Rewrite | Due::Outcome => {
                self.update(place, token, &question()).await?;
            }
        }
        Ok(place.clone())
    }

    async fn post(
        &self,
        token: &SecretRef,
        to: Value,
        message: &Message,
    ) -> Result<ChatPlace, Failed> {
        let said = self.slack("chat.postMessage", token, to, message).await?;
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        Ok(ChatPlace {
            channel: text("channel"),
            at: text("ts"),
        })
    }

    /// In the thread of a message, and shown beside it.
    async fn under(
        &self,
        place: &ChatPlace,
        token: &SecretRef,
        message: &Message,
    ) -> Result<(), Failed> {
        let at = json!({"channel": place.channel, "thread_ts": place.at, "reply_broadcast": true});
        self.post(token, at, message).await.map(drop)
    }

    async fn update(
        &self,
        place: &ChatPlace,
        token: &SecretRef,
        message: &Message,
    ) -> Result<(), Failed> {
        let at = json!({"channel": place.channel, "ts": place.at});
        self.slack("chat.update", token, at, message)
            .await
            .map(drop)
    }

    /// One call of the Web API, which says in the body what went wrong.
    async fn slack(
        &self,
        method: &'static str,
        token: &SecretRef,
        mut body: Value,
        message: &Message,
    ) -> Result<Value, Failed> {
        let token = self.secrets.read(token).await?;
        body["text"] = json!(message.text);
        body["blocks"] = message.blocks.clone();
        if method == "chat.postMessage" {
            // Slack would open the link to make a preview of it.
            body["unfurl_links"] = json!(false);
            body["unfurl_media"] = json!(false);
        }
        let payload = Payload::Bytes {
            content_type: "application/json; charset=utf-8".to_owned(),
            bytes: body.to_string().into_bytes(),
        };
        let url = format!("{}/{method}", self.slack_api);
        let call = Call::post(method, url, payload).bearer(&token);
        let sent = self.http.send(&call, TIMEOUT).await;
        let answer = sent.map_err(|error| Failed {
            unsure: matches!(error, SendError::Lost(_)),
            error: lost(method, error),
        })?;
        let unsure = answer.status >= 500;
        let answer = good(method, answer).map_err(|error| Failed { error, unsure })?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if said["ok"] == true {
            return Ok(said);
        }
        let code = said["error"].as_str().unwrap_or("no answer in JSON");
        let plain = |c: &char| c.is_ascii_alphanumeric() || " _-".contains(*c);
        Err(Failed {
            unsure: said["error"].is_null() || UNSURE.contains(&code),
            error: PortError::Invalid {
                what: format!("Slack's {method}"),
                message: code.chars().filter(plain).take(80).collect(),
            },
        })
    }

    async fn post_card(&self, webhook: &SecretRef, card: Value) -> Result<(), PortError> {
        let what = "the message in Teams";
        let url = self.secrets.read(webhook).await?;
        let local = url.reveal().starts_with("http://127.0.0.1:");
        if !local && !url.reveal().starts_with("https://") {
            let message = format!("{webhook} is no https address");
            let what = what.to_owned();
            return Err(PortError::Invalid { what, message });
        }
        let call = Call::post(what, url.reveal().clone(), Payload::Json(card)).hiding(&url);
        let sent = self.http.send(&call, TIMEOUT).await;
        good(what, sent.map_err(|error| lost(what, error))?).map(drop)
    }
}

fn lost(what: &str, error: SendError) -> PortError {
    PortError::Unavailable {
        what: what.to_owned(),
        source: Some(Box::new(error)),
    }
}

/// Nothing of the answer's body is told: it may repeat the address.
fn good(what: &str, answer: Answer) -> Result<Answer, PortError> {
    match answer.status {
        200..300 => Ok(answer),
        status => Err(PortError::of_answer(what, status, "", "")),
    }
}

/// Mail, and chats beside it.
#[derive(Debug)]
pub struct Post<M, C> {
    /// Mail.
    pub mail: M,
    /// Chats.
    pub chat: C,
}

impl<M: Mailer, C: Send + Sync> Mailer for Post<M, C> {
    async fn send(&self, mail: &Mail) -> Result<(), PortError> {
        self.mail.send(mail).await
    }
}

impl<M: Send + Sync, C: Chat> Chat for Post<M, C> {
    async fn ask(&self, question: &Question<'_>) -> Asked {
        self.chat.ask(question).await
    }

    async fn tell(&self, notice: &Notice<'_>) -> Result<Said, PortError> {
        self.chat.tell(notice).await
    }

    async fn rewrite(
        &self,
        place: &ChatPlace,
        record: &Record,
        zone: &TimeZone,
    ) -> Result<(), PortError> {
        self.chat.rewrite(place, record, zone).await
    }
}
