//! Carries out effects: starts and cancels providers.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

use engine_plan::{
    definition::{ActionTypeId, CUSTOM, THIRD_PARTY},
    effect::ActionTask,
    event::{Event, Outcome},
};
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    clock::Busy,
    connector,
    desk::{Desk, Perform},
    provider::{Context, Held, Progress, Provider, connector::Connector, failed},
};

/// Tokens of actions that somebody else reports on are looked through when there are more than this.
const HANDED_OVER: usize = 1_024;

/// Starts providers and tells the desk how they ended.
pub struct Performer {
    providers: Providers,
    app: App,
    running: Arc<Running>,
}

/// Who performs which action type.
#[derive(Clone, Default)]
pub struct Providers {
    by_type: HashMap<(String, String, String), Arc<dyn Provider>>,
}

impl Providers {
    /// Names the provider of one action type, as `("Build", "AWS", "CodeBuild")`.
    #[must_use]
    pub fn with(
        mut self,
        category: &str,
        owner: &str,
        provider: &str,
        performs: Arc<dyn Provider>,
    ) -> Self {
        let key = (category.to_owned(), owner.to_owned(), provider.to_owned());
        self.by_type.insert(key, performs);
        self
    }

    fn find(&self, id: &ActionTypeId) -> Option<Arc<dyn Provider>> {
        let key = (id.category.clone(), id.owner.clone(), id.provider.clone());
        self.by_type.get(&key).cloned()
    }
}

/// Stop signals of what was started, by action execution. Continuations of one action share theirs.
#[derive(Default)]
struct Running {
    tokens: Mutex<HashMap<String, CancellationToken>>,
}

impl Running {
    fn start(&self, action_execution: &str) -> CancellationToken {
        self.with(|tokens| {
            tokens
                .entry(action_execution.to_owned())
                .or_default()
                .clone()
        })
    }

    fn end(&self, action_execution: &str) {
        self.with(|tokens| tokens.remove(action_execution));
    }

    fn cancel(&self, action_execution: &str) {
        if let Some(token) = self.with(|tokens| tokens.remove(action_execution)) {
            token.cancel();
        }
    }

    /// Forgets the tokens of actions that somebody else ended.
    fn prune(&self, desk: &Desk) {
        self.with(|tokens| {
            if tokens.len() > HANDED_OVER {
                desk.read(|state| {
                    let runs = |id: &str| {
                        state.running.contains_key(id) || state.running_rules.contains_key(id)
                    };
                    tokens.retain(|id, _| runs(id));
                });
            }
        });
    }

