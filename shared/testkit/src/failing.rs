//! A wrapper round any port that fails, loses replies or stops for good, at a chosen call.

use std::{
    fmt,
    future::{Future, pending},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use shared::{
    id::{BucketName, JobId, ObjectKey},
    job::{ArtifactCredentials, ArtifactRef, Report},
    port::{
        Artifacts, CacheInvalidator, JobReporter, Listed, PageAnswer, PageFetcher, PortError,
        SiteBucket, SiteHeaders, Topic,
    },
    provider::{Answer, Call, Http, SendError},
};

mod hosting;
mod resume;

/// What happens at one call. Calls are counted from 0 over all ports that share a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All calls work.
    Work,
    /// This call meets this fate.
    At(usize, Fate),
    /// This call and all later ones fail, until [`Plan::recover`].
    DownFrom(usize),
}

/// What becomes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It works.
    Work,
    /// It fails before it does anything.
    FailBefore,
    /// It is refused as throttled before it does anything, and so is the next call of its name.
    Throttle,
    /// It does its work and its reply is lost.
    FailAfter,
    /// It does its work and never answers.
    Hang,
    /// The process dies before it.
    DieBefore,
    /// The process dies right after it did its work.
    DieAfter,
}

impl Fate {
    /// All that is not well.
    pub const BAD: [Self; 6] = [
        Self::FailBefore,
        Self::Throttle,
        Self::FailAfter,
        Self::Hang,
        Self::DieBefore,
        Self::DieAfter,
    ];
}

/// How a call fails that a plan fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It stays open whether it happened.
    Lost,
    /// It was refused for now.
    Throttled,
}

impl Failure {
    const fn text(self) -> &'static str {
        match self {
            Self::Lost => "planted failure",
            Self::Throttled => "planted throttling",
        }
    }
}

/// Which call goes wrong, and the calls so far. Clones share one state.
#[derive(Debug, Clone)]
pub struct Plan(Arc<Mutex<State>>);

struct State {
    script: Script,
    calls: Vec<&'static str>,
    dead: bool,
    throttled: Option<&'static str>,
    before: Option<(&'static str, Hook)>,
}

type Hook = Box<dyn FnOnce() + Send>;

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("script", &self.script)
            .field("calls", &self.calls)
            .field("dead", &self.dead)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Script {
    Mode(Mode),
    Fates(Vec<Fate>),
}

impl Plan {
    /// Goes wrong as told.
    pub fn new(mode: Mode) -> Self {
        Self::of(Script::Mode(mode))
    }

    /// Each call meets the fate of its number; those after the last one work.
    pub fn scripted(fates: impl IntoIterator<Item = Fate>) -> Self {
        Self::of(Script::Fates(fates.into_iter().collect()))
    }

    /// Names of the calls so far, in order.
    pub fn calls(&self) -> Vec<&'static str> {
        self.with(|state| state.calls.clone())
    }

    /// Whether the process has died; whoever drives must drop its future.
    pub fn is_dead(&self) -> bool {
        self.with(|state| state.dead)
    }

    /// Lambda starts a new process.
    pub fn revive(&self) {
        self.with(|state| state.dead = false);
    }

    /// From now on all works.
    pub fn recover(&self) {
        self.with(|state| {
            state.script = Script::Mode(Mode::Work);
            state.throttled = None;
            state.dead = false;
        });
    }

    /// Does something right before the next call of this name: what somebody else does in between.
    pub fn before(&self, what: &'static str, act: impl FnOnce() + Send + 'static) {
        self.with(|state| state.before = Some((what, Box::new(act))));
    }

