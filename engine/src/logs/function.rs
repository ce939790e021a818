//! Output of function calls that belong to no action: one bounded file per function.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A longer file is put aside and a new one begun; one older file is kept.
const LIMIT: u64 = 4 << 20;

/// Files `<state>/logs/functions/NAME.log`.
#[derive(Debug)]
pub(super) struct FunctionLogs {
    folder: PathBuf,
    limit: u64,
    open: Mutex<HashMap<String, (File, u64)>>,
}

impl FunctionLogs {
    pub(super) fn new(logs: &Path) -> Self {
        Self {
            folder: logs.join("functions"),
            limit: LIMIT,
            open: Mutex::default(),
        }
    }

    pub(super) fn append(&self, function: &str, line: &str) -> io::Result<()> {
        let path = self.path(function)?;
        let mut open = self.open();
        if open
            .get(function)
            .is_some_and(|(_, size)| *size >= self.limit)
        {
            open.remove(function);
            fs::rename(&path, path.with_extension("log.1"))?;
        }
        if !open.contains_key(function) {
            fs::create_dir_all(&self.folder)?;
            let file = OpenOptions::new().create(true).append(true).open(&path)?;
            let size = file.metadata()?.len();
            open.insert(function.to_owned(), (file, size));
        }
        let Some((file, size)) = open.get_mut(function) else {
            return Ok(());
        };
        let whole = format!("{line}\n");
        *size += whole.len() as u64;
        file.write_all(whole.as_bytes())
    }

    /// The last `limit` bytes; empty when there is none.
    pub(super) fn tail(&self, function: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut file = match File::open(self.path(function)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let from = file.metadata()?.len().saturating_sub(limit);
        file.seek(SeekFrom::Start(from))?;
        let mut text = Vec::new();
        file.take(limit).read_to_end(&mut text)?;
        Ok(text)
    }

    /// Functions that have said something, by name.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            names.extend(
                name.to_str()
                    .and_then(|n| n.strip_suffix(".log"))
                    .map(str::to_owned),
            );
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Lambda's names: letters, digits, `-` and `_`.
    fn path(&self, function: &str) -> io::Result<PathBuf> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if function.is_empty() || !function.bytes().all(plain) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a function's name",
            ));
        }
        Ok(self.folder.join(format!("{function}.log")))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, (File, u64)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_functions_log_is_bounded_and_stays_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let logs = FunctionLogs {
            limit: 20,
            ..FunctionLogs::new(folder.path())
        };
        assert_eq!(logs.names().unwrap(), [""; 0]);
        for n in 0..9 {
            logs.append("notify", &format!("line {n}")).unwrap();
        }
        logs.append("a_b", "x").unwrap();
        assert_eq!(
            logs.tail("notify", 100).unwrap(),
            b"line 6\nline 7\nline 8\n"
        );
        assert_eq!(logs.tail("notify", 7).unwrap(), b"line 8\n");
        assert_eq!(logs.tail("nobody", 7).unwrap(), b"");
        assert_eq!(logs.names().unwrap(), ["a_b", "notify"]);
        let older = fs::read(folder.path().join("functions/notify.log.1")).unwrap();
        assert_eq!(older, b"line 3\nline 4\nline 5\n");
        for name in ["", "..", "../x", "a/b", "a.log"] {
            assert!(logs.append(name, "x").is_err(), "{name}");
            assert!(logs.tail(name, 1).is_err(), "{name}");
        }
    }
}
