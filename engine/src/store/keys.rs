//! KMS keys.

/// Clones share it.
#[derive(Clone, Default)]
pub struct Keys;
