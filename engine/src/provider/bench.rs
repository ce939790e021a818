//! An engine with a scripted service at an endpoint, for tests of providers that call AWS.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use engine_plan::{effect::ActionTask, event::Outcome};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Context, Held, Progress, Provider, artifact, workshop::tests::task};
use crate::{
    assemble::{self, Engine, Options},
    cloud::scripted,
    config::Config,
    store::objects::BucketSettings,
};

/// What a service answers to an operation and its input.
pub type Answers = Box<dyn FnMut(&str, &Value) -> (u16, String) + Send>;

/// Answers of a service that speaks JSON.
pub fn json_answers(
    mut answers: impl FnMut(&str, &Value) -> (u16, Value) + Send + 'static,
) -> Answers {
    Box::new(move |operation, input| {
        let (status, answer) = answers(operation, input);
        (status, answer.to_string())
    })
}

pub struct Bench {
    pub engine: Engine,
    asked: Arc<Mutex<Vec<scripted::Asked>>>,
    folder: tempfile::TempDir,
}

impl Bench {
    /// With an endpoint of each of these services, when there are answers.
    pub async fn new(services: &[&str], answers: Option<Answers>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let asked: Arc<Mutex<Vec<scripted::Asked>>> = Arc::default();
        let mut config = Config::default();
        if let Some(mut answers) = answers {
            let kept = Arc::clone(&asked);
            let url = scripted::serve(move |asked| {
                kept.lock().unwrap().push(asked.clone());
                answers(&asked.0, &asked.1)
            })
            .await;
            for service in services {
                config.endpoint.insert((*service).to_owned(), url.clone());
            }
        }
        let mut options = Options::new(config, folder.path());
        options.fast_clock = true;
        let (engine, _) = assemble::start(options).await.unwrap();
        engine.perform();
        let objects = &engine.app.objects;
        objects
            .create_bucket("artifacts", BucketSettings::default())
            .await
            .unwrap();
        Self {
            engine,
            asked,
            folder,
        }
    }

    /// An artifact of these files.
    pub async fn put(&self, artifact: &str, files: &[(&str, &str)]) {
        let source = tempfile::tempdir_in(self.folder.path()).unwrap();
        for (name, text) in files {
            fs::write(source.path().join(name), text).unwrap();
        }
        let place = task("A", &[], &[artifact], &[]).inputs.remove(0);
        let zip = self.folder.path().join(format!("{artifact}.zip"));
        drop(fs::remove_file(&zip));
        artifact::pack(&self.engine.app.objects, &place, None, source.path(), &zip)
            .await
            .unwrap();
    }

    /// The action's outcome and its log.
    pub async fn run(
        &self,
        provider: &dyn Provider,
        keys: &[(&str, &str)],
        inputs: &[&str],
        stop: CancellationToken,
    ) -> (Outcome, String) {
        self.run_task(provider, task("Deploy", keys, inputs, &[]), stop)
            .await
    }

    /// The outcome of this task and its log.
    pub async fn run_task(
        &self,
        provider: &dyn Provider,
        task: ActionTask,
        stop: CancellationToken,
    ) -> (Outcome, String) {
        let app = &self.engine.app;
        let context = Context {
            app: app.clone(),
            stop,
            progress: Progress {
                action_execution: task.action_execution.clone(),
                desk: app.desk.clone(),
            },
            held: Held::new(app.clock.clone(), app.clock.busy()),
        };
        let outcome = provider.perform(task.clone(), context).await.unwrap();
        let log = app
            .logs
            .read(&task.execution, &task.action_execution, 0, 1 << 20);
        (outcome, String::from_utf8(log.unwrap()).unwrap())
    }

    /// The operations that were called, in order.
    pub fn operations(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The input of the first call of an operation; null when it was not called.
    pub fn input(&self, operation: &str) -> Value {
        let asked = self.asked.lock().unwrap();
        let found = asked.iter().find(|(name, _)| name == operation);
        found.map(|(_, input)| input.clone()).unwrap_or_default()
    }
}

/// An outcome in short.
pub fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded { details, .. } => details.summary.clone().unwrap_or_default(),
        Outcome::Failed { code, message, .. } => format!("{code}: {message}"),
        Outcome::Stopped => "stopped".to_owned(),
    }
}
