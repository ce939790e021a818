//! Brings one message to one subscriber, with SNS's shapes and retries.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Message, Subscription, TopicSettings};
use crate::{
    clock::Busy,
    lambda::{CallContext, InvokeError},
    mail::Mail,
};

/// SNS's default delivery policy for HTTP: this often again, this far apart.
const HTTP_RETRIES: u32 = 3;
const HTTP_RETRY_DELAY: Duration = Duration::from_secs(20);
/// SNS gives an HTTP receiver this long.
const HTTP_TIMEOUT: Duration = Duration::from_secs(15);
const SENDER: &str = "sns@stagewright.localhost";

/// A message on its way.
pub(super) struct Published {
    pub id: String,
    pub topic: String,
    pub at: Timestamp,
    pub message: Message,
}

/// Delivers in the background.
pub(super) fn start(settings: TopicSettings, to: Subscription, message: Arc<Published>) {
    // A fast clock must not jump before the delivery has begun.
    let busy = settings.clock.busy();
    tokio::spawn(async move {
        if let Err(problem) = deliver(&settings, &to, &message, busy).await {
            let (topic, protocol) = (&message.topic, &to.protocol);
            settings.logs.notice(format!(
                "a message to {topic} did not reach its {protocol} subscription: {problem}"
            ));
        }
    });
}

/// Asks a new receiver to confirm.
pub(super) fn ask(settings: &TopicSettings, to: &Subscription, token: &str) {
    let url = format!(
        "{}/_stagewright/sns?Action=ConfirmSubscription&TopicArn={}&Token={token}",
        settings.base_url, to.topic
    );
    let text = format!(
        "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, visit the SubscribeURL included in this message.",
        to.topic
    );
    if to.protocol.starts_with("email") {
        let mail = Mail {
            from: SENDER.to_owned(),
            to: vec![to.endpoint.clone()],
            subject: "Subscription Confirmation".to_owned(),
            text: Some(format!("{text}\n\nSubscribeURL: {url}\n")),
            html: None,
        };
        if let Err(error) = settings.mail.deliver(mail) {
            tracing::warn!(%error, "a subscription could not be confirmed");
        }
        return;
    }
    let id = uuid::Uuid::new_v4().to_string();
    let body = json!({
        "Type": "SubscriptionConfirmation",
        "MessageId": id,
        "Token": token,
        "TopicArn": to.topic,
        "Message": text,
        "SubscribeURL": url,
        "Timestamp": stamp(settings.clock.now()),
        "SignatureVersion": "1",
        "Signature": "",
        "SigningCertURL": "",
    });
    let (settings, to) = (settings.clone(), to.clone());
    tokio::spawn(async move {
        let sent = post(
            &settings,
            &to,
            "SubscriptionConfirmation",
            &id,
            body.to_string(),
        )
        .await;
        if let Err(problem) = sent {
            tracing::warn!(
                topic = to.topic,
                problem,
                "a receiver was not asked to confirm"
            );
        }
    });
}

