//! UPLOAD_ARTIFACTS: the zips of finished builds, each where its output artifact belongs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use engine_plan::effect::ArtifactLocation;
use shared::archive::{self, Limits, Packed};

use super::{
    artifacts,
    build::{Build, Built},
    buildspec::ArtifactSpec,
    commands,
};
use crate::provider::{Trouble, artifact, chain};

const PHASE: &str = "UPLOAD_ARTIFACTS";

impl Build<'_> {
    /// Of a build alone: `artifacts`, or `secondary-artifacts` by their names.
    pub(super) async fn upload(&self, built: &Built) -> Result<(), Trouble> {
        let outputs = &self.task.outputs;
        if !outputs.is_empty() {
            self.tell("Phase UPLOAD_ARTIFACTS").await;
        }
        for output in outputs {
            match artifacts::definition(&built.spec, outputs.len(), &output.name) {
                Some(definition) => self.make(definition, &built.source, output).await?,
                None => self.missing(output),
            }
        }
        Ok(())
    }

    /// Of a batch: `BUILD` is that build's `artifacts`, `BUILD_ARTIFACT` one of its `secondary-artifacts`.
    pub(super) async fn upload_batch(&self, all: &[(&str, &Built)]) -> Result<(), Trouble> {
        for output in &self.task.outputs {
            let made = all.iter().find_map(|(build, built)| {
                let definition = match output.name.strip_prefix(build)? {
                    "" => built.spec.artifacts.as_ref(),
                    rest => built.spec.secondary.get(rest.strip_prefix('_')?),
                };
                Some((definition?, built))
            });
            match made {
                Some((definition, built)) => self.make(definition, &built.source, output).await?,
                None => self.missing(output),
            }
        }
        Ok(())
    }

    /// Of a batch, everything in one artifact: a folder `BUILD` for each build's `artifacts`, `BUILD_ARTIFACT` for each
    /// of its `secondary-artifacts`.
    pub(super) async fn upload_combined(&self, all: &[(&str, &Built)]) -> Result<(), Trouble> {
        let [output] = self.task.outputs.as_slice() else {
            return Err(Trouble::configuration(format!(
                "action {}: with CombineArtifacts it has exactly one output artifact",
                self.task.action
            )));
        };
        let folder = self.scratch("combined");
        for (build, built) in all {
            let primary = built
                .spec
                .artifacts
                .iter()
                .map(|it| ((*build).to_owned(), it));
            let secondary = built.spec.secondary.iter();
            let secondary = secondary.map(|(name, it)| (format!("{build}_{name}"), it));
            for (name, definition) in primary.chain(secondary) {
                let (zip, _) = self.collected(definition, &built.source, &name).await?;
                let to = folder.join(&name);
                let put = move || {
                    let open = fs::File::open(zip).map_err(|error| error.to_string())?;
                    archive::extract(io::BufReader::new(open), &to, &Limits::DEFAULT)
                        .map_err(|error| chain(&error))
                };
                self.blocking(put).await?;
            }
        }
        if !folder.is_dir() {
            self.missing(output);
            return Ok(());
        }
        let everything = ArtifactSpec {
            files: vec!["**/*".to_owned()],
            ..ArtifactSpec::default()
        };
        self.make(&everything, &folder, output).await
    }

    fn missing(&self, output: &ArtifactLocation) {
        let what = if commands::is_one(self.task) {
            "The action names no files for the"
        } else {
            "The buildspec makes no"
        };
        self.say(&format!(
            "{what} artifact {}: an action that needs it will fail",
            output.name
        ));
    }

    async fn make(
        &self,
        definition: &ArtifactSpec,
        source: &Path,
        output: &ArtifactLocation,
    ) -> Result<(), Trouble> {
        let (zip, packed) = self.collected(definition, source, &output.name).await?;
        let key = self.task.encryption_key.as_ref();
        artifact::store(&self.workshop.objects, output, key, &zip)
            .await
            .map_err(|error| self.ended(PHASE, &chain(&error)))?;
        self.say(&format!(
            "Artifact {}: {} files, {} bytes",
            output.name, packed.files, packed.bytes
        ));
        Ok(())
    }

    async fn collected(
        &self,
        definition: &ArtifactSpec,
        source: &Path,
        name: &str,
    ) -> Result<(PathBuf, Packed), Trouble> {
        let (definition, from) = (definition.clone(), source.to_owned());
        let zip = self.scratch(&format!("{name}.zip"));
        let aside = self.scratch(&format!("aside-{name}"));
        let to = zip.clone();
        let collect = move || {
            artifacts::collect(&definition, &from, &aside, &to).map_err(|error| chain(&error))
        };
        Ok((zip, self.blocking(collect).await?))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, Trouble> {
        let done = tokio::task::spawn_blocking(work).await;
        let done = done.unwrap_or_else(|error| Err(error.to_string()));
        done.map_err(|problem| self.ended(PHASE, &problem))
    }
}
