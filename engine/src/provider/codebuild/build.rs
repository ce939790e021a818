//! One build from its artifacts to its artifacts.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use engine_plan::{
    effect::ActionTask,
    event::{ExecutionDetails, Outcome},
};
use tokio_util::sync::CancellationToken;

use super::{
    batch, build_id,
    buildspec::{Buildspec, Member, Phase},
    cache, commands,
    environment::{self, BuildFacts},
    mark,
    masks::Masks,
    primary,
    reports::{self, Counts},
    run::{self, Ended, Watch},
    shell,
    stored::Stores,
    work::Work,
};
use crate::{
    config::CodebuildConfig,
    provider::{Progress, Trouble, chain, process, workshop::Workshop},
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
