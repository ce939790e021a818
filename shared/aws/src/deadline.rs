//! When the current invocation ends: bounds every call, retries included.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;

/// The deadline of the event in hand. An execution environment handles one event at a time, so one is enough.
#[derive(Debug, Clone)]
pub struct Deadline(Arc<AtomicI64>);

/// The bound outside an invocation (during init).
const UNBOUNDED: i64 = i64::MAX;

impl Default for Deadline {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(UNBOUNDED)))
    }
}

impl Deadline {
    /// Sets the deadline of the event that starts.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.as_millisecond(), Ordering::Relaxed);
    }

    /// Time left, if a deadline is set; zero when it has passed.
    pub fn left(&self, now: Timestamp) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            UNBOUNDED => None,
            at => {
                let left = at.saturating_sub(now.as_millisecond());
                Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_counts_down_to_zero() {
        let deadline = Deadline::default();
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        assert_eq!(deadline.left(at(5)), None);
        deadline.set(at(1000));
        assert_eq!(deadline.left(at(400)), Some(Duration::from_millis(600)));
        assert_eq!(deadline.left(at(2000)), Some(Duration::ZERO));
    }
}