    /// Runs a call under the plan: for wrappers of ports that are not in this file.
    pub async fn around<V>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<V, PortError>>,
    ) -> Result<V, PortError> {
        let failed = |how: Failure| {
            Err(PortError::Unavailable {
                what: what.to_owned(),
                source: Some(how.text().into()),
            })
        };
        self.around_with(what, failed, call).await
    }

    /// The same for calls that fail in words of their own.
    pub async fn around_with<V, E>(
        &self,
        what: &'static str,
        failed: impl Fn(Failure) -> Result<V, E>,
        call: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        match self.fate(what) {
            Fate::Work => call.await,
            Fate::FailBefore => failed(Failure::Lost),
            Fate::Throttle => failed(Failure::Throttled),
            Fate::FailAfter => {
                call.await?;
                failed(Failure::Lost)
            }
            Fate::Hang => {
                let _ = call.await;
                pending().await
            }
            Fate::DieBefore => self.die().await,
            Fate::DieAfter => {
                let _ = call.await;
                self.die().await
            }
        }
    }

    fn of(script: Script) -> Self {
        Self(Arc::new(Mutex::new(State {
            script,
            calls: Vec::new(),
            dead: false,
            throttled: None,
            before: None,
        })))
    }

    /// Counts a call and answers its fate: for wrappers whose errors are not a port's.
    pub fn fate(&self, what: &'static str) -> Fate {
        let before = self.with(|state| state.before.take_if(|(name, _)| *name == what));
        if let Some((_, act)) = before {
            act();
        }
        self.with(|state| {
            let index = state.calls.len();
            state.calls.push(what);
            if state.throttled.take_if(|name| *name == what).is_some() {
                return Fate::Throttle;
            }
            let fate = match &state.script {
                Script::Mode(Mode::At(at, fate)) if *at == index => *fate,
                Script::Mode(Mode::DownFrom(at)) if *at <= index => Fate::FailBefore,
                Script::Mode(_) => Fate::Work,
                Script::Fates(fates) => fates.get(index).copied().unwrap_or(Fate::Work),
            };
            state.throttled = (fate == Fate::Throttle).then_some(what);
            fate
        })
    }

    async fn die<V>(&self) -> V {
        self.with(|state| state.dead = true);
        pending().await
    }

    fn with<V>(&self, act: impl FnOnce(&mut State) -> V) -> V {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A port under a plan.
#[derive(Debug, Clone)]
pub struct Failing<P> {
    /// The port itself, for arranging and looking without failures.
    pub inner: P,
    /// What goes wrong.
    pub plan: Plan,
}

impl<P> Failing<P> {
    /// Wraps a port.
    pub fn new(inner: P, plan: &Plan) -> Self {
        Self {
            inner,
            plan: plan.clone(),
        }
    }
}

impl<P: JobReporter> JobReporter for Failing<P> {
    async fn report(&self, job: &JobId, report: &Report) -> Result<(), PortError> {
        let call = self.inner.report(job, report);
        self.plan.around("report", call).await
    }
}

impl<P: Artifacts> Artifacts for Failing<P> {
    async fn download(
        &self,
        credentials: Option<&ArtifactCredentials>,
        artifact: &ArtifactRef,
        to: &Path,
        limit: u64,
    ) -> Result<u64, PortError> {
        let call = self.inner.download(credentials, artifact, to, limit);
        self.plan.around("artifact download", call).await
    }
    async fn upload(
        &self,
        credentials: Option<&ArtifactCredentials>,
        artifact: &ArtifactRef,
        encryption_key: Option<&str>,
        from: &Path,
    ) -> Result<(), PortError> {
        let call = self
            .inner
            .upload(credentials, artifact, encryption_key, from);
        self.plan.around("artifact upload", call).await
    }
}

impl<P: SiteBucket> SiteBucket for Failing<P> {
    async fn list(&self, bucket: &BucketName, prefix: &str) -> Result<Vec<Listed>, PortError> {
        let call = self.inner.list(bucket, prefix);
        self.plan.around("site list", call).await
    }
    async fn head(&self, bucket: &BucketName, key: &ObjectKey) -> Result<SiteHeaders, PortError> {
        let call = self.inner.head(bucket, key);
        self.plan.around("site head", call).await
    }
    async fn put(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        headers: &SiteHeaders,
        from: &Path,
    ) -> Result<(), PortError> {
        let call = self.inner.put(bucket, key, headers, from);
        self.plan.around("site put", call).await
    }
    async fn delete(&self, bucket: &BucketName, keys: &[ObjectKey]) -> Result<(), PortError> {
        let call = self.inner.delete(bucket, keys);
        self.plan.around("site delete", call).await
    }
}

impl<P: CacheInvalidator> CacheInvalidator for Failing<P> {
    async fn invalidate(
        &self,
        distribution: &str,
        paths: &[String],
        caller_reference: &str,
    ) -> Result<String, PortError> {
        let call = self.inner.invalidate(distribution, paths, caller_reference);
        self.plan.around("invalidate", call).await
    }
}

impl<P: PageFetcher> PageFetcher for Failing<P> {
    async fn get(
        &self,
        url: &str,
        timeout: Duration,
        body_limit: usize,
    ) -> Result<PageAnswer, PortError> {
        let call = self.inner.get(url, timeout, body_limit);
        self.plan.around("page get", call).await
    }
}

impl<P: Http> Http for Failing<P> {
    async fn send(&self, call: &Call, timeout: Duration) -> Result<Answer, SendError> {
        let failed = |how: Failure| match how {
            Failure::Lost => Err(SendError::Lost(how.text().into())),
            Failure::Throttled => Ok(Answer::new(429, Vec::new(), Vec::new())),
        };
        let sent = self.inner.send(call, timeout);
        self.plan.around_with(call.what, failed, sent).await
    }
}

impl<P: Topic> Topic for Failing<P> {
    async fn publish(&self, topic: &str, subject: &str, message: &str) -> Result<(), PortError> {
        let call = self.inner.publish(topic, subject, message);
        self.plan.around("publish", call).await
    }
}
