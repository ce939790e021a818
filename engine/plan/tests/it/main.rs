//! The planner as its callers see it: scenarios, the checks of definitions, and a comparison with a simple model.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod archive;
mod cases;
mod checks;
mod conditions;
mod definitions;
mod flow;
mod harness;
mod histories;
mod job;
mod modes;
mod reference;
mod retries;
mod rule_jobs;
mod stages;
mod timeouts;
mod triggers;
mod variables;
mod webhook;
mod worker;
