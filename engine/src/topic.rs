//! SNS topics and their delivery to functions, HTTP endpoints and mail.

/// Clones share it.
#[derive(Clone, Default)]
pub struct Topics;
