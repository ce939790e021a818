//! Output of builds and functions, kept by action execution and followed live.

/// Clones share it.
#[derive(Clone, Default)]
pub struct Logs;
