//! The Amazon States Language: checked definitions and `step(machine, input) -> effects`.
//!
//! Pure: no files, network, clock, randomness or async runtime. Time and randomness come with each [`event::Input`].
//! The engine journals inputs and performs effects; the same inputs give the same history, event for event.

mod batch;
pub mod chance;
mod choice;
pub mod context;
pub mod definition;
pub mod diagnostic;
pub mod effect;
mod env;
mod evaluate;
pub mod event;
pub mod history;
mod integration;
mod intrinsic;
pub mod items;
pub mod jsonata;
pub mod limit;
pub mod machine;
pub mod path;
mod payload;
pub mod resource;
pub mod results;
mod retry;
mod schema;
pub mod step;
mod template;
pub mod trial;
mod trouble;
