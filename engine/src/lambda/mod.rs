//! The Lambda host: speaks the Lambda Runtime API to any executable.

/// Clones share it.
#[derive(Clone, Default)]
pub struct LambdaHost;
