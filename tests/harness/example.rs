//! The example release pipeline in a folder of its own: repository, configuration, state.

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;

use crate::{
    process::{built, finish},
    workspace::root,
};

/// What its pipeline and its approvals call.
const FUNCTIONS: [&str; 5] = [
    "action-http-check",
    "action-publish-site",
    "approval-notify",
    "approval-respond",
    "approval-sweep",
];

/// A copy of the example that nobody else uses.
pub struct Example {
    folder: TempDir,
}

impl Default for Example {
    fn default() -> Self {
        Self::new()
    }
}

impl Example {
    /// Makes the repository and copies definition and configuration.
    ///
    /// # Panics
    /// When a function that it calls is not built.
    pub fn new() -> Self {
        built(&FUNCTIONS);
        let folder = tempfile::tempdir().expect("a folder");
        let source = root().join("docs/examples/release");
        let repository = folder.path().join("corner-bakery");
        let made = finish(
            Command::new("sh")
                .arg(source.join("prepare.sh"))
                .arg(&repository),
        );
        assert!(made.status.success(), "{}", crate::process::shown(&made));
        fs::copy(
            source.join("pipeline.json"),
            folder.path().join("pipeline.json"),
        )
        .expect("copied");
        let config = fs::read_to_string(source.join("stagewright.toml"))
            .expect("the example's configuration");
        let config = config.replace(
            "../../../target/example/corner-bakery",
            &repository.display().to_string(),
        );
        fs::write(folder.path().join("stagewright.toml"), config).expect("written");
        Self { folder }
    }

    /// Its folder.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// State folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The repository the pipeline takes.
    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("corner-bakery")
    }

    /// The definition's file.
    pub fn pipeline(&self) -> String {
        self.folder
            .path()
            .join("pipeline.json")
            .display()
            .to_string()
    }

    /// The configuration's file.
    pub fn config(&self) -> String {
        self.folder
            .path()
            .join("stagewright.toml")
            .display()
            .to_string()
    }

    /// Arguments of `stagewright run` for it.
    pub fn run_arguments(&self, more: &[&str]) -> Vec<String> {
        let site = |bucket: &str| format!("{{base-url}}/_stagewright/site/corner-bakery-{bucket}/");
        let mut arguments = vec![
            "run".to_owned(),
            self.pipeline(),
            "--state".to_owned(),
            self.state().display().to_string(),
            "--variable".to_owned(),
            format!("PreviewUrl={}", site("preview")),
            "--variable".to_owned(),
            format!("SiteUrl={}", site("live")),
            "--approve".to_owned(),
            "yes".to_owned(),
        ];
        arguments.extend(more.iter().map(|&m| m.to_owned()));
        arguments
    }
}
