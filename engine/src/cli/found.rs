//! What a template defines beside its pipeline becomes configuration; what `stagewright.toml` says wins.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use serde_json::json;

use super::{Stop, failed, load, load::Choice, wrong};
use crate::{
    app::App,
    config::{
        BucketConfig, CodebuildConfig, Config, FunctionConfig, SubscriptionConfig, TopicConfig,
    },
    face::states,
    provider::codebuild::container_program,
    template::found::{Code, Definition, Found, FoundFunction, FoundMachine, substituted},
};

/// Folder in the state folder for code that a template holds itself.
const CODE: &str = "template";
/// The runtime client that a function in Node brings along; another is looked for in `PATH`.
const NODE_CLIENT: &str = "node_modules/.bin/aws-lambda-ric";
/// Protocols that topics deliver by.
const PROTOCOLS: [&str; 4] = ["lambda", "email", "http", "https"];

/// What was found in the template, and where it is.
pub(super) struct Surroundings {
    found: Found,
    folder: PathBuf,
    code: PathBuf,
    /// What people are told.
    pub(super) notes: Vec<String>,
}

/// The image of a build project that can be had here, or why its builds run on this machine.
fn image(named: Option<&str>, containers: Option<&str>) -> (Option<String>, Option<String>) {
    let why = match named {
        None => return (None, None),
        Some(own) if own.starts_with("aws/codebuild/") => "CodeBuild alone has it",
        Some(_) if container_program(containers).is_none() => {
            "neither Docker nor Podman is installed"
        }
        Some(image) => return (Some(image.to_owned()), None),
    };
    let named = named.unwrap_or_default();
    let note = format!("builds run on this machine and not in {named}: {why}");
    (None, Some(note))
}

/// How a function is started, and what is missing.
#[derive(Default)]
struct Program {
    command: Option<Vec<String>>,
    cwd: Option<PathBuf>,
    note: Option<String>,
}

impl Program {
    fn missing(note: &str) -> Self {
        Self {
            note: Some(note.to_owned()),
            ..Self::default()
        }
    }
}

