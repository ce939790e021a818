//! Stand-ins of third-party services: their documented shapes, statuses and quirks, state by the test's clock, and every
//! kind of mischief on demand.
//!
//! A vendor is one [`StandIn`]. A [`Stage`] carries it, keeps every request and plays [`Trick`]s; over it go an
//! action's calls, in memory ([`Stage::http`]) or over HTTP ([`Stage::serve`]).

pub mod alexa;
pub mod aws;
mod bad_answers;
pub mod blazemeter_monitoring;
mod calls;
pub mod code_host;
pub mod ghost_inspector;
pub mod identity;
pub mod jenkins;
pub mod loadrunner_cloud;
mod memory;
mod message;
pub mod secrets;
mod serve;
pub mod slack;
mod stage;

pub use bad_answers::{bad_answers, passing_trouble};
pub use memory::InMemory;
pub use message::{Asked, Reply};
pub use serve::Served;
pub use stage::{Answered, Record, Stage, Trick};

use jiff::Timestamp;

/// A vendor.
pub trait StandIn: Send + 'static {
    /// Answers a request. Runs move on by `now` alone.
    fn handle(&mut self, request: &Asked, now: Timestamp) -> Reply;
}
