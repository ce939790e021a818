//! EventBridge's decisions: which events a rule wants, which targets it has, and what a target gets.
//!
//! Pure: no files, network, clock, randomness or async runtime. The engine keeps the [`book::Book`] and delivers.

pub mod book;
pub mod condition;
pub mod input;
mod locate;
pub mod path;
pub mod pattern;
pub mod route;
pub mod schedule;
pub mod start;
pub mod target;
