//! Output of builds and functions: a file per action execution and per function, followed live; and what no action can tell.

mod function;

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use self::function::FunctionLogs;
use crate::bus::{Follower, Ring};

/// Lines kept in memory for followers.
const KEPT: usize = 8_192;
/// Notices kept for followers.
const NOTICES: usize = 64;
/// Open files; all are closed when there are more.
const OPEN: usize = 64;
/// One action's log ends here, so that a build that never stops talking cannot fill the disk.
const LIMIT: u64 = 64 << 20;

/// All output; clones share it.
#[derive(Debug, Clone)]
pub struct Logs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    open: Mutex<HashMap<String, (File, u64)>>,
    ring: Ring<LogLine>,
    functions: FunctionLogs,
    notices: Ring<String>,
}

/// One line of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The pipeline execution.
    pub execution: String,
    /// The action execution.
    pub action_execution: String,
    /// Without its line end.
    pub text: String,
}

impl Logs {
    /// Keeps `<state>/logs/<execution>/<action_execution>.log` and `<state>/logs/functions/NAME.log`.
    pub fn new(state_dir: &std::path::Path) -> Self {
        let folder = state_dir.join("logs");
        Self {
            inner: Arc::new(Inner {
                functions: FunctionLogs::new(&folder),
                folder,
                open: Mutex::default(),
                ring: Ring::new(KEPT),
                notices: Ring::new(NOTICES),
            }),
        }
    }

    /// Adds lines (split at line ends). A log that cannot be written is told once to the engine's own log and costs
    /// no action its outcome.
    pub fn append(&self, execution: &str, action_execution: &str, text: &str) {
        for line in text.lines() {
            if let Err(error) = self.write(execution, action_execution, line) {
                tracing::warn!(%error, execution, action_execution, "output was not kept");
            }
            self.inner.ring.push(LogLine {
                execution: execution.to_owned(),
                action_execution: action_execution.to_owned(),
                text: line.to_owned(),
            });
        }
    }

    /// The text from this byte on, at most `limit` bytes; empty when there is none.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn read(
        &self,
        execution: &str,
        action_execution: &str,
        from: u64,
        limit: u64,
    ) -> io::Result<Vec<u8>> {
        let mut file = match File::open(self.path(execution, action_execution)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        file.seek(SeekFrom::Start(from))?;
        let mut text = Vec::new();
        file.take(limit).read_to_end(&mut text)?;
        Ok(text)
    }

    /// Adds a line to the log of a function that was called outside a pipeline. A line that cannot be written is
    /// told to the engine's own log.
    pub fn append_function(&self, function: &str, line: &str) {
        if let Err(error) = self.inner.functions.append(function, line) {
            tracing::warn!(%error, function, "output was not kept");
        }
    }

    /// The last `limit` bytes of a function's log; empty when there is none.
    ///
    /// # Errors
    /// Those of the file system, and names that are no function's.
    pub fn function_tail(&self, function: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.inner.functions.tail(function, limit)
    }

    /// Names of the functions that have a log.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn functions(&self) -> io::Result<Vec<String>> {
        self.inner.functions.names()
    }

    /// Tells people what no action can tell: a warning for the engine's own log and for those who follow.
    pub fn notice(&self, text: String) {
        tracing::warn!("{text}");
        self.inner.notices.push(text);
    }

    /// Follows notices from the next one on.
    pub fn follow_notices(&self) -> Follower<String> {
        self.inner.notices.follow()
    }

    /// Follows all output from the next line on.
    pub fn follow(&self) -> Follower<LogLine> {
        self.inner.ring.follow()
    }

    /// Where the log of one action execution lies.
    ///
    /// # Errors
    /// Ids that are not plain words.
    pub fn path(&self, execution: &str, action_execution: &str) -> io::Result<PathBuf> {
        let plain =
            |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !plain(execution) || !plain(action_execution) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not an execution id",
            ));
        }
        Ok(self
            .inner
            .folder
            .join(execution)
            .join(format!("{action_execution}.log")))
    }

    fn write(&self, execution: &str, action_execution: &str, line: &str) -> io::Result<()> {
        let path = self.path(execution, action_execution)?;
        let mut open = self
            .inner
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !open.contains_key(action_execution) {
            if open.len() >= OPEN {
                open.clear();
            }
            fs::create_dir_all(path.parent().unwrap_or(&self.inner.folder))?;
            let file = OpenOptions::new().create(true).append(true).open(&path)?;
            let size = file.metadata()?.len();
            open.insert(action_execution.to_owned(), (file, size));
        }
        let Some((file, size)) = open.get_mut(action_execution) else {
            return Ok(());
        };
        let whole = format!("{line}\n");
        let before = *size;
        *size += whole.len() as u64;
        if *size <= LIMIT {
            file.write_all(whole.as_bytes())
        } else if before <= LIMIT {
            file.write_all(b"[the log ends here: it is longer than 64 MiB]\n")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_kept_and_followed() {
        let state = tempfile::tempdir().unwrap();
        let logs = Logs::new(state.path());
        let mut follower = logs.follow();
        logs.append("e-1", "a-1", "one\ntwo\n");
        logs.append("e-1", "a-1", "three");
        assert_eq!(
            logs.read("e-1", "a-1", 0, 100).unwrap(),
            b"one\ntwo\nthree\n"
        );
        assert_eq!(logs.read("e-1", "a-1", 4, 3).unwrap(), b"two");
        assert_eq!(logs.read("e-1", "a-2", 0, 100).unwrap(), b"");
        assert_eq!(follower.next().await.item.text, "one");
        assert_eq!(follower.next().await.item.text, "two");
        let again = Logs::new(state.path());
        again.append("e-1", "a-1", "four");
        assert!(
            again
                .read("e-1", "a-1", 0, 100)
                .unwrap()
                .ends_with(b"three\nfour\n")
        );
    }

    #[test]
    fn an_id_never_leaves_the_folder() {
        let state = tempfile::tempdir().unwrap();
        let logs = Logs::new(state.path());
        assert!(logs.read("..", "a", 0, 1).is_err());
        assert!(logs.path("e", "../../x").is_err());
    }
}
