//! Fakes of every port, a wrapper that fails on demand, virtual time, recorded events, and the helper that runs an
//! action with every call failed, lost, cut off and repeated. For tests only.

pub mod approval;
mod describes;
pub mod events;
pub mod everywhere;
pub mod failing;
pub mod html;
pub mod memory;
pub mod play;
pub mod repeat;
pub mod stop;
pub mod time;
pub mod world;

/// For property tests, so that a test crate needs no version and features of its own.
pub use proptest;

pub use describes::describes;
pub use everywhere::{Played, everywhere, failure, over, played};
pub use failing::{Failing, Fate, Mode, Plan};
pub use play::Host;
pub use repeat::{refuses_unknown_parameters, repeat_and_fail};
pub use stop::{Learns, give_up_and_fail};
pub use time::{FixedClock, VirtualTime};
pub use world::{Driven, World};
