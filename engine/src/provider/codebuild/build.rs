//! One build from its artifacts to its artifacts.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use engine_plan::{
    effect::{ActionTask, ArtifactLocation},
    event::{ExecutionDetails, Outcome},
};
use shared::secret::Secret;
use tokio_util::sync::CancellationToken;

use super::{
    batch, build_id,
    buildspec::{self, Buildspec, Member, Phase},
    cache, commands,
    environment::{self, BuildFacts},
    mark, primary,
    reports::{self, Counts},
    run::{self, Ended, Watch},
    shell,
    stored::{Declared, Masks, Stores},
    work::Work,
};
use crate::{
    config::CodebuildConfig,
    provider::{Progress, Trouble, artifact, chain, git, process, workshop::Workshop},
};

/// One build.
pub(super) struct Build<'a> {
    pub(super) task: &'a ActionTask,
    pub(super) workshop: &'a Workshop,
    pub(super) stores: &'a Stores,
    /// Folder of the projects' caches.
    pub(super) caches: Option<PathBuf>,
    pub(super) number: u64,
    pub(super) revision: Option<String>,
    pub(super) progress: Option<&'a Progress>,
    /// Which build of a batch it is.
    pub(super) member: Option<&'a Member>,
    pub(super) masks: Mutex<Masks>,
}

