//! DOWNLOAD_SOURCE: sources, buildspec, cache and variables of a build.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::PoisonError,
};

use engine_plan::effect::ArtifactLocation;
use shared::secret::Secret;
use tokio_util::sync::CancellationToken;

use super::{
    build::Build,
    buildspec::{self, Buildspec},
    cache, primary,
    stored::Declared,
    work::Work,
};
use crate::{
    config::CodebuildConfig,
    provider::{Trouble, artifact, chain, git},
};

impl Build<'_> {
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
    pub(super) async fn values(
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
    pub(super) async fn restore(
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
}
