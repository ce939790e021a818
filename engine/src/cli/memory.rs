//! What `run --resume` must know of the run that was cut off.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Name of the file in the state folder.
const FILE: &str = "run.json";

/// The choices of one `run`, kept beside its journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Pipeline name.
    pub pipeline: String,
    /// The execution; empty until it has started.
    pub execution: String,
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
}

impl Memory {
    /// Reads what an earlier run left in the state folder.
    ///
    /// # Errors
    /// When there is a file that cannot be read or understood.
    pub fn read(state: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(state.join(FILE)) {
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
        let mut file = tempfile::NamedTempFile::new_in(state)?;
        serde_json::to_writer_pretty(&mut file, self).map_err(io::Error::other)?;
        file.flush()?;
        file.persist(state.join(FILE)).map_err(|e| e.error)?;
        Ok(())
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
