//! Time under a test's control.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use shared::port::{Clock, Timer};
use tokio::time::Instant;

/// 2026-01-02T03:04:05Z, when tests begin.
pub const BEGINNING: Timestamp = Timestamp::constant(1_767_323_045, 0);

/// A clock that stands still until it is moved.
#[derive(Debug, Clone)]
pub struct FixedClock(Arc<Mutex<Timestamp>>);

impl FixedClock {
    /// Stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Moves forward.
    pub fn step(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += by;
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::at(BEGINNING)
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It stands still: no wait ends.
impl Timer for FixedClock {
    async fn sleep(&self, _: Duration) {
        std::future::pending().await
    }
}

/// Clock and timer of tokio's test runtime: with `#[tokio::test(start_paused = true)]` every sleep ends at once, in
/// order, as soon as nothing else can run, and `tokio::time::advance` moves the clock by hand.
#[derive(Debug, Clone, Copy)]
pub struct VirtualTime {
    start: Instant,
}

impl VirtualTime {
    /// Begins at [`BEGINNING`]. To be called inside the runtime.
    pub fn begin() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Clock for VirtualTime {
    fn now(&self) -> Timestamp {
        BEGINNING + self.start.elapsed()
    }
}

impl Timer for VirtualTime {
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
