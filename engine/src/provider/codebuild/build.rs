//! One build from its artifacts to its artifacts.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use engine_plan::{
    effect::{ActionTask, ArtifactLocation},
    event::{ExecutionDetails, Outcome},
};
use tokio_util::sync::CancellationToken;

use super::{
    artifacts, build_id,
    buildspec::{self, Buildspec, Phase},
    commands,
    environment::{self, BuildFacts},
    mark, primary,
    reports::{self, Counts},
    run::{self, Ended, Watch},
    shell,
    work::Work,
};
use crate::provider::{Progress, Trouble, artifact, chain, git, workshop::Workshop};

/// One build.
pub(super) struct Build<'a> {
    pub(super) task: &'a ActionTask,
    pub(super) workshop: &'a Workshop,
    pub(super) number: u64,
    pub(super) revision: Option<String>,
    pub(super) progress: Option<&'a Progress>,
}

impl Build<'_> {
    /// To its outcome, whatever happens.
    pub(super) async fn perform(&self, stop: &CancellationToken) -> Outcome {
        match self.build(stop).await {
            Ok(outcome) => outcome,
            Err(trouble) if trouble.code == "JobFailed" => {
                trouble.outcome(self.details(None, None))
            }
            Err(trouble) => trouble.outcome(ExecutionDetails::default()),
        }
    }

    async fn build(&self, stop: &CancellationToken) -> Result<Outcome, Trouble> {
        let Work {
            project,
            variables: action_variables,
            spec: ready,
            minutes,
        } = self.work()?;
        let primary = primary(self.task).map_err(Trouble::configuration)?;
        self.tell("Phase DOWNLOAD_SOURCE").await;
        let source = self.workshop.scratch("src");
        if primary.is_none() {
            fs::create_dir_all(&source)
                .map_err(|error| self.ended("DOWNLOAD_SOURCE", &error.to_string()))?;
        }
        let mut other_sources = BTreeMap::new();
        for input in &self.task.inputs {
            let folder = if primary.is_some_and(|primary| input.name == primary.name) {
                source.clone()
            } else {
                let folder = self.workshop.scratch(&format!("src-{}", input.name));
                other_sources.insert(input.name.clone(), folder.display().to_string());
                folder
            };
            if !self.download(input, &folder, stop).await? {
                return Ok(Outcome::Stopped);
            }
        }
        let (file, parsed) = match ready {
            Some(spec) => ("commands".to_owned(), spec),
            None => {
                let spec = self.spec_text(&project, &source)?;
                let parsed = buildspec::parse(&spec.name, &spec.text)
                    .map_err(|error| self.ended("DOWNLOAD_SOURCE", &error.to_string()))?;
                (spec.name, parsed)
            }
        };
        for notice in &parsed.notices {
            self.note(notice);
        }
        let facts = self.facts(primary, &source, other_sources);
        let setup = shell::Setup {
            shell: parsed.shell,
            environment: environment::environment(
                std::env::vars_os().filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                }),
                &parsed.variables,
                &project.environment,
                action_variables,
                &facts,
            ),
            folder: source.clone(),
            control: self.workshop.scratch("control"),
            mark: Some(mark(self.task)),
        };
        let limit = Duration::from_secs(60 * u64::from(minutes));
        let ended = run::run(&parsed, setup, limit, stop, self)
            .await
            .map_err(|error| self.ended("INSTALL", &error.to_string()))?;
        let tests = self.reports(&parsed, &source, &ended).await;
        let variables = match ended {
            Ended::Succeeded(variables) => variables,
            Ended::Stopped => return Ok(Outcome::Stopped),
            Ended::TimedOut(phase) => return Err(self.timed_out(phase, minutes)),
            Ended::Failed(failure) => {
                let tests = tests.map_or_else(String::new, |it| format!("; {it}"));
                let message = failure_text(&failure, &file) + &tests;
                return Err(self.ended(failure.phase.name(), &message));
            }
        };
        self.upload(&parsed, &source).await?;
        let summary = if commands::is_one(self.task) {
            "All commands succeeded"
        } else {
            "Build succeeded"
        };
        Ok(Outcome::Succeeded {
            details: self.details(Some(with_tests(summary, tests)), Some(100)),
            variables,
            revision: None,
        })
    }

    /// What the tests of a build that came to its end say, whether it succeeded or not.
    async fn reports(&self, spec: &Buildspec, source: &Path, ended: &Ended) -> Option<Counts> {
        if spec.reports.is_empty() || matches!(ended, Ended::Stopped | Ended::TimedOut(_)) {
            return None;
        }
        let (specs, source) = (spec.reports.clone(), source.to_owned());
        let read = tokio::task::spawn_blocking(move || {
            let mut notes = Vec::new();
            let counts = reports::read(&specs, &source, |note| notes.push(note));
            (counts, notes)
        });
        let (counts, notes) = read.await.ok()?;
        notes.iter().for_each(|note| self.note(note));
        counts
    }

    /// Answers `false` when it was stopped meanwhile.
    async fn download(
        &self,
        input: &ArtifactLocation,
        folder: &Path,
        stop: &CancellationToken,
    ) -> Result<bool, Trouble> {
        const PHASE: &str = "DOWNLOAD_SOURCE";
        let objects = &self.workshop.objects;
        let file = artifact::file(objects, input)
            .await
            .map_err(|error| self.ended(PHASE, &chain(&error)))?;
        match git::clone_reference(self.workshop, &file, folder, stop).await {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(git::FetchError::Stopped) => return Ok(false),
            Err(git::FetchError::Trouble(trouble)) => {
                return Err(self.ended(PHASE, &trouble.message));
            }
        }
        artifact::unpack(objects, input, folder)
            .await
            .map_err(|error| self.ended(PHASE, &chain(&error)))?;
        Ok(!stop.is_cancelled())
    }

    pub(super) fn build_id(&self) -> String {
        build_id(self.task)
    }

    fn facts(
        &self,
        primary: Option<&ArtifactLocation>,
        source: &Path,
        other_sources: BTreeMap<String, String>,
    ) -> BuildFacts {
        BuildFacts {
            id: self.build_id(),
            number: self.number,
            pipeline: self.task.pipeline.clone(),
            region: self.task.region.clone(),
            account: self.workshop.config.engine.account.clone(),
            image: "host".to_owned(),
            source: source.display().to_string(),
            other_sources,
            resolved_version: self.revision.clone(),
            version: primary
                .map(|it| format!("arn:aws:s3:::{}/{}", it.bucket, it.key))
                .unwrap_or_default(),
            started: self.workshop.clock.now().as_millisecond(),
            kms_key: self.task.encryption_key.as_ref().map(|key| key.id.clone()),
        }
    }

    async fn upload(&self, spec: &Buildspec, source: &Path) -> Result<(), Trouble> {
        const PHASE: &str = "UPLOAD_ARTIFACTS";
        if self.task.outputs.is_empty() {
            return Ok(());
        }
        self.tell("Phase UPLOAD_ARTIFACTS").await;
        for output in &self.task.outputs {
            let Some(definition) =
                artifacts::definition(spec, self.task.outputs.len(), &output.name)
            else {
                let what = if commands::is_one(self.task) {
                    "The action names no files for the"
                } else {
                    "The buildspec makes no"
                };
                self.note(&format!(
                    "{what} artifact {}: an action that needs it will fail",
                    output.name
                ));
                continue;
            };
            let (definition, from) = (definition.clone(), source.to_owned());
            let zip = self.workshop.scratch(&format!("{}.zip", output.name));
            let aside = self.workshop.scratch(&format!("aside-{}", output.name));
            let to = zip.clone();
            let collected = tokio::task::spawn_blocking(move || {
                artifacts::collect(&definition, &from, &aside, &to)
            });
            let packed = match collected.await {
                Ok(Ok(packed)) => packed,
                Ok(Err(error)) => return Err(self.ended(PHASE, &chain(&error))),
                Err(error) => return Err(self.ended(PHASE, &error.to_string())),
            };
            let key = self.task.encryption_key.as_ref();
            artifact::store(&self.workshop.objects, output, key, &zip)
                .await
                .map_err(|error| self.ended(PHASE, &chain(&error)))?;
            self.note(&format!(
                "Artifact {}: {} files, {} bytes",
                output.name, packed.files, packed.bytes
            ));
        }
        Ok(())
    }

    pub(super) fn ended(&self, phase: &str, cause: &str) -> Trouble {
        let message = format!("Build terminated with state: FAILED. Phase {phase}: {cause}");
        self.note(&message);
        Trouble::job(message)
    }

    fn timed_out(&self, phase: Phase, minutes: u32) -> Trouble {
        let message = format!(
            "Build terminated with state: TIMED_OUT. Phase {}: BUILD_TIMED_OUT after {minutes} minutes",
            phase.name()
        );
        self.note(&message);
        Trouble::job(message)
    }

    fn details(&self, summary: Option<String>, percent_complete: Option<u8>) -> ExecutionDetails {
        ExecutionDetails {
            summary,
            external_execution_id: Some(self.build_id()),
            external_execution_url: None,
            percent_complete,
        }
    }

    async fn tell(&self, summary: &str) {
        if let Some(progress) = self.progress {
            progress
                .tell(self.details(Some(summary.to_owned()), None))
                .await;
        }
    }
}

impl Watch for Build<'_> {
    fn line(&self, text: &str) {
        self.workshop.log(text);
    }

    fn note(&self, text: &str) {
        let now = self.workshop.clock.now().strftime("%Y/%m/%d %H:%M:%S");
        self.workshop.log(&format!("[Container] {now} {text}"));
    }

    async fn entering(&self, phase: Phase) {
        self.tell(&format!("Phase {}", phase.name())).await;
    }
}

fn with_tests(summary: &str, tests: Option<Counts>) -> String {
    match tests {
        Some(tests) => format!("{summary}: {tests}"),
        None => summary.to_owned(),
    }
}

fn failure_text(failure: &run::Failure, file: &str) -> String {
    let mut lines = failure.command.text.trim().lines();
    let first = lines.next().unwrap_or_default();
    let more = if lines.next().is_some() { " …" } else { "" };
    let place = match failure.command.line {
        Some(line) => format!("{file} line {line}"),
        None => file.to_owned(),
    };
    format!(
        "command `{first}{more}` exited with {} ({place})",
        failure.code
    )
}