/// What a build left behind.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) spec: Buildspec,
    pub(super) source: PathBuf,
    pub(super) variables: BTreeMap<String, String>,
    tests: Option<Counts>,
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
        let work = self.work()?;
        if work.batch {
            return batch::run(self, &work, stop).await;
        }
        let Some(built) = self.run(&work, stop).await? else {
            return Ok(Outcome::Stopped);
        };
        self.upload(&built).await?;
        let summary = if commands::is_one(self.task) {
            "All commands succeeded"
        } else {
            "Build succeeded"
        };
        Ok(Outcome::Succeeded {
            details: self.details(Some(with_tests(summary, built.tests)), Some(100)),
            variables: built.variables,
            revision: None,
        })
    }

    /// From the sources to the end of the last phase; `None` when it was stopped.
    pub(super) async fn run(
        &self,
        work: &Work,
        stop: &CancellationToken,
    ) -> Result<Option<Built>, Trouble> {
        let container = self.container(&work.project)?;
        // An engine that was killed may have left this very build running.
        process::kill_marked(&self.mark());
        let Some((source, other_sources)) = self.sources(stop).await? else {
            return Ok(None);
        };
        let (file, mut parsed) = match &work.spec {
            Some(spec) => ("commands".to_owned(), spec.clone()),
            None => self.buildspec(&work.project, &source)?,
        };
        for notice in std::mem::take(&mut parsed.notices) {
            self.say(&notice);
        }
        let cached = self.restore(&work.project, &parsed, &source).await;
        let facts = self.facts(&work.project, &source, other_sources);
        let [spec, project, action] = self.values(work, &parsed).await?;
        let host = std::env::vars_os().filter(|_| container.is_none());
        let setup = shell::Setup {
            shell: parsed.shell,
            environment: environment::environment(
                host.filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                }),
                [spec, project, action],
                &facts,
            ),
            folder: source.clone(),
            control: self.scratch("control"),
            mark: Some(self.mark()),
            container,
        };
        let limit = Duration::from_secs(60 * u64::from(work.minutes));
        let ended = run::run(&parsed, setup, limit, stop, self)
            .await
            .map_err(|error| self.ended("INSTALL", &error.to_string()))?;
        let tests = self.reports(&parsed, &source, &ended).await;
        let variables = match ended {
            Ended::Succeeded(variables) => variables,
            Ended::Stopped => return Ok(None),
            Ended::TimedOut(phase) => return Err(self.timed_out(phase, work.minutes)),
            Ended::Failed(failure) => {
                let tests = tests.map_or_else(String::new, |it| format!("; {it}"));
                let message = failure_text(&failure, &file) + &tests;
                return Err(self.ended(failure.phase.name(), &message));
            }
        };
        if let Some((file, paths)) = cached {
            let (from, paths_told) = (source.clone(), paths.join(", "));
            let saved = tokio::task::spawn_blocking(move || cache::save(&paths, &from, &file));
            match saved.await {
                Ok(Ok(files)) => self.say(&format!("Cache: kept {files} files of {paths_told}")),
                Ok(Err(error)) => self.say(&format!("Cache: not kept: {}", chain(&error))),
                Err(error) => self.say(&format!("Cache: not kept: {error}")),
            }
        }
        Ok(Some(Built {
            spec: parsed,
            source,
            variables,
            tests,
        }))
    }

    /// Every input in a folder of its own, the primary first; `None` when it was stopped meanwhile.
    pub(super) async fn sources(
        &self,
        stop: &CancellationToken,
    ) -> Result<Option<(PathBuf, BTreeMap<String, String>)>, Trouble> {
        let primary = primary(self.task).map_err(Trouble::configuration)?;
        self.tell("Phase DOWNLOAD_SOURCE").await;
        let source = self.scratch("src");
        if primary.is_none() {
            fs::create_dir_all(&source)
                .map_err(|error| self.ended("DOWNLOAD_SOURCE", &error.to_string()))?;
        }
        let mut other_sources = BTreeMap::new();
        for input in &self.task.inputs {
            let folder = if primary.is_some_and(|primary| input.name == primary.name) {
                source.clone()
            } else {
                let folder = self.scratch(&format!("src-{}", input.name));
                other_sources.insert(input.name.clone(), folder.display().to_string());
                folder
            };
            if !self.download(input, &folder, stop).await? {
                return Ok(None);
            }
        }
        Ok(Some((source, other_sources)))
    }

    /// The buildspec of the sources, and what people call it.
    pub(super) fn buildspec(
        &self,
        project: &CodebuildConfig,
        source: &Path,
    ) -> Result<(String, Buildspec), Trouble> {
        let spec = self.spec_text(project, source)?;
        let parsed = buildspec::parse(&spec.name, &spec.text)
            .map_err(|error| self.ended("DOWNLOAD_SOURCE", &error.to_string()))?;
        Ok((spec.name, parsed))
    }

    /// The variables of buildspec, project and action, with what is stored elsewhere.
    async fn values(
        &self,
        work: &Work,
        spec: &Buildspec,
    ) -> Result<[BTreeMap<String, String>; 3], Trouble> {
        let hide = |value: &Secret| {
            let mut masks = self.masks.lock().unwrap_or_else(PoisonError::into_inner);
            masks.add([value]);
        };
        let spec = Declared {
            plain: spec.variables.clone(),
            stored: spec.stored.clone(),
        };
        let mut all = [spec, work.declared(), work.variables.clone()].map(Some);
        let mut read: [BTreeMap<String, String>; 3] = Default::default();
        for (from, to) in all.iter_mut().zip(&mut read) {
            let declared = from.take().unwrap_or_default();
            *to = declared
                .read(self.stores, hide)
                .await
                .map_err(|error| self.ended("DOWNLOAD_SOURCE", &chain(&error)))?;
        }
        Ok(read)
    }

    /// Puts the project's cache into the source; where it is kept again, and what.
    async fn restore(
        &self,
        project: &CodebuildConfig,
        spec: &Buildspec,
        source: &Path,
    ) -> Option<(PathBuf, Vec<String>)> {
        if spec.cache.is_empty() {
            return None;
        }
        let caches = self.caches.as_ref().filter(|_| project.cache);
        let Some(caches) = caches else {
            self.say("cache of the buildspec has no effect: its project has no cache, or it is one of a batch");
            return None;
        };
        let (inside, outside) = cache::below_source(&spec.cache);
        if !outside.is_empty() {
            self.say(&format!(
                "Cache: {} stays on this machine as it is",
                outside.join(", ")
            ));
        }
        let file = caches.join(format!("{}.zip", self.project_name()));
        let (from, aside, to) = (file.clone(), self.scratch("cache"), source.to_owned());
        let restored = tokio::task::spawn_blocking(move || cache::restore(&from, &aside, &to));
        match restored.await {
            Ok(Ok(files)) => self.say(&format!("Cache: found {files} files")),
            Ok(Err(error)) => self.say(&format!("Cache: not used: {}", chain(&error))),
            Err(error) => self.say(&format!("Cache: not used: {error}")),
        }
        Some((file, inside))
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
        notes.iter().for_each(|note| self.say(note));
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

    /// In the scratch folder of this build.
    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        match self.member {
            Some(member) => {
                let own = format!("batch-{}-{name}", member.identifier);
                self.workshop.scratch(&own)
            }
            None => self.workshop.scratch(name),
        }
    }

    pub(super) fn build_id(&self) -> String {
        build_id(self.task, self.member)
    }

    /// The environment entry that every process of the build has.
    fn mark(&self) -> String {
        mark(&self.build_id())
    }

    fn facts(
        &self,
        project: &CodebuildConfig,
        source: &Path,
        other_sources: BTreeMap<String, String>,
    ) -> BuildFacts {
        let primary = primary(self.task).ok().flatten();
        BuildFacts {
            id: self.build_id(),
            batch: self.member.map(|member| member.identifier.clone()),
            number: self.number,
            pipeline: self.task.pipeline.clone(),
            region: self.task.region.clone(),
            account: self.workshop.config.engine.account.clone(),
            image: project.image.clone().unwrap_or_else(|| "host".to_owned()),
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

    /// A line about the build, CodeBuild's `[Container]` lines.
    pub(super) fn say(&self, text: &str) {
        let now = self.workshop.clock.now().strftime("%Y/%m/%d %H:%M:%S");
        self.log(&format!("[Container] {now} {text}"));
    }

    fn log(&self, text: &str) {
        let text = self.hidden(text);
        match self.member {
            Some(member) => self.workshop.log(&format!("{}: {text}", member.identifier)),
            None => self.workshop.log(&text),
        }
    }

    fn hidden(&self, text: &str) -> String {
        let masks = self.masks.lock().unwrap_or_else(PoisonError::into_inner);
        masks.hide(text)
    }

    pub(super) fn ended(&self, phase: &str, cause: &str) -> Trouble {
        let cause = self.hidden(cause);
        let message = format!("Build terminated with state: FAILED. Phase {phase}: {cause}");
        self.say(&message);
        Trouble::job(message)
    }

    fn timed_out(&self, phase: Phase, minutes: u32) -> Trouble {
        let message = format!(
            "Build terminated with state: TIMED_OUT. Phase {}: BUILD_TIMED_OUT after {minutes} minutes",
            phase.name()
        );
        self.say(&message);
        Trouble::job(message)
    }

    pub(super) fn details(
        &self,
        summary: Option<String>,
        percent_complete: Option<u8>,
    ) -> ExecutionDetails {
        ExecutionDetails {
            summary,
            external_execution_id: Some(self.build_id()),
            external_execution_url: None,
            percent_complete,
        }
    }

    pub(super) async fn tell(&self, summary: &str) {
        if let Some(progress) = self.progress {
            progress
                .tell(self.details(Some(summary.to_owned()), None))
                .await;
        }
    }
}

impl Watch for Build<'_> {
    fn line(&self, text: &str) {
        self.log(text);
    }

    fn note(&self, text: &str) {
        self.say(text);
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
