//! DynamoDB tables.

/// Clones share it.
#[derive(Clone, Default)]
pub struct Tables;
