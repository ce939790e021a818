//! Temporary credentials that open exactly one job's artifacts.

/// Clones share it.
#[derive(Clone, Default)]
pub struct Vault;
