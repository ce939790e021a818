//! EventBridge events that left the engine: kept, numbered, and broadcast to whoever listens.

/// Clones share it.
#[derive(Clone, Default)]
pub struct Bus;
