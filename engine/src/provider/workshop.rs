//! Where one action that runs on this machine works: its scratch folder, its log, its artifacts.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use engine_plan::effect::ActionTask;
use uuid::Uuid;

use super::Context;
use crate::{clock::Clock, config::Config, logs::Logs, store::objects::ObjectStore};

/// Folder of all scratch folders, below the state folder.
const SCRATCH: &str = "scratch";

/// Removes the scratch folders of actions that a crash cut off, as far as nobody is writing there any more; the next
/// start removes the rest.
pub fn clear(state_dir: &Path) {
    let folder = state_dir.join(SCRATCH);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::debug!(%error, folder = %folder.display(), "old scratch folders stay");
        }
        _ => {}
    }
}

/// What such a provider uses of the engine; the scratch folder goes away with it.
pub struct Workshop {
    /// S3.
    pub objects: ObjectStore,
    /// What `stagewright.toml` and the options say.
    pub config: Arc<Config>,
    /// Time of the engine.
    pub clock: Clock,
    logs: Logs,
    execution: String,
    action_execution: String,
    scratch: PathBuf,
}

impl Workshop {
    /// Opens it for a task, in a folder that nobody had before: programs that a killed engine left behind may still
    /// be writing to theirs.
    ///
    /// # Errors
    /// The scratch folder cannot be made.
    pub fn open(task: &ActionTask, context: &Context) -> io::Result<Self> {
        let app = &context.app;
        Self::new(
            task,
            app.objects.clone(),
            app.logs.clone(),
            Arc::clone(&app.config),
            app.clock.clone(),
            &app.state_dir,
        )
    }

    /// As [`Workshop::open`], from its parts.
    ///
    /// # Errors
    /// The scratch folder cannot be made.
    pub fn new(
        task: &ActionTask,
        objects: ObjectStore,
        logs: Logs,
        config: Arc<Config>,
        clock: Clock,
        state_dir: &Path,
    ) -> io::Result<Self> {
        let scratch = std::path::absolute(state_dir)?.join(SCRATCH).join(format!(
            "{}-{}",
            task.action_execution,
            Uuid::new_v4()
        ));
        fs::create_dir_all(&scratch)?;
        Ok(Self {
            objects,
            config,
            clock,
            logs,
            execution: task.execution.clone(),
            action_execution: task.action_execution.clone(),
            scratch,
        })
    }

    /// A path in the scratch folder.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// Adds to the action's log.
    pub fn log(&self, text: &str) {
        self.logs
            .append(&self.execution, &self.action_execution, text);
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let scratch = std::mem::take(&mut self.scratch);
        let remove = move || {
            if let Err(error) = fs::remove_dir_all(&scratch) {
                tracing::debug!(%error, scratch = %scratch.display(), "a scratch folder stays");
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

#[cfg(test)]
pub mod tests {
    //! A workshop for tests of providers.

    use std::collections::BTreeMap;

    use engine_plan::{definition::ActionTypeId, effect::ArtifactLocation};

    use super::*;
    use crate::store::objects::{Body, BucketSettings, PutOptions};

    /// A task with these artifacts, all in bucket `artifacts`.
    pub fn task(
        action: &str,
        configuration: &[(&str, &str)],
        inputs: &[&str],
        outputs: &[&str],
    ) -> ActionTask {
        let place = |name: &&str| ArtifactLocation {
            name: (*name).to_owned(),
            bucket: "artifacts".to_owned(),
            key: format!("P/{name}/abc"),
            files: Vec::new(),
        };
        ActionTask {
            pipeline: "P".to_owned(),
            pipeline_arn: "arn:aws:codepipeline:eu-west-1:123456789012:P".to_owned(),
            pipeline_version: 1,
            execution: "11111111-1111-4111-8111-111111111111".to_owned(),
            stage: "S".to_owned(),
            action: action.to_owned(),
            action_execution: uuid::Uuid::new_v4().to_string(),
            action_type: ActionTypeId {
                category: String::new(),
                owner: "AWS".to_owned(),
                provider: String::new(),
                version: "1".to_owned(),
            },
            region: "eu-west-1".to_owned(),
            role_arn: None,
            namespace: None,
            configuration: configuration
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            commands: Vec::new(),
            environment: Vec::new(),
            output_variables: Vec::new(),
            inputs: inputs.iter().map(place).collect(),
            outputs: outputs.iter().map(place).collect(),
            encryption_key: None,
            source_revision: None,
            job: None,
            approval: None,
        }
    }

    /// A folder with an object store that has the bucket `artifacts`, and logs.
    pub struct Bench {
        pub folder: tempfile::TempDir,
        pub objects: ObjectStore,
        pub logs: Logs,
        pub config: Config,
    }

    impl Bench {
        pub async fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let objects = ObjectStore::open(&folder.path().join("objects")).expect("a store");
            objects
                .create_bucket("artifacts", BucketSettings::default())
                .await
                .expect("a bucket");
            Self {
                logs: Logs::new(folder.path()),
                config: Config::default(),
                objects,
                folder,
            }
        }

        pub fn workshop(&self, task: &ActionTask) -> Workshop {
            Workshop::new(
                task,
                self.objects.clone(),
                self.logs.clone(),
                Arc::new(self.config.clone()),
                Clock::real(),
                self.folder.path(),
            )
            .expect("a workshop")
        }

        /// Puts a zip of these files where the artifact is expected.
        pub async fn put_zip(&self, name: &str, files: &[(&str, &str)]) {
            let from = tempfile::tempdir().expect("a folder");
            for (file, text) in files {
                let path = from.path().join(file);
                fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
                fs::write(path, text).expect("a file");
            }
            let names = shared::archive::files_below(from.path()).expect("files");
            let mut zip = io::Cursor::new(Vec::new());
            shared::archive::pack(from.path(), &names, &mut zip).expect("packed");
            self.put(&format!("P/{name}/abc"), zip.into_inner()).await;
        }

        pub async fn put(&self, key: &str, bytes: Vec<u8>) {
            self.objects
                .put(
                    "artifacts",
                    key,
                    PutOptions::default(),
                    Body::Bytes(bytes.into()),
                )
                .await
                .expect("put");
        }

        /// Names and texts of an artifact's files.
        pub async fn zip(&self, name: &str) -> BTreeMap<String, String> {
            let (_, path) = self
                .objects
                .get("artifacts", &format!("P/{name}/abc"), None)
                .await
                .expect(name);
            let open = || fs::File::open(&path).expect("readable");
            shared::archive::names(open(), &shared::archive::Limits::DEFAULT)
                .expect("a zip")
                .into_iter()
                .map(|name| {
                    let bytes =
                        shared::archive::read_one(open(), &name, 1 << 20).expect("an entry");
                    (name, String::from_utf8_lossy(&bytes).into_owned())
                })
                .collect()
        }

        pub fn log(&self, task: &ActionTask) -> String {
            let bytes = self
                .logs
                .read(&task.execution, &task.action_execution, 0, 1 << 20);
            String::from_utf8_lossy(&bytes.expect("a log")).into_owned()
        }
    }
}
