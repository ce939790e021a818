//! The checked pipeline definition and the state machine: `step(state, input) -> (answer, effects)`.
//!
//! Pure: no files, network, clock, randomness or async runtime. Time and randomness come with each [`event::Input`].

pub mod action_type;
mod catalog;
pub mod check;
pub mod definition;
pub mod effect;
pub mod event;
pub mod executions;
pub mod gate;
pub mod glob;
pub mod hidden;
mod ids;
pub mod limit;
pub mod model;
pub mod policy;
pub mod polling;
mod queue;
pub mod refusal;
pub mod rule_type;
pub mod schema;
pub mod state;
pub mod step;
pub mod timeout;
pub mod trigger;
pub mod url_template;
pub mod variable;
pub mod view;
pub mod webhook;
pub mod window;
