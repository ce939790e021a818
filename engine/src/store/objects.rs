//! S3: versioned objects in files.

/// Clones share it.
#[derive(Clone, Default)]
pub struct ObjectStore;
