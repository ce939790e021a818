//! SNS topics: subscriptions, filter policies, delivery. Topics and subscriptions survive a restart; a delivery under way does not.

mod deliver;
mod filter;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Clock, config::Config, lambda::LambdaHost, mail::MailSink, vault::write_private,
};

/// SNS's limit of a message with its attributes.
const MESSAGE_LIMIT: usize = 256 * 1024;
/// SNS's limit of a subject.
const SUBJECT_LIMIT: usize = 100;

/// All topics; clones share them.
#[derive(Clone)]
pub struct Topics {
    inner: Arc<Inner>,
}

/// What deliveries need.
#[derive(Clone)]
pub struct TopicSettings {
    /// Account, region and configured topics.
    pub config: Arc<Config>,
    /// Timestamps and retry delays.
    pub clock: Clock,
    /// Lambda subscriptions.
    pub lambda: LambdaHost,
    /// E-mail subscriptions.
    pub mail: MailSink,
    /// Base of SubscribeURL and UnsubscribeURL.
    pub base_url: Arc<str>,
}

/// One message attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageAttribute {
    /// `String`, `Number`, `String.Array`, `Binary`.
    pub data_type: String,
    /// Its value (base64 for `Binary`).
    pub value: String,
}

/// One message to publish. Bodies may hold approval tokens: it has no `Debug` text of them.
#[derive(Clone, Default)]
pub struct Message {
    /// At most 100 characters.
    pub subject: Option<String>,
    /// At most 256 KB.
    pub body: String,
    /// Other bodies by protocol (`MessageStructure: json`).
    pub by_protocol: BTreeMap<String, String>,
    /// For filter policies and receivers.
    pub attributes: BTreeMap<String, MessageAttribute>,
}

/// One subscription.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// `TOPIC-ARN:UUID`.
    pub arn: String,
    /// The topic's ARN.
    pub topic: String,
    /// `lambda`, `http`, `https`, `email`, `email-json`.
    pub protocol: String,
    /// Function name or ARN, URL, address.
    pub endpoint: String,
    /// `RawMessageDelivery`, `FilterPolicy`, `FilterPolicyScope`.
    pub attributes: BTreeMap<String, String>,
    /// Set until the receiver has confirmed.
    token: Option<String>,
    /// Comes from `stagewright.toml` and goes with it.
    configured: bool,
}

/// A refused SNS request, with SNS's own code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct TopicError {
    /// `NotFound`, `InvalidParameter`, ….
    pub code: &'static str,
    /// SNS's sentence.
    pub message: String,
}

struct Inner {
    file: PathBuf,
    settings: TopicSettings,
    kept: Mutex<Kept>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Kept {
    /// By ARN.
    topics: BTreeMap<String, Topic>,
    /// By ARN.
    subscriptions: BTreeMap<String, Subscription>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Topic {
    attributes: BTreeMap<String, String>,
}

impl Topics {
    /// Opens the topics kept in `folder` and adds the configured ones.
    ///
    /// # Errors
    /// When the file of topics cannot be read or written, or a configured subscription is refused.
    pub fn open(folder: &Path, settings: TopicSettings) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = folder.join("topics.json");
        let kept = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let text = format!("{} is not a file of topics: {error}", file.display());
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(error),
        };
        let topics = Self {
            inner: Arc::new(Inner {
                file,
                settings,
                kept: Mutex::new(kept),
            }),
        };
        topics.configure().map_err(io::Error::other)?;
        Ok(topics)
    }

    /// The ARN a topic of this name has here.
    pub fn arn(&self, name: &str) -> String {
        let engine = &self.inner.settings.config.engine;
        format!("arn:aws:sns:{}:{}:{name}", engine.region, engine.account)
    }

    /// Makes a topic, or answers the ARN of the one that is there.
    ///
    /// # Errors
    /// `InvalidParameter` for a bad name.
    pub fn create(
        &self,
        name: &str,
        attributes: BTreeMap<String, String>,
    ) -> Result<String, TopicError> {
        check_name(name)?;
        let arn = self.arn(name);
        if !self.lock().topics.contains_key(&arn) {
            self.change(|kept| {
                kept.topics
                    .entry(arn.clone())
                    .or_default()
                    .attributes
                    .extend(attributes);
                Ok(())
            })?;
        }
        Ok(arn)
    }

