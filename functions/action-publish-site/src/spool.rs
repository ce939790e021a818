//! The artifact on the function's own disk: downloaded, unpacked with limits, each file measured.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use md5::{Digest, Md5};
use shared::{
    archive::{ArchiveError, Limits, Symlinks, extract, files_below},
    fault::{Fault, FaultKind},
    id::ArtifactName,
    job::Job,
    port::{Artifacts, PortError},
};
use tempfile::TempDir;

use crate::{headers::headers, params::Params, plan::LocalFile};

/// Larger artifacts are refused.
pub const ARTIFACT_LIMIT: u64 = 2 * 1024 * 1024 * 1024;
/// What an artifact may unpack to. With the default 512 MB of `/tmp`, the disk is full before: give the function
/// room for the archive and its content together.
pub const LIMITS: Limits = Limits {
    symlinks: Symlinks::Refuse,
    ..Limits::DEFAULT
};

/// An unpacked site; its folder is deleted when this is dropped.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    /// Every file, as it should be in the bucket.
    pub files: Vec<LocalFile>,
}

impl Site {
    /// Where a file's bytes are.
    pub fn place(&self, file: &LocalFile) -> PathBuf {
        self.folder.path().join(FILES).join(&file.path)
    }
}

const FILES: &str = "files";
const ARCHIVE: &str = "artifact.zip";

/// Downloads the first input artifact with the job's credentials and unpacks it.
pub async fn unpack(artifacts: &impl Artifacts, job: &Job, params: &Params) -> Result<Site, Fault> {
    let Some(artifact) = job.inputs.first() else {
        return Err(Fault::new(
            FaultKind::Configuration,
            "the action has no input artifact: add the artifact that holds the site",
        ));
    };
    let folder = tempfile::tempdir().map_err(|error| disk(&artifact.name, error))?;
    let archive = folder.path().join(ARCHIVE);
    artifacts
        .download(job.credentials.as_ref(), artifact, &archive, ARTIFACT_LIMIT)
        .await
        .map_err(|error| match error {
            PortError::NotFound { .. } => Fault::new(
                FaultKind::Artifact,
                format!("the artifact {} is not in its bucket", artifact.name),
            )
            .because(error),
            error => error.into(),
        })?;
    let name = artifact.name.clone();
    let params = params.clone();
    tokio::task::spawn_blocking(move || measure(folder, &name, &params))
        .await
        .map_err(|error| {
            Fault::new(FaultKind::Internal, "unpacking the artifact broke").because(error)
        })?
}

fn measure(folder: TempDir, name: &ArtifactName, params: &Params) -> Result<Site, Fault> {
    let archive = folder.path().join(ARCHIVE);
    let root = folder.path().join(FILES);
    let unusable = |error: ArchiveError| match error {
        ArchiveError::Io { source, .. } => disk(name, source),
        error => {
            Fault::new(FaultKind::Artifact, format!("the artifact {name}: {error}")).because(error)
        }
    };
    let zip = File::open(&archive).map_err(|error| disk(name, error))?;
    extract(BufReader::new(zip), &root, &LIMITS).map_err(unusable)?;
    std::fs::remove_file(&archive).map_err(|error| disk(name, error))?;
    let files = files_below(&root)
        .map_err(unusable)?
        .into_iter()
        .map(|path| local_file(&root, &path, name, params))
        .collect::<Result<Vec<_>, _>>()?;
    if files.is_empty() {
        return Err(Fault::new(
            FaultKind::Artifact,
            format!("the artifact {name} holds no file: publishing it would empty the site"),
        ));
    }
    Ok(Site { folder, files })
}

fn local_file(
    root: &Path,
    path: &Path,
    name: &ArtifactName,
    params: &Params,
) -> Result<LocalFile, Fault> {
    let unusable = |problem: String| {
        let text = format!("the artifact {name}: the file {path:?} {problem}");
        Fault::new(FaultKind::Artifact, text)
    };
    let text = path
        .to_str()
        .ok_or_else(|| unusable("has a name that is not UTF-8".to_owned()))?;
    let key = format!("{}{text}", params.prefix)
        .parse()
        .map_err(|error| unusable(format!("cannot be an S3 key: {error}")))?;
    let (size, md5) = digest(&root.join(path)).map_err(|error| disk(name, error))?;
    let headers = headers(text, &md5, &params.cache_control);
    Ok(LocalFile {
        key,
        path: text.to_owned(),
        size,
        md5,
        headers,
    })
}

fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut md5 = Md5::new();
    let mut size = 0;
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok((size, hex::encode(md5.finalize()))),
            read => {
                md5.update(&chunk[..read]);
                size += read as u64;
            }
        }
    }
}

fn disk(name: &ArtifactName, error: io::Error) -> Fault {
    let text = match error.kind() {
        io::ErrorKind::StorageFull => format!(
            "the artifact {name} does not fit on the function's disk: give the function more ephemeral storage"
        ),
        _ => format!("the artifact {name} could not be unpacked on the function's disk"),
    };
    Fault::new(FaultKind::Internal, text).because(error)
}