    fn with<R>(&self, change: impl FnOnce(&mut HashMap<String, CancellationToken>) -> R) -> R {
        change(&mut self.tokens.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Performer {
    /// With these providers; give it to [`Desk::attach`].
    pub fn new(app: App, providers: Providers) -> Arc<Self> {
        Arc::new(Self {
            providers,
            app,
            running: Arc::default(),
        })
    }
}

impl Perform for Performer {
    fn perform(&self, task: ActionTask, busy: Busy) {
        let stop = self.running.start(&task.action_execution);
        let running = Arc::clone(&self.running);
        let provider = self.providers.find(&task.action_type);
        let app = self.app.clone();
        tokio::spawn(async move {
            let desk = app.desk.clone();
            let held = Held::new(app.clock.clone(), busy);
            let context = Context {
                held: held.clone(),
                progress: Progress {
                    action_execution: task.action_execution.clone(),
                    desk: desk.clone(),
                },
                app,
                stop,
            };
            let action_execution = task.action_execution.clone();
            let outcome = run(provider, task, context).await;
            let Some(outcome) = outcome else {
                running.prune(&desk);
                held.release();
                return;
            };
            running.end(&action_execution);
            let event = Event::Finished {
                action_execution,
                outcome,
            };
            if let Err(refusal) = desk.submit(event).await {
                // Only while the engine stops: the action is performed again when it comes back.
                tracing::debug!(%refusal, "the end of an action was not taken");
            }
            held.release();
        });
    }

    fn cancel(&self, action_execution: &str) {
        self.running.cancel(action_execution);
    }
}

/// One provider to its end, whatever happens in it.
async fn run(
    provider: Option<Arc<dyn Provider>>,
    task: ActionTask,
    context: Context,
) -> Option<Outcome> {
    let id = task.action_type.clone();
    let ActionTypeId {
        category,
        owner,
        provider: name,
        version,
    } = &id;
    let connector = || {
        let known = connector::route(&context.app.config.connector, &id).is_some();
        known.then(|| -> Arc<dyn Provider> { Arc::new(Connector) })
    };
    let Some(provider) = provider.or_else(connector) else {
        let partner = owner == THIRD_PARTY;
        if owner == CUSTOM || (partner && context.app.config.third_party.contains_key(name)) {
            // A job worker takes it with PollForJobs or PollForThirdPartyJobs.
            return None;
        }
        if let Some(vendor) = connector::of_type(&id) {
            return Some(failed(
                "ConfigurationError",
                format!(
                    "action {}: the provider {name} is performed by {}: add [connector.{name}] to stagewright.toml",
                    task.action, vendor.function
                ),
            ));
        }
        if partner {
            return Some(failed(
                "ConfigurationError",
                format!(
                    "action {}: nobody works for the partner {name}: set client_token in [third-party.{name}] and let a worker poll for its jobs",
                    task.action
                ),
            ));
        }
        return Some(failed(
            "ConfigurationError",
            format!(
                "action {}: this engine has no provider for category {category}, owner {owner}, provider {name}, version {version}",
                task.action
            ),
        ));
    };
    let action_execution = task.action_execution.clone();
    let performing =
        AssertUnwindSafe(async move { provider.perform(task, context).await }).catch_unwind();
    match performing.await {
        Ok(outcome) => outcome,
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no text");
            tracing::error!(provider = %name, %action_execution, panic = text, "a provider panicked");
            Some(failed(
                "JobFailed",
                format!(
                    "the provider {name} panicked: this is a fault of the engine, its log says more"
                ),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use engine_plan::{
        event::{ExecutionDetails, SourceRevisionOverride},
        state::{ActionError, Execution, ExecutionStatus},
    };
    use futures_util::future::BoxFuture;
    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        assemble::{Engine, Options, start},
        config::Config,
        desk::scripted::{create, ended, started, until},
    };

    /// A provider that is a function.
    struct By<F>(F);

    impl<F, W> Provider for By<F>
    where
        F: Fn(ActionTask, Context) -> W + Send + Sync,
        W: Future<Output = Option<Outcome>> + Send + 'static,
    {
        fn perform(
            &self,
            task: ActionTask,
            context: Context,
        ) -> BoxFuture<'static, Option<Outcome>> {
            Box::pin((self.0)(task, context))
        }
    }

    fn succeed() -> Option<Outcome> {
        Some(Outcome::Succeeded {
            details: ExecutionDetails::default(),
            variables: [].into(),
            revision: None,
        })
    }

    async fn engine(providers: Providers) -> (Engine, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(Config::default(), folder.path());
        let Ok((engine, _)) = start(options).await else {
            panic!("the engine did not start");
        };
        engine
            .app
            .desk
            .attach(Performer::new(engine.app.clone(), providers));
        create(&engine.app.desk).await;
        (engine, folder)
    }

    fn error(execution: &Execution) -> ActionError {
        let last = execution
            .stages
            .last()
            .and_then(|stage| stage.actions.last());
        last.and_then(|run| run.error.clone()).unwrap()
    }

    #[tokio::test]
    async fn a_panic_fails_the_action_and_nothing_else() {
        let source = By(|task: ActionTask, _| async move {
            assert!(task.source_revision.is_some(), "planted {}", task.action);
            succeed()
        });
        let providers = Providers::default().with("Source", "AWS", "S3", Arc::new(source));
        let (engine, _folder) = engine(providers).await;
        let desk = &engine.app.desk;
        let id = started(desk).await;
        let execution = ended(desk, &id).await;
        assert_eq!(execution.status, ExecutionStatus::Failed);
        let error = error(&execution);
        assert_eq!(error.code, "JobFailed");
        assert!(
            error.message.contains("the provider S3 panicked"),
            "{}",
            error.message
        );
        assert!(
            !error.message.contains("planted"),
            "internals: {}",
            error.message
        );

        // The next one gets its own try, and then meets an action type nobody performs.
        let again = Event::Start {
            pipeline: "shop".to_owned(),
            trigger: execution.trigger,
            variables: [].into(),
            source_revisions: vec![SourceRevisionOverride {
                action_name: "Code".to_owned(),
                revision_type: "S3_OBJECT_VERSION_ID".to_owned(),
                revision_value: "v8".to_owned(),
            }],
            client_token: None,
        };
        desk.submit(again).await.unwrap();
        let id = desk.read(|state| state.pipelines["shop"].executions[1].id.clone());
        let execution = ended(desk, &id).await;
        let error = super::tests::error(&execution);
        assert_eq!(error.code, "ConfigurationError");
        let says = "no provider for category Build, owner AWS, provider CodeBuild, version 1";
        assert!(error.message.contains(says), "{}", error.message);
        engine.shut_down().await;
    }

    #[tokio::test]
    async fn a_stop_reaches_the_provider() {
        let (told, mut stopped) = mpsc::unbounded_channel();
        let source = By(move |_, context: Context| {
            let told = told.clone();
            async move {
                context.stop.cancelled().await;
                told.send(()).unwrap();
                Some(Outcome::Stopped)
            }
        });
        let providers = Providers::default().with("Source", "AWS", "S3", Arc::new(source));
        let (engine, _folder) = engine(providers).await;
        let desk = &engine.app.desk;
        let id = started(desk).await;
        until(desk, |state| (!state.running.is_empty()).then_some(())).await;
        let stop = Event::Stop {
            pipeline: "shop".to_owned(),
            execution: id.clone(),
            abandon: true,
            reason: None,
        };
        desk.submit(stop).await.unwrap();
        assert_eq!(ended(desk, &id).await.status, ExecutionStatus::Stopped);
        let heard = tokio::time::timeout(std::time::Duration::from_secs(20), stopped.recv()).await;
        assert_eq!(heard, Ok(Some(())));
        engine.shut_down().await;
    }
}