    /// Deletes a topic and its subscriptions; one that is not there is deleted already.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn delete(&self, topic: &str) -> Result<(), TopicError> {
        self.change(|kept| {
            kept.topics.remove(topic);
            kept.subscriptions.retain(|_, s| s.topic != topic);
            Ok(())
        })
    }

    /// ARNs of all topics.
    pub fn topics(&self) -> Vec<String> {
        self.lock().topics.keys().cloned().collect()
    }

    /// Attributes of a topic as GetTopicAttributes answers them.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn attributes(&self, topic: &str) -> Result<BTreeMap<String, String>, TopicError> {
        let kept = self.lock();
        let mut attributes = kept
            .topics
            .get(topic)
            .ok_or_else(no_topic)?
            .attributes
            .clone();
        let of_it = || kept.subscriptions.values().filter(|s| s.topic == topic);
        let pending = of_it().filter(|s| s.is_pending()).count();
        let confirmed = of_it().count() - pending;
        for (name, value) in [
            ("TopicArn", topic.to_owned()),
            ("Owner", self.inner.settings.config.engine.account.clone()),
            ("SubscriptionsConfirmed", confirmed.to_string()),
            ("SubscriptionsPending", pending.to_string()),
            ("SubscriptionsDeleted", "0".to_owned()),
        ] {
            attributes.insert(name.to_owned(), value);
        }
        Ok(attributes)
    }

    /// Sets one attribute of a topic; they are kept and shown, `Policy` is not enforced.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn set_attribute(&self, topic: &str, name: &str, value: &str) -> Result<(), TopicError> {
        self.change(|kept| {
            let topic = kept.topics.get_mut(topic).ok_or_else(no_topic)?;
            topic.attributes.insert(name.to_owned(), value.to_owned());
            Ok(())
        })
    }

    /// Subscribes; receivers by HTTP and e-mail are asked to confirm.
    ///
    /// # Errors
    /// `NotFound`, `InvalidParameter` (also for protocols that are not built).
    pub fn subscribe(
        &self,
        topic: &str,
        protocol: &str,
        endpoint: &str,
        attributes: BTreeMap<String, String>,
    ) -> Result<Subscription, TopicError> {
        check_subscription(protocol, endpoint, &attributes)?;
        let (subscription, is_new) = self.change(|kept| {
            if !kept.topics.contains_key(topic) {
                return Err(no_topic());
            }
            let same = |s: &&Subscription| {
                s.topic == topic && s.protocol == protocol && s.endpoint == endpoint
            };
            if let Some(known) = kept.subscriptions.values().find(same) {
                return Ok((known.clone(), false));
            }
            let mut subscription = new_subscription(topic, protocol, endpoint);
            subscription.attributes = attributes;
            if protocol != "lambda" {
                subscription.token = Some(uuid::Uuid::new_v4().simple().to_string());
            }
            kept.subscriptions
                .insert(subscription.arn.clone(), subscription.clone());
            Ok((subscription, true))
        })?;
        if is_new && let Some(token) = &subscription.token {
            deliver::ask(&self.inner.settings, &subscription, token);
        }
        Ok(subscription)
    }

    /// Confirms the subscription that was sent this token: its ARN.
    ///
    /// # Errors
    /// `NotFound` for the topic, `InvalidParameter` for the token.
    pub fn confirm(&self, topic: &str, token: &str) -> Result<String, TopicError> {
        self.change(|kept| {
            if !kept.topics.contains_key(topic) {
                return Err(no_topic());
            }
            let waiting = kept
                .subscriptions
                .values_mut()
                .find(|s| s.topic == topic && s.token.as_deref() == Some(token));
            let subscription = waiting.ok_or_else(|| invalid("Invalid token"))?;
            subscription.token = None;
            Ok(subscription.arn.clone())
        })
    }

    /// Ends a subscription; one that is not there has ended already.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn unsubscribe(&self, arn: &str) -> Result<(), TopicError> {
        self.change(|kept| {
            kept.subscriptions.remove(arn);
            Ok(())
        })
    }

    /// Subscriptions of one topic, or all.
    ///
    /// # Errors
    /// `NotFound` for an unknown topic.
    pub fn subscriptions(&self, topic: Option<&str>) -> Result<Vec<Subscription>, TopicError> {
        let kept = self.lock();
        if topic.is_some_and(|t| !kept.topics.contains_key(t)) {
            return Err(no_topic());
        }
        let wanted = |s: &&Subscription| topic.is_none_or(|t| t == s.topic);
        Ok(kept
            .subscriptions
            .values()
            .filter(wanted)
            .cloned()
            .collect())
    }

    /// Sets `RawMessageDelivery`, `FilterPolicy` or `FilterPolicyScope`.
    ///
    /// # Errors
    /// `NotFound`, `InvalidParameter`.
    pub fn set_subscription_attribute(
        &self,
        arn: &str,
        name: &str,
        value: &str,
    ) -> Result<(), TopicError> {
        self.change(|kept| {
            let missing = || TopicError {
                code: "NotFound",
                message: "Subscription does not exist".to_owned(),
            };
            let subscription = kept.subscriptions.get_mut(arn).ok_or_else(missing)?;
            subscription
                .attributes
                .insert(name.to_owned(), value.to_owned());
            check_subscription(
                &subscription.protocol,
                &subscription.endpoint,
                &subscription.attributes,
            )
        })
    }

    /// Publishes to every subscription of the topic and answers the message id; deliveries go on by themselves and
    /// need a tokio runtime.
    ///
    /// # Errors
    /// `NotFound` for an unknown topic, `InvalidParameter` for a message outside SNS's limits.
    pub fn publish(&self, topic_arn: &str, message: Message) -> Result<String, TopicError> {
        check_message(&message)?;
        let receivers = self.subscriptions(Some(topic_arn))?;
        let id = uuid::Uuid::new_v4().to_string();
        let message = Arc::new(deliver::Published {
            id: id.clone(),
            topic: topic_arn.to_owned(),
            at: self.inner.settings.clock.now(),
            message,
        });
        for subscription in receivers {
            if !subscription.is_pending() && subscription.wants(&message.message) {
                deliver::start(
                    self.inner.settings.clone(),
                    subscription,
                    Arc::clone(&message),
                );
            }
        }
        Ok(id)
    }

    /// Adds what the configuration names and drops what it named before.
    fn configure(&self) -> Result<(), TopicError> {
        let config = Arc::clone(&self.inner.settings.config);
        let stale = self.lock().subscriptions.values().any(|s| s.configured);
        if config.topic.is_empty() && !stale {
            return Ok(());
        }
        self.change(|kept| {
            let before: Vec<Subscription> = kept
                .subscriptions
                .values()
                .filter(|s| s.configured)
                .cloned()
                .collect();
            kept.subscriptions.retain(|_, s| !s.configured);
            for (name, topic) in &config.topic {
                check_name(name)?;
                let arn = self.arn(name);
                kept.topics.entry(arn.clone()).or_default();
                for wanted in &topic.subscriptions {
                    check_subscription(&wanted.protocol, &wanted.endpoint, &BTreeMap::new())?;
                    let same = |s: &&Subscription| {
                        s.topic == arn
                            && s.protocol == wanted.protocol
                            && s.endpoint == wanted.endpoint
                    };
                    let mut subscription = before.iter().find(same).cloned().unwrap_or_else(|| {
                        new_subscription(&arn, &wanted.protocol, &wanted.endpoint)
                    });
                    subscription.configured = true;
                    kept.subscriptions
                        .insert(subscription.arn.clone(), subscription);
                }
            }
            Ok(())
        })
    }

    /// Stores before it counts: a change that cannot be written did not happen.
    fn change<R>(
        &self,
        change: impl FnOnce(&mut Kept) -> Result<R, TopicError>,
    ) -> Result<R, TopicError> {
        let mut kept = self.lock();
        let mut next = kept.clone();
        let answer = change(&mut next)?;
        let failed = |error: io::Error| TopicError {
            code: "InternalError",
            message: error.to_string(),
        };
        let bytes = serde_json::to_vec(&next).map_err(|e| failed(e.into()))?;
        write_private(&self.inner.file, &bytes).map_err(failed)?;
        *kept = next;
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        let kept = &self.inner.kept;
        kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// Whether the receiver has not confirmed yet.
    pub const fn is_pending(&self) -> bool {
        self.token.is_some()
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    fn is_raw(&self) -> bool {
        self.attribute("RawMessageDelivery") == Some("true")
    }

    fn wants(&self, message: &Message) -> bool {
        let Some(policy) = self.attribute("FilterPolicy") else {
            return true;
        };
        let by_body = self.attribute("FilterPolicyScope") == Some("MessageBody");
        filter::compile(policy, by_body).is_ok_and(|filter| {
            if by_body {
                filter.wants_body(&message.body)
            } else {
                filter.wants_attributes(&message.attributes)
            }
        })
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").finish_non_exhaustive()
    }
}

fn new_subscription(topic: &str, protocol: &str, endpoint: &str) -> Subscription {
    Subscription {
        arn: format!("{topic}:{}", uuid::Uuid::new_v4()),
        topic: topic.to_owned(),
        protocol: protocol.to_owned(),
        endpoint: endpoint.to_owned(),
        attributes: BTreeMap::new(),
        token: None,
        configured: false,
    }
}

fn check_name(name: &str) -> Result<(), TopicError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.ends_with(".fifo") {
        return Err(invalid(
            "Topic Name: FIFO topics are not built in stagewright",
        ));
    }
    if name.is_empty() || name.len() > 256 || !name.bytes().all(plain) {
        return Err(invalid("Topic Name"));
    }
    Ok(())
}

