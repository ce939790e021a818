//! The Lambda host: speaks the Lambda Runtime API to any executable.

mod call;
mod environment;
mod lookup;
mod output;
mod process;
mod runtime;
pub mod url;

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::{
    lookup::Recipe,
    process::{Process, Spawner},
};
use crate::{clock::Clock, config::Config, logs::Logs};

/// Warm processes kept per function.
const IDLE_LIMIT: usize = 16;
/// A process nobody needed for this long is ended.
const IDLE_TIME: Duration = Duration::from_secs(600);
/// Lambda calls a failing function this often when the call is asynchronous.
pub const ASYNC_ATTEMPTS: u32 = 3;

/// Session tokens of function roles begin so; the function's name follows. They open everything and are no secret.
pub const ROLE_TOKEN: &str = "function-role/";

/// Starts functions and calls them; clones share the processes.
#[derive(Clone)]
pub struct LambdaHost {
    inner: Arc<Inner>,
}

/// What one engine's functions need to know.
#[derive(Clone)]
pub struct HostSettings {
    /// Functions, account and region.
    pub config: Arc<Config>,
    /// Delays between retries.
    pub clock: Clock,
    /// Where output lines of an action execution go.
    pub logs: Logs,
    /// `AWS_ENDPOINT_URL` of every function.
    pub base_url: Arc<str>,
    /// Where binaries named like a function are looked for; `None`: beside the running program.
    pub binaries: Option<PathBuf>,
}

/// The action execution whose log gets the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTarget {
    /// The pipeline execution.
    pub execution: String,
    /// The action execution.
    pub action_execution: String,
}

/// Who called, and who may stop it.
#[derive(Debug, Clone, Default)]
pub struct CallContext {
    /// `None`: only the function's own log.
    pub log: Option<LogTarget>,
    /// Cancelled: the process that serves the call is killed.
    pub stop: CancellationToken,
    /// Told when the first attempt of an asynchronous call is over.
    pub tried: Option<Arc<Notify>>,
}

/// The answer of one invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvokeResult {
    /// Lambda's request id.
    pub request_id: String,
    /// What the function returned, or the error object.
    pub payload: Bytes,
    /// The function answered with an error, crashed or ran out of time.
    pub failed: bool,
    /// The last 4 KB of its output.
    pub log_tail: Vec<u8>,
}

/// Why a function was not called at all, or its answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// No such function.
    #[error(
        "function {0} is not known: give [function.{0}] a command in stagewright.toml, pass --function {0}=COMMAND, or build a binary of that name beside stagewright"
    )]
    UnknownFunction(String),
    /// It cannot be started.
    #[error("function {function} cannot be started ({command}): {problem}")]
    Start {
        /// Which.
        function: String,
        /// The program.
        command: String,
        /// What the system said.
        problem: String,
    },
    /// The caller stopped it.
    #[error("the call of function {0} was stopped")]
    Stopped(String),
}

/// How an asynchronous invocation ended after all its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AsyncOutcome {
    /// An attempt succeeded.
    Returned,
    /// All attempts failed; the last one's error.
    Failed {
        /// How many.
        attempts: u32,
        /// `errorType` of the last attempt.
        kind: String,
        /// `errorMessage` of the last attempt.
        message: String,
    },
    /// The caller stopped it.
    Stopped,
}

struct Inner {
    settings: HostSettings,
    spawner: Spawner,
    idle: Mutex<HashMap<String, Vec<Idle>>>,
    running: Mutex<Vec<Weak<Process>>>,
    started: AtomicU64,
    /// A killed process is no failure of its function then.
    ending: AtomicBool,
}

struct Idle {
    process: Arc<Process>,
    since: Instant,
}

/// The folder of the running program, where the workspace's functions are built too.
fn beside_me() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(program.parent()?.to_owned())
}

impl LambdaHost {
    /// A host without processes.
    pub fn new(mut settings: HostSettings) -> Self {
        settings.binaries = settings.binaries.or_else(beside_me);
        Self {
            inner: Arc::new(Inner {
                settings,
                spawner: Spawner::new(),
                idle: Mutex::default(),
                running: Mutex::default(),
                started: AtomicU64::new(0),
                ending: AtomicBool::new(false),
            }),
        }
    }

    /// Whether the function is configured or built.
    ///
    /// # Errors
    /// [`InvokeError::UnknownFunction`].
    pub fn check(&self, function: &str) -> Result<(), InvokeError> {
        self.find(function).map(|_| ())
    }

    /// Whether the function has a URL under the engine.
    ///
    /// # Errors
    /// [`InvokeError::UnknownFunction`].
    pub fn has_url(&self, function: &str) -> Result<bool, InvokeError> {
        self.find(function).map(|recipe| recipe.url)
    }

    /// Calls a function (name, `NAME:QUALIFIER` or ARN) and waits for its answer.
    ///
    /// # Errors
    /// When the function was not called or was stopped; a function's own failure is a result with `failed` set.
    pub async fn invoke(
        &self,
        function: &str,
        payload: Bytes,
        context: CallContext,
    ) -> Result<InvokeResult, InvokeError> {
        let recipe = self.find(function)?;
        call::once(self, recipe, &new_id(), payload, &context).await
    }

