//! CodeBuild on this machine: a buildspec run by the host's shell.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use engine_plan::{
    effect::{ActionTask, ArtifactLocation},
    event::{ExecutionDetails, Outcome},
};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::{
    Context, Progress, Provider, Trouble, artifact, chain, failed, git, process, workshop::Workshop,
};
use crate::config::CodebuildConfig;
use buildspec::{Buildspec, Phase};
use environment::BuildFacts;
use run::{Ended, Watch};

mod artifacts;
pub mod buildspec;
mod environment;
mod run;
mod shell;

/// CodeBuild's default build timeout.
const TIMEOUT_MINUTES: u32 = 60;
/// A buildspec is not longer than this.
const BUILDSPEC_BYTES: u64 = 1 << 20;

/// The provider of `Build` and `Test` actions of CodeBuild.
#[derive(Debug, Clone, Default)]
pub struct CodeBuild {
    counting: Arc<Mutex<()>>,
}

impl Provider for CodeBuild {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        let counting = Arc::clone(&self.counting);
        Box::pin(async move {
            // An engine that was killed may have left this very build running.
            process::kill_marked(&mark(&task));
            let workshop = match Workshop::open(&task, &context) {
                Ok(workshop) => workshop,
                Err(error) => return Some(failed("JobFailed", scratch_failed(&error))),
            };
            let project = task
                .configuration
                .get("ProjectName")
                .cloned()
                .unwrap_or_default();
            let number = {
                let _one = counting.lock().unwrap_or_else(PoisonError::into_inner);
                count(&context.app.state_dir, &project, &task.action_execution)
            };
            let revision = primary(&task).ok().and_then(|input| {
                context.app.desk.read(|state| {
                    let execution = state
                        .pipelines
                        .get(&task.pipeline)?
                        .executions
                        .iter()
                        .find(|one| one.id == task.execution)?;
                    let artifact = execution.artifacts.get(&input.name)?;
                    Some(artifact.revision.as_ref()?.revision_id.clone())
                })
            });
            let build = Build {
                task: &task,
                workshop: &workshop,
                number,
                revision,
                progress: Some(&context.progress),
            };
            Some(build.perform(&context.stop).await)
        })
    }
}

/// One build.
struct Build<'a> {
    task: &'a ActionTask,
    workshop: &'a Workshop,
    number: u64,
    revision: Option<String>,
    progress: Option<&'a Progress>,
}

/// The buildspec's text and what people call it.
struct SpecText {
    name: String,
    text: String,
}

impl Build<'_> {
    async fn perform(&self, stop: &CancellationToken) -> Outcome {
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
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(plain) {
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

/// The same when the action is performed again.
fn build_id(task: &ActionTask) -> String {
    let project = task.configuration.get("ProjectName");
    let project = project.map(String::as_str).unwrap_or_default();
    format!("{project}:{}", task.action_execution)
}

/// The environment entry that every process of the build has.
fn mark(task: &ActionTask) -> String {
    format!("CODEBUILD_BUILD_ID={}", build_id(task))
}

/// `PrimarySource`, or the only input.
fn primary(task: &ActionTask) -> Result<&ArtifactLocation, String> {
    let named = task.configuration.get("PrimarySource");
    match (named, task.inputs.as_slice()) {
        (_, []) => Err("CodeBuild needs at least one input artifact".to_owned()),
        (None, [only]) => Ok(only),
        (None, _) => {
            Err("PrimarySource is needed when there is more than one input artifact".to_owned())
        }
        (Some(name), inputs) => inputs
            .iter()
            .find(|input| input.name == *name)
            .ok_or_else(|| format!("PrimarySource {name} is not an input artifact of the action")),
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

fn scratch_failed(error: &io::Error) -> String {
    format!("the scratch folder of the build cannot be made: {error}")
}

/// The number of this build of the project; a build that is performed again keeps its number.
/// Not being able to count is no reason not to build.
fn count(state_dir: &Path, project: &str, action_execution: &str) -> u64 {
    let file: PathBuf = state_dir.join("builds").join(project);
    let last = fs::read_to_string(&file).unwrap_or_default();
    let (number, id) = last.split_once(' ').unwrap_or(("0", ""));
    let number: u64 = number.parse().unwrap_or(0);
    if id == action_execution {
        return number;
    }
    let next = number + 1;
    let written = fs::create_dir_all(state_dir.join("builds"))
        .and_then(|()| fs::write(&file, format!("{next} {action_execution}")));
    if let Err(error) = written {
        tracing::warn!(%error, project, "the build number was not kept");
    }
    next
}

#[cfg(test)]
mod tests;
