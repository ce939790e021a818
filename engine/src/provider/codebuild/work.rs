//! What a build has to run: a project with its buildspec, or commands.

use std::{
    fs, io,
    path::{Component, Path},
};

use engine_plan::timeout;

use super::{
    build::Build,
    buildspec::Buildspec,
    commands,
    container::{self, Container},
    environment, is_project_name,
    stored::{Declared, Reference},
};
use crate::{config::CodebuildConfig, provider::Trouble};

/// CodeBuild's default build timeout.
const TIMEOUT_MINUTES: u32 = 60;
/// A buildspec is not longer than this.
const BUILDSPEC_BYTES: u64 = 1 << 20;

/// One build before it has its sources.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub project: CodebuildConfig,
    /// The action's environment.
    pub variables: Declared,
    /// Of Commands; a buildspec lies in the sources.
    pub spec: Option<Buildspec>,
    /// Of this machine's time.
    pub minutes: u32,
    /// Whether the buildspec says which builds to run.
    pub batch: bool,
}

impl Work {
    /// The project's own variables.
    pub fn declared(&self) -> Declared {
        let parameters = self.project.parameter_store.iter();
        let secrets = self.project.secrets_manager.iter();
        let parameters = parameters.map(|(k, v)| (k.clone(), Reference::Parameter(v.clone())));
        let secrets = secrets.map(|(k, v)| (k.clone(), Reference::Secret(v.clone())));
        Declared {
            plain: self.project.environment.clone(),
            stored: parameters.chain(secrets).collect(),
        }
    }
}

/// The buildspec's text and what people call it.
pub(super) struct SpecText {
    pub name: String,
    pub text: String,
}

impl Build<'_> {
    /// What there is to run, as far as it is known before the sources are there.
    pub(super) fn work(&self) -> Result<Work, Trouble> {
        if commands::is_one(self.task) {
            let spec = commands::spec(self.task)?;
            let group = commands::log_group(self.task);
            self.say(&format!("Log group {group}, build {}", self.build_id()));
            return Ok(Work {
                project: CodebuildConfig::default(),
                variables: commands::environment(self.task)?,
                spec: Some(spec),
                minutes: timeout::COMMANDS,
                batch: false,
            });
        }
        let project = self.project()?;
        let variables = environment::action_variables(self.setting("EnvironmentVariables"))
            .map_err(|error| Trouble::configuration(error.to_string()))?;
        Ok(Work {
            variables,
            spec: None,
            minutes: project.timeout_minutes.unwrap_or(TIMEOUT_MINUTES),
            project,
            batch: self.setting("BatchEnabled") == Some("true"),
        })
    }

    pub(super) fn setting(&self, name: &str) -> Option<&str> {
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
        let on = |setting: &str| self.setting(setting) == Some("true");
        if on("CombineArtifacts") && !on("BatchEnabled") {
            return refuse(format!(
                "action {}: CombineArtifacts needs BatchEnabled",
                self.task.action
            ));
        }
        let project = self.workshop.config.codebuild.get(name);
        if project.is_none() {
            self.say(&format!(
                "stagewright.toml has no [codebuild.{name}]: buildspec.yml and CodeBuild's defaults are used"
            ));
        }
        Ok(project.cloned().unwrap_or_default())
    }

    /// Where the project's image runs; `None`: on this machine.
    pub(super) fn container(
        &self,
        project: &CodebuildConfig,
    ) -> Result<Option<Container>, Trouble> {
        let image = project.image.as_deref().filter(|image| *image != "host");
        let Some(image) = image else {
            return Ok(None);
        };
        let named = self.workshop.config.engine.containers.as_deref();
        let Some(program) = container::program(named) else {
            let wanted = named.unwrap_or("Docker or Podman");
            let name = self.project_name();
            return Err(Trouble::configuration(format!(
                "project {name}: the image {image} needs {wanted}, which is not installed: set [codebuild.{name}] image = \"host\" to build on this machine"
            )));
        };
        let id = self.build_id();
        let id = id.rsplit(':').next().unwrap_or_default();
        self.say(&format!("Image {image}, run by {}", program.display()));
        Ok(Some(Container {
            program,
            image: image.to_owned(),
            name: format!("stagewright-{id}"),
            mount: self.workshop.scratch(""),
        }))
    }

    pub(super) fn project_name(&self) -> &str {
        self.setting("ProjectName").unwrap_or_default()
    }

    pub(super) fn spec_text(
        &self,
        project: &CodebuildConfig,
        source: &Path,
    ) -> Result<SpecText, Trouble> {
        let own = self.member.and_then(|member| member.buildspec.as_deref());
        let place = own
            .or_else(|| self.setting("BuildspecOverride"))
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
}
