//! In-memory ports. Clones share one state, so that a test keeps a handle on what it gave away.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use md5::{Digest, Md5};
use shared::{
    id::{BucketName, ObjectKey},
    job::{ArtifactCredentials, ArtifactRef},
    port::{
        Artifacts, CacheInvalidator, Listed, PageAnswer, PageFetcher, PortError, SiteBucket,
        SiteHeaders, Topic,
    },
};

mod hosting;
mod ledger;
mod resume;

pub use hosting::{MemoryFiles, MemoryJobs, MemoryReporter, MemorySecrets, MemoryTokens, place};
pub use ledger::MemoryLedger;
pub use resume::MemoryResume;

type Shared<S> = Arc<Mutex<S>>;

fn lock<S>(state: &Shared<S>) -> MutexGuard<'_, S> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_found(what: impl Into<String>) -> PortError {
    PortError::NotFound { what: what.into() }
}

fn file_error(source: std::io::Error) -> PortError {
    PortError::Unavailable {
        what: "the file system".to_owned(),
        source: Some(source.into()),
    }
}

/// The artifact store.
#[derive(Debug, Clone, Default)]
pub struct MemoryArtifacts(Shared<BTreeMap<(String, String), Vec<u8>>>);

impl MemoryArtifacts {
    /// Stores bytes.
    pub fn set(&self, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) {
        lock(&self.0).insert((bucket.to_owned(), key.to_owned()), bytes.into());
    }

    /// The bytes stored.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        lock(&self.0)
            .get(&(bucket.to_owned(), key.to_owned()))
            .cloned()
    }
}

impl Artifacts for MemoryArtifacts {
    async fn download(
        &self,
        _credentials: Option<&ArtifactCredentials>,
        artifact: &ArtifactRef,
        to: &Path,
        limit: u64,
    ) -> Result<u64, PortError> {
        let bytes = self
            .get(artifact.bucket.as_str(), artifact.key.as_str())
            .ok_or_else(|| not_found(format!("the artifact {}", artifact.name)))?;
        let size = bytes.len() as u64;
        if size > limit {
            return Err(PortError::Invalid {
                what: format!("the artifact {}", artifact.name),
                message: format!("it has {size} bytes, more than {limit}"),
            });
        }
        fs::write(to, bytes).map_err(file_error)?;
        Ok(size)
    }

    async fn upload(
        &self,
        _credentials: Option<&ArtifactCredentials>,
        artifact: &ArtifactRef,
        _encryption_key: Option<&str>,
        from: &Path,
    ) -> Result<(), PortError> {
        let bytes = fs::read(from).map_err(file_error)?;
        self.set(artifact.bucket.as_str(), artifact.key.as_str(), bytes);
        Ok(())
    }
}

/// One object of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteObject {
    /// Its headers.
    pub headers: SiteHeaders,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A site's bucket.
#[derive(Debug, Clone, Default)]
pub struct MemorySite(Shared<BTreeMap<(String, String), SiteObject>>);

impl MemorySite {
    /// The objects of one bucket, by key.
    pub fn objects(&self, bucket: &str) -> BTreeMap<String, SiteObject> {
        lock(&self.0)
            .iter()
            .filter(|((of, _), _)| of == bucket)
            .map(|((_, key), object)| (key.clone(), object.clone()))
            .collect()
    }

    /// Puts an object as if it had always been there.
    pub fn set(&self, bucket: &str, key: &str, headers: SiteHeaders, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        lock(&self.0).insert(
            (bucket.to_owned(), key.to_owned()),
            SiteObject { headers, bytes },
        );
    }
}

impl SiteBucket for MemorySite {
    async fn list(&self, bucket: &BucketName, prefix: &str) -> Result<Vec<Listed>, PortError> {
        self.objects(bucket.as_str())
            .into_iter()
            .filter(|(key, _)| key.starts_with(prefix))
            .map(|(key, object)| {
                Ok(Listed {
                    key: key.try_into().map_err(|error| PortError::Invalid {
                        what: "a key".to_owned(),
                        message: format!("{error}"),
                    })?,
                    etag: hex::encode(Md5::digest(&object.bytes)),
                    size: object.bytes.len() as u64,
                })
            })
            .collect()
    }
    async fn head(&self, bucket: &BucketName, key: &ObjectKey) -> Result<SiteHeaders, PortError> {
        self.objects(bucket.as_str())
            .remove(key.as_str())
            .map(|object| object.headers)
            .ok_or_else(|| not_found(key.as_str()))
    }
    async fn put(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        headers: &SiteHeaders,
        from: &Path,
    ) -> Result<(), PortError> {
        let bytes = fs::read(from).map_err(file_error)?;
        self.set(bucket.as_str(), key.as_str(), headers.clone(), bytes);
        Ok(())
    }
    async fn delete(&self, bucket: &BucketName, keys: &[ObjectKey]) -> Result<(), PortError> {
        let mut objects = lock(&self.0);
        for key in keys {
            objects.remove(&(bucket.to_string(), key.to_string()));
        }
        Ok(())
    }
}

