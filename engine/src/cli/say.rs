//! Prints for people. A reader that has gone away (`| head -1`) is no reason to stop, and none to panic.

use std::io::{Write, stderr, stdout};

/// On standard output, as it is.
pub fn say(text: &str) {
    let mut out = stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// One line on standard error.
pub fn complain(line: &str) {
    let _ = writeln!(stderr().lock(), "{line}");
}
