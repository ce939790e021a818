//! Seeded choices: the same seed gives the same choices, so that a failure can be repeated.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Names the seed of every test that uses one.
const SEED: &str = "STAGEWRIGHT_TEST_SEED";

/// A small generator (splitmix64).
#[derive(Debug)]
pub struct Chance {
    /// What it began with.
    pub seed: u64,
    state: u64,
}

impl Chance {
    /// From the environment if it names a seed, and otherwise a new one; told on standard error.
    ///
    /// # Panics
    /// When the environment names something that is no number.
    pub fn new(test: &str) -> Self {
        let seed = match std::env::var(SEED) {
            Ok(text) => text.parse().expect("a seed is a number"),
            Err(_) => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(1, |d| u64::from(d.subsec_nanos())),
        };
        eprintln!("{test}: {SEED}={seed}");
        Self::seeded(seed)
    }

    /// With this seed.
    pub const fn seeded(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// Any number.
    pub const fn any(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.any() % end
    }

    /// A time from `from` to `to` milliseconds.
    pub const fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_micros(from * 1_000 + self.below((to - from) * 1_000))
    }
}