impl Surroundings {
    /// Of a definition's file; nothing when it is no template.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn of(file: &Path, choice: &Choice, state_dir: &Path) -> Result<Self, Stop> {
        let found = load::found(file, choice).map_err(wrong)?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        Ok(Self {
            notes: found.notes.clone(),
            found,
            folder: std::path::absolute(folder).map_err(failed)?,
            code: std::path::absolute(state_dir).map_err(failed)?.join(CODE),
        })
    }

    /// Adds what the configuration does not name itself.
    ///
    /// # Errors
    /// Code of the template cannot be written to the state folder.
    pub(super) fn merge(&mut self, config: &mut Config) -> Result<(), Stop> {
        for (name, bucket) in &self.found.buckets {
            config.bucket.entry(name.clone()).or_insert(BucketConfig {
                versioned: bucket.versioned,
                website: bucket.website,
            });
        }
        for (name, pairs) in &self.found.topics {
            let known = |(protocol, _): &&(String, String)| PROTOCOLS.contains(&protocol.as_str());
            let subscriptions =
                pairs
                    .iter()
                    .filter(known)
                    .map(|(protocol, endpoint)| SubscriptionConfig {
                        protocol: protocol.clone(),
                        endpoint: endpoint.clone(),
                    });
            let subscriptions = subscriptions.collect();
            let topic = config.topic.entry(name.clone());
            topic.or_insert(TopicConfig { subscriptions });
        }
        for (name, build) in &self.found.builds {
            if config.codebuild.contains_key(name) {
                continue;
            }
            let containers = config.engine.containers.as_deref();
            let (image, note) = image(build.image.as_deref(), containers);
            self.notes
                .extend(note.map(|note| format!("{name}: {note}")));
            let project = config.codebuild.entry(name.clone());
            project.or_insert(CodebuildConfig {
                buildspec: build.buildspec.clone(),
                environment: build.environment.clone(),
                parameter_store: build.parameter_store.clone(),
                secrets_manager: build.secrets_manager.clone(),
                timeout_minutes: build.timeout_minutes,
                cache: build.cache,
                image,
            });
        }
        for (name, function) in &self.found.functions {
            if config.function.contains_key(name) {
                continue;
            }
            let Program { command, cwd, note } = self.program(name, function)?;
            self.notes
                .extend(note.map(|note| format!("{name}: {note}")));
            let settings = FunctionConfig {
                command,
                cwd,
                environment: function.environment.clone(),
                timeout_seconds: function.timeout_seconds.clamp(1, 900),
                memory_mb: function.memory_mb.clamp(128, 10_240),
                url: false,
            };
            config.function.insert(name.clone(), settings);
        }
        Ok(())
    }

    fn program(&self, name: &str, function: &FoundFunction) -> Result<Program, Stop> {
        let runtime = function.runtime.as_str();
        let folder = match &function.code {
            Code::Folder(folder) => self.folder.join(folder),
            Code::Elsewhere => {
                let note = "its code is in a bucket: give [function] a command, or a workspace binary of this name is taken";
                return Ok(Program::missing(note));
            }
            Code::Inline(text) => {
                let folder = self.code.join(name);
                let ending = if runtime.starts_with("node") {
                    "js"
                } else {
                    "py"
                };
                let written = fs::create_dir_all(&folder)
                    .and_then(|()| fs::write(folder.join(format!("index.{ending}")), text));
                written
                    .with_context(|| {
                        format!(
                            "the code of {name} cannot be written to {}",
                            folder.display()
                        )
                    })
                    .map_err(failed)?;
                folder
            }
        };
        let command = |words: &[&str]| Some(words.iter().map(|it| (*it).to_owned()).collect());
        let handler = function.handler.as_str();
        let found = match runtime {
            it if it.starts_with("python") => command(&["python3", "-m", "awslambdaric", handler]),
            it if it.starts_with("nodejs") => {
                let own = folder.join(NODE_CLIENT);
                let client = own.to_str().filter(|_| own.is_file());
                command(&[client.unwrap_or("aws-lambda-ric"), handler])
            }
            _ if folder.join("bootstrap").is_file() => command(&["./bootstrap"]),
            it => {
                let note = format!(
                    "no program of runtime {it} is in {}: give [function.{name}] a command, or a workspace binary of this name is taken",
                    folder.display()
                );
                return Ok(Program::missing(&note));
            }
        };
        Ok(Program {
            command: found,
            cwd: Some(folder),
            note: None,
        })
    }

    /// Makes the state machines, or changes those that are there.
    ///
    /// # Errors
    /// A definition that cannot be read, or that Step Functions refuses.
    pub(super) fn machines(&self, app: &App) -> Result<(), Stop> {
        for (name, machine) in &self.found.machines {
            let definition = self.definition(name, machine)?;
            let role = format!("arn:aws:iam::{}:role/template", app.config.engine.account);
            let kind = if machine.express {
                "EXPRESS"
            } else {
                "STANDARD"
            };
            let body =
                json!({"name": name, "definition": definition, "roleArn": role, "type": kind});
            let made = match states::create(app, &body) {
                Err(fault) if fault.code == "StateMachineAlreadyExists" => {
                    let arn = app.workflows.arn("stateMachine", name);
                    states::update(
                        app,
                        &json!({"stateMachineArn": arn, "definition": definition}),
                    )
                }
                other => other,
            };
            made.map_err(|fault| {
                wrong(anyhow!(
                    "state machine {name}: {}: {}",
                    fault.code,
                    fault.message
                ))
            })?;
        }
        Ok(())
    }

    fn definition(&self, name: &str, machine: &FoundMachine) -> Result<String, Stop> {
        match &machine.definition {
            Definition::Text(text) => Ok(text.clone()),
            Definition::File(file, by) => {
                let path = self.folder.join(file);
                let text = fs::read_to_string(&path)
                    .with_context(|| {
                        format!("state machine {name}: {} cannot be read", path.display())
                    })
                    .map_err(wrong)?;
                let text = substituted(&text, by);
                let json = load::parse(&path.display().to_string(), &text).map_err(wrong)?;
                Ok(json.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_taken_where_it_can_be_run() {
        let here = std::env::current_exe().expect("a program");
        let here = here.to_str();
        assert_eq!(image(None, here), (None, None));
        let taken = (Some("node:20".to_owned()), None);
        assert_eq!(image(Some("node:20"), here), taken);
        for (named, containers, expected) in [
            ("aws/codebuild/standard:7.0", here, "CodeBuild alone has it"),
            (
                "node:20",
                Some("/no/such/program"),
                "neither Docker nor Podman",
            ),
        ] {
            let (taken, note) = image(Some(named), containers);
            let note = note.expect("a note");
            assert_eq!(taken, None);
            assert!(note.contains(named) && note.contains(expected), "{note}");
        }
    }
}
