//! Real time: the clock and waiting.

use std::time::Duration;

use jiff::Timestamp;
use shared::port::{Clock, Timer};

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Waiting on tokio's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioTimer;

impl Timer for TokioTimer {
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
