//! What must be installed: Chromium, and axe-core.

use std::{fs, path::PathBuf};

use crate::workspace::root;

/// The program, if it is here. In CI it must be.
pub fn chromium() -> Option<PathBuf> {
    let places = [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
    ];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "chromium is not installed: run `make test-browser`"
        );
        eprintln!(
            "SKIPPED: chromium is not installed (Debian: apt-get install chromium), so nothing is tried in a browser"
        );
    }
    found
}

/// The text of axe-core, if it is here. In CI it must be.
pub fn axe() -> Option<String> {
    let path = root().join("target/browser/node_modules/axe-core/axe.min.js");
    let text = fs::read_to_string(path).ok();
    if text.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "axe-core is not installed: run `make test-browser`"
        );
        eprintln!(
            "SKIPPED: axe-core is not installed under target/browser (`make test-browser` does it where npm is)"
        );
    }
    text
}
