//! The package: the first artifact's files with the second's on top, as one zip.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use shared::{
    archive::{ArchiveError, Limits, Symlinks, extract, files_below, pack},
    fault::{Fault, FaultKind},
    job::Job,
    port::{Artifacts, PortError},
};
use tempfile::TempDir;

/// A package ready to upload.
#[derive(Debug)]
pub struct Package {
    folder: TempDir,
    /// SHA-256 of the zip, in hexadecimal: the same files give the same.
    pub hash: String,
}

/// Larger artifacts are no skill's package.
const LIMIT: u64 = 200 * 1024 * 1024;
/// A package is refused by the vendor long before.
const LIMITS: Limits = Limits {
    entries: 10_000,
    bytes: 400 * 1024 * 1024,
    symlinks: Symlinks::Refuse,
    ..Limits::DEFAULT
};
const CHUNK: usize = 64 * 1024;
const ZIP: &str = "package.zip";
/// What every package has at its root.
const MANIFEST: &str = "skill.json";

impl Package {
    /// Where the zip lies.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(ZIP)
    }

    /// Reads the job's artifacts and makes the package.
    ///
    /// # Errors
    /// When an artifact is missing or broken, or the manifest is not there.
    pub async fn of(artifacts: &impl Artifacts, job: &Job) -> Result<Self, Fault> {
        if job.inputs.is_empty() {
            return Err(Fault::new(
                FaultKind::Configuration,
                "the action needs the skill's package as its input artifact",
            ));
        }
        let folder = TempDir::new().map_err(disk)?;
        let mut files = Vec::new();
        for (number, artifact) in job.inputs.iter().enumerate() {
            let to = folder.path().join(format!("artifact-{number}"));
            let read = artifacts.download(job.credentials.as_ref(), artifact, &to, LIMIT);
            read.await.map_err(|error| match error {
                PortError::NotFound { .. } => Fault::new(
                    FaultKind::Artifact,
                    format!("the artifact {} is not in its bucket", artifact.name),
                )
                .because(error),
                error => error.into(),
            })?;
            files.push((artifact.name.to_string(), to));
        }
        let made = tokio::task::spawn_blocking(move || made(folder, &files)).await;
        made.map_err(|error| {
            Fault::new(FaultKind::Internal, "making the package broke").because(error)
        })?
    }
}

fn made(folder: TempDir, artifacts: &[(String, PathBuf)]) -> Result<Package, Fault> {
    let root = folder.path().join("files");
    for (number, (name, path)) in artifacts.iter().enumerate() {
        let unusable = |error: ArchiveError| {
            let text = format!("the artifact {name}: {error}");
            Fault::new(FaultKind::Artifact, text).because(error)
        };
        // Each is unpacked by itself, so that a name can be there twice, and then laid over what is there.
        let own = folder.path().join(format!("files-{number}"));
        extract(File::open(path).map_err(disk)?, &own, &LIMITS).map_err(unusable)?;
        for file in files_below(&own).map_err(unusable)? {
            let to = root.join(&file);
            if let Some(parent) = to.parent() {
                std::fs::create_dir_all(parent).map_err(|error| laid(name, error))?;
            }
            std::fs::rename(own.join(&file), to).map_err(|error| laid(name, error))?;
        }
    }
    if !root.join(MANIFEST).is_file() {
        let name = &artifacts[0].0;
        return Err(Fault::new(
            FaultKind::Artifact,
            format!("the artifact {name} is no skill package: it has no {MANIFEST} at its root"),
        ));
    }
    let packing = |error: ArchiveError| {
        Fault::new(FaultKind::Internal, format!("packing the skill: {error}")).because(error)
    };
    let files = files_below(&root).map_err(packing)?;
    let zip = folder.path().join(ZIP);
    pack(&root, &files, File::create(&zip).map_err(disk)?).map_err(packing)?;
    let hash = hashed(&zip).map_err(disk)?;
    Ok(Package { folder, hash })
}

fn hashed(zip: &Path) -> io::Result<String> {
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    let mut file = File::open(zip)?;
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&chunk[..read]),
        }
    }
}

fn disk(error: io::Error) -> Fault {
    Fault::new(FaultKind::Internal, "no file could be written in /tmp").because(error)
}

fn laid(name: &str, error: io::Error) -> Fault {
    Fault::new(
        FaultKind::Artifact,
        format!(
            "the artifact {name} has a file where another artifact has a folder, or the reverse"
        ),
    )
    .because(error)
}
