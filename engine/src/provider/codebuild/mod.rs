//! CodeBuild on this machine: a buildspec run by the host's shell.

pub mod buildspec;
