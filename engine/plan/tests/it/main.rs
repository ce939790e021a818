//! The planner as its callers see it: scenarios, the checks of definitions, and a comparison with a simple model.

mod flow;
mod harness;
