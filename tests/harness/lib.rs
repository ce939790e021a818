//! What whole-system tests share: the workspace, its binaries, one engine process.

pub mod example;
pub mod process;
pub mod workspace;
