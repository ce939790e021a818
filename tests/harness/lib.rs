//! What whole-system tests share: the workspace, its binaries, one engine process.

pub mod chance;
pub mod conformance;
pub mod example;
pub mod faults;
pub mod http;
pub mod process;
pub mod targets;
pub mod workspace;
