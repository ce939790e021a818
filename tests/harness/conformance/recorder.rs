//! The functions of the cases: they note what they are called with, and the cases report in their place.

use std::{fs, path::PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::workspace::{root, stagewright};

/// Function names and how they behave: `Note` answers nothing, `Refuse` ends in an error.
const FUNCTIONS: [(&str, &str); 2] = [("Note", "append"), ("Refuse", "refuse")];

/// What one engine's functions were called with.
#[derive(Debug)]
pub struct Recorder {
    folder: TempDir,
}

impl Recorder {
    /// A new one, with the configuration that an engine needs for it.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let recorder = Self { folder };
        let shared = root().join("tests/conformance/stagewright.toml");
        let mut text = fs::read_to_string(shared).expect("the cases' configuration");
        let misbehave = stagewright().with_file_name("misbehave");
        let file = recorder.file();
        for (name, how) in FUNCTIONS {
            text += &format!("\n[function.{name}]\ncommand = [{misbehave:?}, {how:?}, {file:?}]\n");
        }
        fs::write(recorder.config(), text).expect("a file");
        recorder
    }

    /// The engine's configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("stagewright.toml")
    }

    /// The events so far, in order.
    pub fn calls(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.file()).unwrap_or_default();
        let lines = text.lines().map(serde_json::from_str);
        lines.map_while(Result::ok).collect()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("calls.jsonl")
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}