async fn deliver(
    settings: &TopicSettings,
    to: &Subscription,
    message: &Published,
    busy: Busy,
) -> Result<(), String> {
    match to.protocol.as_str() {
        "lambda" => {
            let event = Bytes::from(lambda_event(settings, to, message).to_string());
            let call = settings
                .lambda
                .invoke_async(&to.endpoint, event, CallContext::default());
            drop(busy);
            // The host tells itself when the function fails.
            match call.await {
                Ok(_) | Err(InvokeError::Stopped(_)) => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        }
        "http" | "https" => {
            let body = if to.is_raw() {
                message.body_for(&to.protocol).to_owned()
            } else {
                http_body(settings, to, message).to_string()
            };
            drop(busy);
            post(settings, to, "Notification", &message.id, body).await
        }
        "email" | "email-json" => {
            let subject = message.message.subject.clone();
            let text = if to.protocol == "email" {
                message.body_for("email").to_owned()
            } else {
                http_body(settings, to, message).to_string()
            };
            let mail = Mail {
                from: SENDER.to_owned(),
                to: vec![to.endpoint.clone()],
                subject: subject.unwrap_or_else(|| "AWS Notification Message".to_owned()),
                text: Some(text),
                html: None,
            };
            settings
                .mail
                .deliver(mail)
                .map(|_| ())
                .map_err(|error| error.to_string())
        }
        other => Err(format!("the protocol {other} is not built")),
    }
}

impl Published {
    fn body_for(&self, protocol: &str) -> &str {
        let own = self.message.by_protocol.get(protocol);
        own.unwrap_or(&self.message.body)
    }

    fn attributes(&self) -> Value {
        let one = |(name, a): (&String, &super::MessageAttribute)| {
            (name.clone(), json!({"Type": a.data_type, "Value": a.value}))
        };
        Value::Object(self.message.attributes.iter().map(one).collect())
    }
}

/// The event of a Lambda subscription; messages are not signed here.
fn lambda_event(settings: &TopicSettings, to: &Subscription, message: &Published) -> Value {
    json!({"Records": [{
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": to.arn,
        "Sns": {
            "Type": "Notification",
            "MessageId": message.id,
            "TopicArn": message.topic,
            "Subject": message.message.subject,
            "Message": message.body_for("lambda"),
            "Timestamp": stamp(message.at),
            "SignatureVersion": "1",
            "Signature": "",
            "SigningCertUrl": "",
            "UnsubscribeUrl": unsubscribe_url(settings, to),
            "MessageAttributes": message.attributes(),
        },
    }]})
}

/// The envelope of HTTP and e-mail-json receivers.
fn http_body(settings: &TopicSettings, to: &Subscription, message: &Published) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("Type", json!("Notification"));
    put("MessageId", json!(message.id));
    put("TopicArn", json!(message.topic));
    if let Some(subject) = &message.message.subject {
        put("Subject", json!(subject));
    }
    put("Message", json!(message.body_for(&to.protocol)));
    put("Timestamp", json!(stamp(message.at)));
    put("SignatureVersion", json!("1"));
    put("Signature", json!(""));
    put("SigningCertURL", json!(""));
    put("UnsubscribeURL", json!(unsubscribe_url(settings, to)));
    if !message.message.attributes.is_empty() {
        put("MessageAttributes", message.attributes());
    }
    Value::Object(body)
}

async fn post(
    settings: &TopicSettings,
    to: &Subscription,
    kind: &str,
    message_id: &str,
    body: String,
) -> Result<(), String> {
    // Already there when another client of this program was made first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(HTTP_TIMEOUT).build();
    let client = client.map_err(|error| error.to_string())?;
    for attempt in 0.. {
        let mut request = client
            .post(&to.endpoint)
            .header("content-type", "text/plain; charset=UTF-8")
            .header("user-agent", "Amazon Simple Notification Service Agent")
            .header("x-amz-sns-message-type", kind)
            .header("x-amz-sns-message-id", message_id)
            .header("x-amz-sns-topic-arn", &to.topic)
            .body(body.clone());
        if kind == "Notification" {
            request = request.header("x-amz-sns-subscription-arn", &to.arn);
        }
        if to.is_raw() {
            request = request.header("x-amz-sns-rawdelivery", "true");
        }
        let busy = settings.clock.busy();
        let problem = match request.send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => {
                let status = answer.status();
                if status.is_client_error() && status.as_u16() != 429 {
                    return Err(format!("the receiver answered {status}"));
                }
                format!("the receiver answered {status}")
            }
            Err(error) => error.without_url().to_string(),
        };
        drop(busy);
        if attempt == HTTP_RETRIES {
            return Err(problem);
        }
        settings.clock.sleep(HTTP_RETRY_DELAY).await;
    }
    Ok(())
}

fn unsubscribe_url(settings: &TopicSettings, to: &Subscription) -> String {
    format!(
        "{}/_stagewright/sns?Action=Unsubscribe&SubscriptionArn={}",
        settings.base_url, to.arn
    )
}

fn stamp(at: Timestamp) -> String {
    format!("{at:.3}")
}
