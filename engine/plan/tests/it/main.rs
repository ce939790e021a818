//! The planner as its callers see it: scenarios, the checks of definitions, and a comparison with a simple model.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod checks;
mod conditions;
mod flow;
mod harness;
mod job;
mod model;
mod rule_jobs;
mod stages;
mod timeouts;
