//! The interpreter as a whole: cases, recorded executions, determinism.
#![expect(clippy::panic, reason = "a case that cannot be read ends the test")]

mod cases;
mod drive;
mod looped;
mod recorded;
mod soak;
mod trials;