    /// Calls a function as Lambda's asynchronous invocation does: with the same event and request id up to twice
    /// again after a function error. The future is the whole run; spawn it to go on meanwhile.
    ///
    /// # Errors
    /// When the function is not known or cannot be started.
    pub async fn invoke_async(
        &self,
        function: &str,
        payload: Bytes,
        context: CallContext,
    ) -> Result<AsyncOutcome, InvokeError> {
        let request_id = new_id();
        let delays = &self.inner.settings.config.engine.async_retry_seconds;
        for attempt in 1.. {
            let recipe = self.find(function)?;
            let result = call::once(self, recipe, &request_id, payload.clone(), &context).await;
            if let Some(tried) = &context.tried {
                tried.notify_one();
            }
            let result = match result {
                Err(InvokeError::Stopped(_)) => return Ok(AsyncOutcome::Stopped),
                other => other?,
            };
            if !result.failed {
                break;
            }
            let (kind, message) = error_of(&result.payload);
            let delay = delays.get(attempt - 1).copied();
            let Some(delay) = delay.filter(|_| attempt < ASYNC_ATTEMPTS as usize) else {
                if context.log.is_none() {
                    let text = format!("failed and is not called again: {kind}: {message}");
                    self.notice(function, &text);
                }
                return Ok(AsyncOutcome::Failed {
                    attempts: u32::try_from(attempt).unwrap_or(u32::MAX),
                    kind,
                    message,
                });
            };
            let text = format!(
                "Attempt {attempt} of {} failed ({kind}: {message}); the next one is in {delay} s",
                delays.len().min(ASYNC_ATTEMPTS as usize - 1) + 1
            );
            match &context.log {
                Some(target) => self.inner.settings.logs.append(
                    &target.execution,
                    &target.action_execution,
                    &text,
                ),
                None => self.notice(function, &text),
            }
            tokio::select! {
                () = self.inner.settings.clock.sleep(Duration::from_secs(delay.into())) => {}
                () = context.stop.cancelled() => return Ok(AsyncOutcome::Stopped),
            }
        }
        Ok(AsyncOutcome::Returned)
    }

    /// The engine ends: kills every process with its group; calls under way and later ones end as stopped, so that
    /// nothing is reported about a function that only the engine's end has ended.
    pub fn shutdown(&self) {
        self.inner.shutdown();
    }

    /// Nobody waits for an asynchronous call outside a pipeline: without this line its failure would be silent.
    fn notice(&self, function: &str, text: &str) {
        let name = lookup::function_name(function);
        let logs = &self.inner.settings.logs;
        logs.notice(format!(
            "function {name}: {text} (its output: logs/functions/{name}.log)"
        ));
    }

    fn is_ending(&self) -> bool {
        self.inner.ending.load(Ordering::Acquire)
    }

    fn find(&self, function: &str) -> Result<Recipe, InvokeError> {
        let settings = &self.inner.settings;
        lookup::find(&settings.config, settings.binaries.as_deref(), function)
    }

    /// A warm process of exactly this recipe.
    fn take_idle(&self, recipe: &Recipe) -> Option<Arc<Process>> {
        let mut idle = lock(&self.inner.idle);
        let mine = idle.get_mut(&recipe.name)?;
        mine.retain(|i| {
            i.process.recipe == *recipe && !i.process.ended() && i.since.elapsed() < IDLE_TIME
        });
        mine.pop().map(|i| i.process)
    }

    fn give_back(&self, process: Arc<Process>) {
        if process.ended() {
            return;
        }
        let mut idle = lock(&self.inner.idle);
        let mine = idle.entry(process.recipe.name.clone()).or_default();
        if mine.len() < IDLE_LIMIT {
            mine.push(Idle {
                process,
                since: Instant::now(),
            });
        }
    }

    async fn start(&self, recipe: Recipe) -> Result<Arc<Process>, InvokeError> {
        let settings = &self.inner.settings;
        let number = self.inner.started.fetch_add(1, Ordering::Relaxed);
        let day = settings.clock.now().strftime("%Y/%m/%d").to_string();
        let log_stream = format!("{day}/[$LATEST]{:08x}{number:024x}", std::process::id());
        let speaker = output::Speaker::new(settings.logs.clone(), recipe.name.clone());
        let refuse = {
            let function = recipe.name.clone();
            let command = recipe.program.display().to_string();
            move |problem: std::io::Error| InvokeError::Start {
                function,
                command,
                problem: problem.to_string(),
            }
        };
        let region = &settings.config.engine.region;
        let process = process::start(
            &self.inner.spawner,
            recipe,
            speaker,
            region,
            &settings.base_url,
            &log_stream,
        );
        let process = Arc::new(process.await.map_err(refuse)?);
        let mut running = lock(&self.inner.running);
        running.retain(|p| p.strong_count() > 0);
        running.push(Arc::downgrade(&process));
        Ok(process)
    }
}

impl fmt::Debug for LambdaHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaHost").finish_non_exhaustive()
    }
}

impl Inner {
    fn shutdown(&self) {
        self.ending.store(true, Ordering::Release);
        lock(&self.idle).clear();
        for process in lock(&self.running).drain(..) {
            if let Some(process) = process.upgrade() {
                process.kill();
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// `errorType` and `errorMessage` of an error object.
pub fn error_of(payload: &[u8]) -> (String, String) {
    let error: Value = serde_json::from_slice(payload).unwrap_or_default();
    let field = |name: &str, or: &str| {
        let text = error.get(name).and_then(Value::as_str);
        text.unwrap_or(or).to_owned()
    };
    (
        field("errorType", "Unknown"),
        field("errorMessage", "the function gave no reason"),
    )
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod tests;
