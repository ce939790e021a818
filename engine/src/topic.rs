//! SNS topics: subscriptions, filter policies, delivery. Topics and subscriptions survive a restart; a delivery under way does not.

mod check;
mod deliver;
mod filter;
mod subscription;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use self::check::{check_message, check_name, check_subscription, invalid, no_topic};
pub use self::subscription::{Message, MessageAttribute, Subscription};
use crate::{
    clock::Clock, config::Config, lambda::LambdaHost, logs::Logs, mail::MailSink,
    vault::write_private,
};

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
    /// People are told here what was not delivered.
    pub logs: Logs,
    /// E-mail subscriptions.
    pub mail: MailSink,
    /// Base of SubscribeURL and UnsubscribeURL.
    pub base_url: Arc<str>,
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
            let mut subscription = Subscription::new(topic, protocol, endpoint);
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
                        Subscription::new(&arn, &wanted.protocol, &wanted.endpoint)
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

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