/// One invalidation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalidation {
    /// Of which distribution.
    pub distribution: String,
    /// Which paths.
    pub paths: Vec<String>,
    /// What makes a repeat harmless.
    pub caller_reference: String,
}

/// A CDN that keeps what it was told; one caller reference is one invalidation.
#[derive(Debug, Clone, Default)]
pub struct MemoryInvalidator(Shared<Vec<Invalidation>>);

impl MemoryInvalidator {
    /// All invalidations.
    pub fn all(&self) -> Vec<Invalidation> {
        lock(&self.0).clone()
    }
}

impl CacheInvalidator for MemoryInvalidator {
    async fn invalidate(
        &self,
        distribution: &str,
        paths: &[String],
        caller_reference: &str,
    ) -> Result<String, PortError> {
        let wanted = Invalidation {
            distribution: distribution.to_owned(),
            paths: paths.to_vec(),
            caller_reference: caller_reference.to_owned(),
        };
        let mut all = lock(&self.0);
        let known = all.iter().position(|one| {
            one.distribution == wanted.distribution
                && one.caller_reference == wanted.caller_reference
        });
        let index = match known {
            Some(index) if all[index] == wanted => index,
            Some(_) => {
                return Err(PortError::Conflict {
                    what: "the caller reference was used with other paths".to_owned(),
                });
            }
            None => {
                all.push(wanted);
                all.len() - 1
            }
        };
        Ok(format!("I{index}"))
    }
}

/// How a page answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// With this status and body.
    Answers(u16, Vec<u8>),
    /// Not at all.
    Down,
}

impl Page {
    /// 200 with a text.
    pub fn ok(body: &str) -> Self {
        Self::Answers(200, body.as_bytes().to_vec())
    }
}

/// The web: addresses with the answers of one get after the other; the last one stays. What is not set is down.
#[derive(Debug, Clone, Default)]
pub struct MemoryPages(Shared<HashMap<String, VecDeque<Page>>>);

impl MemoryPages {
    /// Sets an address's answers.
    pub fn set(&self, url: &str, answers: impl IntoIterator<Item = Page>) {
        lock(&self.0).insert(url.to_owned(), answers.into_iter().collect());
    }
}

impl PageFetcher for MemoryPages {
    async fn get(
        &self,
        url: &str,
        _timeout: Duration,
        body_limit: usize,
    ) -> Result<PageAnswer, PortError> {
        let mut pages = lock(&self.0);
        let answers = pages.entry(url.to_owned()).or_default();
        let page = match answers.len() {
            0 | 1 => answers.front().cloned(),
            _ => answers.pop_front(),
        };
        match page {
            Some(Page::Answers(status, mut body)) => {
                body.truncate(body_limit);
                Ok(PageAnswer {
                    status,
                    body,
                    took: Duration::from_millis(5),
                })
            }
            Some(Page::Down) | None => Err(PortError::Unavailable {
                what: url.to_owned(),
                source: None,
            }),
        }
    }
}

/// One message on a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Which topic.
    pub topic: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub message: String,
}

/// SNS.
#[derive(Debug, Clone, Default)]
pub struct MemoryTopic(Shared<Vec<Published>>);

impl MemoryTopic {
    /// Publishes without a port's ways: for actions that count their steps.
    pub fn publish_now(&self, topic: &str, message: &str) {
        lock(&self.0).push(Published {
            topic: topic.to_owned(),
            subject: String::new(),
            message: message.to_owned(),
        });
    }

    /// All messages.
    pub fn published(&self) -> Vec<Published> {
        lock(&self.0).clone()
    }
}

impl Topic for MemoryTopic {
    async fn publish(&self, topic: &str, subject: &str, message: &str) -> Result<(), PortError> {
        lock(&self.0).push(Published {
            topic: topic.to_owned(),
            subject: subject.to_owned(),
            message: message.to_owned(),
        });
        Ok(())
    }
}