fn check_subscription(
    protocol: &str,
    endpoint: &str,
    attributes: &BTreeMap<String, String>,
) -> Result<(), TopicError> {
    let fits = match protocol {
        "lambda" => !endpoint.is_empty(),
        "http" => endpoint.starts_with("http://"),
        "https" => endpoint.starts_with("https://"),
        "email" | "email-json" => endpoint.contains('@') && !endpoint.contains(char::is_whitespace),
        other => {
            let text = format!(
                "Protocol {other} is not built in stagewright: lambda, http, https, email and email-json are"
            );
            return Err(invalid(&text));
        }
    };
    if !fits {
        return Err(invalid(&format!(
            "Endpoint does not fit the protocol {protocol}"
        )));
    }
    let by_body = match attributes.get("FilterPolicyScope").map(String::as_str) {
        None | Some("MessageAttributes") => false,
        Some("MessageBody") => true,
        Some(_) => return Err(invalid("FilterPolicyScope: Invalid value")),
    };
    for (name, value) in attributes {
        match name.as_str() {
            "FilterPolicyScope" => {}
            "FilterPolicy" => {
                filter::compile(value, by_body)
                    .map_err(|e| invalid(&format!("FilterPolicy: {e}")))?;
            }
            "RawMessageDelivery" if matches!(value.as_str(), "true" | "false") => {}
            other => {
                return Err(invalid(&format!(
                    "Subscription attribute {other} is not built in stagewright, or its value is wrong"
                )));
            }
        }
    }
    Ok(())
}

fn check_message(message: &Message) -> Result<(), TopicError> {
    let attributes: usize = message
        .attributes
        .iter()
        .map(|(name, a)| name.len() + a.data_type.len() + a.value.len())
        .sum();
    if message.body.is_empty() {
        return Err(invalid("Empty message"));
    }
    if message.body.len() + attributes > MESSAGE_LIMIT {
        return Err(invalid("Message too long"));
    }
    if let Some(subject) = &message.subject {
        let odd = subject.chars().any(char::is_control);
        if subject.is_empty() || subject.chars().count() > SUBJECT_LIMIT || odd {
            return Err(invalid("Subject"));
        }
    }
    Ok(())
}

fn invalid(what: &str) -> TopicError {
    TopicError {
        code: "InvalidParameter",
        message: format!("Invalid parameter: {what}"),
    }
}

fn no_topic() -> TopicError {
    TopicError {
        code: "NotFound",
        message: "Topic does not exist".to_owned(),
    }
}

#[cfg(test)]
mod tests;
