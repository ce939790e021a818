//! What `run --resume` must know of the run that was cut off.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf, absolute},
};

use serde::{Deserialize, Serialize};

use super::args::RunArguments;

/// Name of the file in the state folder.
const FILE: &str = "run.json";
/// Its name while it is being written.
const HALF: &str = "run.json.tmp";

/// The choices of one `run`, kept beside its journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Pipeline name.
    pub pipeline: String,
    /// The execution; empty until it has started.
    pub execution: String,
    /// Client token of the start: finds the execution when the run was cut off before `execution` was written.
    #[serde(default)]
    pub token: String,
    /// The configuration file, absolute.
    pub config: Option<PathBuf>,
    /// Folder that a missing configuration was looked for in.
    pub folder: PathBuf,
    /// Where the engine listened: links in mails point there.
    pub address: Option<SocketAddr>,
    /// `--function`.
    pub functions: BTreeMap<String, String>,
    /// `--source`.
    pub sources: BTreeMap<String, String>,
    /// `--endpoint`.
    pub endpoints: BTreeMap<String, String>,
    /// `--upstream`.
    pub upstream: Option<String>,
    /// The definition's file: a template defines more than its pipeline.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// `--parameter`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

impl Memory {
    /// Of a run that is about to start its execution.
    ///
    /// # Errors
    /// When a relative path cannot be made absolute.
    pub fn of(arguments: &RunArguments, folder: &Path, pipeline: &str) -> io::Result<Self> {
        let map = |pairs: &[(String, String)]| pairs.iter().cloned().collect();
        let mut sources = BTreeMap::new();
        for (action, path) in &arguments.sources {
            let path = absolute(path)?.display().to_string();
            sources.insert(action.clone(), path);
        }
        let config = arguments.engine.config.as_deref();
        Ok(Self {
            pipeline: pipeline.to_owned(),
            token: format!("run-{}", uuid::Uuid::new_v4()),
            config: config.map(absolute).transpose()?,
            folder: absolute(if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            })?,
            functions: map(&arguments.engine.functions),
            sources,
            endpoints: map(&arguments.engine.endpoints),
            upstream: arguments.engine.upstream.clone(),
            file: arguments.file.as_deref().map(absolute).transpose()?,
            parameters: map(&arguments.parameters),
            ..Self::default()
        })
    }

    /// Reads what an earlier run left in the state folder.
    ///
    /// # Errors
    /// When there is a file that cannot be read or understood.
    pub fn read(state: &Path) -> io::Result<Option<Self>> {
        match fs::read(state.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file in one step.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, state: &Path) -> io::Result<()> {
        // Always the same name: what a killed run left half written is written over.
        let half = state.join(HALF);
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&half)?;
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        file.write_all(&text)?;
        fs::rename(half, state.join(FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Memory::read(folder.path()).expect("readable"), None);
        let memory = Memory {
            pipeline: "p".to_owned(),
            address: "127.0.0.1:4599".parse().ok(),
            ..Memory::default()
        };
        memory.write(folder.path()).expect("writable");
        assert_eq!(Memory::read(folder.path()).expect("readable"), Some(memory));
    }
}
