//! The whole function against the in-memory world.

mod audit;
mod conditions;
mod machines;
mod modes;
mod newer;
mod once;
mod outside;
mod renewals;
mod reviews;
mod rounds;
mod scene;
