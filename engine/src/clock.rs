//! The engine's time: the machine's, or one that jumps to the next due timer (`--fast-clock`).

use jiff::Timestamp;

/// A clock; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Clock;

impl Clock {
    /// Now.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
