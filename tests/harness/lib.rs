//! What whole-system tests share: the workspace, its binaries, one engine process.

pub mod browser;
pub mod chance;
pub mod conformance;
pub mod connector;
pub mod engine;
pub mod example;
pub mod faults;
pub mod http;
pub mod process;
pub mod site;
pub mod targets;
pub mod template;
pub mod workspace;
