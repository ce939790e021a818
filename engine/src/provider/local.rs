//! `--source ACTION=PATH`: a folder, a zip or a git repository of this machine in place of an action's source.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use engine_plan::effect::{ActionTask, ArtifactLocation};
use sha2::{Digest, Sha256};
use shared::archive::{self, Limits};

use super::{Trouble, artifact, chain, workshop::Workshop};

/// Never part of a source: the engine's own state, and git's.
const LEFT_OUT: [&str; 2] = [".stagewright", ".git"];

/// What the path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// A git repository, with or without work tree.
    Repository(PathBuf),
    /// A folder that is none.
    Folder(PathBuf),
    /// A file, taken as it is.
    File(PathBuf),
}

/// What was stored in place of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// SHA-256 of the artifact in hex.
    pub hash: String,
    /// A sentence about it.
    pub summary: String,
}

/// Looks what is at the path.
///
/// # Errors
/// Nothing is there.
pub fn look(action: &str, path: &Path) -> Result<Local, Trouble> {
    let missing = |error: io::Error| {
        Trouble::configuration(format!("--source {action}={}: {error}", path.display()))
    };
    let about = fs::metadata(path).map_err(missing)?;
    let path = std::path::absolute(path).map_err(missing)?;
    if about.is_file() {
        return Ok(Local::File(path));
    }
    let bare = path.join("HEAD").is_file() && path.join("objects").is_dir();
    if path.join(".git").exists() || bare {
        return Ok(Local::Repository(path));
    }
    Ok(Local::Folder(path))
}

/// Stores it as the artifact: a folder is packed, a file must be a zip archive.
///
/// # Errors
/// It cannot be read, packed or stored.
pub async fn store(
    local: &Local,
    task: &ActionTask,
    workshop: &Workshop,
    output: &ArtifactLocation,
) -> Result<Stored, Trouble> {
    let (zip, summary) = match local {
        Local::Repository(path) | Local::Folder(path) => {
            let zip = workshop.scratch("local.zip");
            let (from, to) = (path.clone(), zip.clone());
            blocking(move || pack(&from, &to)).await?;
            (zip, format!("folder {}", path.display()))
        }
        Local::File(path) => {
            let file = path.clone();
            blocking(move || {
                let open = fs::File::open(&file).map_err(|e| e.to_string())?;
                archive::names(io::BufReader::new(open), &Limits::DEFAULT)
                    .map(|_| ())
                    .map_err(|error| format!("{}: {}", file.display(), chain(&error)))
            })
            .await?;
            (path.clone(), format!("file {}", path.display()))
        }
    };
    workshop.log(&format!("Taking the {summary} in place of the source"));
    artifact::store(
        &workshop.objects,
        output,
        task.encryption_key.as_ref(),
        &zip,
    )
    .await?;
    let hash = blocking(move || sha256(&zip).map_err(|e| e.to_string())).await?;
    Ok(Stored { hash, summary })
}

fn pack(folder: &Path, to: &Path) -> Result<(), String> {
    let mut files = archive::files_below(folder).map_err(|e| chain(&e))?;
    files.retain(|file| {
        let first = file.components().next();
        !first.is_some_and(|part| LEFT_OUT.iter().any(|name| part.as_os_str() == *name))
    });
    let out = fs::File::create_new(to).map_err(|e| e.to_string())?;
    archive::pack(folder, &files, out).map_err(|e| chain(&e))?;
    Ok(())
}

fn sha256(file: &Path) -> io::Result<String> {
    let mut from = fs::File::open(file)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match io::Read::read(&mut from, &mut piece)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&piece[..read]),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Trouble> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Trouble::job),
        Err(error) => Err(Trouble::job(error.to_string())),
    }
}
