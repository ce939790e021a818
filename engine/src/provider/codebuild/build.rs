//! One build from its artifacts to its artifacts.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path},
    time::Duration,
};

use engine_plan::{
    effect::{ActionTask, ArtifactLocation},
    event::{ExecutionDetails, Outcome},
};
use tokio_util::sync::CancellationToken;

use super::{
    artifacts, build_id,
    buildspec::{self, Buildspec, Phase},
    environment::{self, BuildFacts},
    is_project_name, mark, primary,
    run::{self, Ended, Watch},
    shell,
};
use crate::{
    config::CodebuildConfig,
    provider::{Progress, Trouble, artifact, chain, git, workshop::Workshop},
};

/// CodeBuild's default build timeout.
const TIMEOUT_MINUTES: u32 = 60;
/// A buildspec is not longer than this.
const BUILDSPEC_BYTES: u64 = 1 << 20;

/// One build.
pub(super) struct Build<'a> {
    pub(super) task: &'a ActionTask,
    pub(super) workshop: &'a Workshop,
    pub(super) number: u64,
    pub(super) revision: Option<String>,
    pub(super) progress: Option<&'a Progress>,
}

/// The buildspec's text and what people call it.
struct SpecText {
    name: String,
    text: String,
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
        let project = self.project()?;
        let action_variables = environment::action_variables(self.setting("EnvironmentVariables"))
            .map_err(|error| Trouble::configuration(error.to_string()))?;
        let primary = primary(self.task).map_err(Trouble::configuration)?;
        self.tell("Phase DOWNLOAD_SOURCE").await;
        let source = self.workshop.scratch("src");
        let mut other_sources = BTreeMap::new();
        for input in &self.task.inputs {
            let folder = if input.name == primary.name {
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
        let spec = self.spec_text(&project, &source)?;
        let parsed = buildspec::parse(&spec.name, &spec.text)
            .map_err(|error| self.ended("DOWNLOAD_SOURCE", &error.to_string()))?;
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
        let minutes = project.timeout_minutes.unwrap_or(TIMEOUT_MINUTES);
        let limit = Duration::from_secs(60 * u64::from(minutes));
        let ended = run::run(&parsed, setup, limit, stop, self)
            .await
            .map_err(|error| self.ended("INSTALL", &error.to_string()))?;
        let variables = match ended {
            Ended::Succeeded(variables) => variables,
            Ended::Stopped => return Ok(Outcome::Stopped),
            Ended::TimedOut(phase) => return Err(self.timed_out(phase, minutes)),
            Ended::Failed(failure) => {
                let message = failure_text(&failure, &spec.name);
                return Err(self.ended(failure.phase.name(), &message));
            }
        };
        self.upload(&parsed, &source).await?;
        Ok(Outcome::Succeeded {
            details: self.details(Some("Build succeeded".to_owned()), Some(100)),
            variables,
            revision: None,
        })
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

    fn setting(&self, name: &str) -> Option<&str> {
        self.task
            .configuration
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The configured project, or one with CodeBuild's defaults.
    fn project(&self) -> Result<CodebuildConfig, Trouble> {
        let refuse = |message: String| Err(Trouble::configuration(message));
        let name = self.project_name();
        if !is_project_name(name) {
            return refuse(format!(
                "action {}: ProjectName must be a CodeBuild project name",
                self.task.action
            ));
        }
        for setting in ["BatchEnabled", "CombineArtifacts"] {
            if self.setting(setting) == Some("true") {
                return refuse(format!(
                    "{setting} is not supported: batch builds are not built"
                ));
            }
        }
        let project = self.workshop.config.codebuild.get(name);
        if project.is_none() {
            self.note(&format!(
                "stagewright.toml has no [codebuild.{name}]: buildspec.yml and CodeBuild's defaults are used"
            ));
        }
        let project = project.cloned().unwrap_or_default();
        match project.image.as_deref() {
            None | Some("host") => Ok(project),
            Some(image) => refuse(format!(
                "project {name}: image {image} is not supported, builds run on this machine: set [codebuild.{name}] image = \"host\""
            )),
        }
    }

    fn project_name(&self) -> &str {
        self.setting("ProjectName").unwrap_or_default()
    }

    fn build_id(&self) -> String {
        build_id(self.task)
    }

    fn spec_text(&self, project: &CodebuildConfig, source: &Path) -> Result<SpecText, Trouble> {
        let place = self
            .setting("BuildspecOverride")
            .or(project.buildspec.as_deref())
            .unwrap_or("buildspec.yml");
        if place.trim().contains('\n') {
            return Ok(SpecText {
                name: "inline buildspec".to_owned(),
                text: place.to_owned(),
            });
        }
        let failed = |problem: &str| {
            self.ended(
                "DOWNLOAD_SOURCE",
                &format!("YAML_FILE_ERROR: {place}: {problem}"),
            )
        };
        let path = Path::new(place);
        if !path
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
        {
            return Err(failed("must be a path inside the primary source"));
        }
        let path = source.join(path);
        match fs::metadata(&path) {
            Ok(about) if about.len() > BUILDSPEC_BYTES => Err(failed("is larger than 1 MiB")),
            Ok(about) if about.is_file() => match fs::read_to_string(&path) {
                Ok(text) => Ok(SpecText {
                    name: place.to_owned(),
                    text,
                }),
                Err(error) => Err(failed(&error.to_string())),
            },
            Ok(_) => Err(failed("is not a file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(failed("no such file in the primary source"))
            }
            Err(error) => Err(failed(&error.to_string())),
        }
    }

    fn facts(
        &self,
        primary: &ArtifactLocation,
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
            version: format!("arn:aws:s3:::{}/{}", primary.bucket, primary.key),
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
                self.note(&format!(
                    "The buildspec makes no artifact {}: an action that needs it will fail",
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

    fn ended(&self, phase: &str, cause: &str) -> Trouble {
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
