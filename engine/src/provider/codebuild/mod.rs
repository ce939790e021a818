//! CodeBuild on this machine: a buildspec run by the host's shell.

mod artifacts;
pub mod buildspec;
mod environment;
mod run;
mod shell;
