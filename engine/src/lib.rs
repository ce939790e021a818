//! Runs a CodePipeline definition on one machine, with the real function binaries, speaking AWS's protocols.

pub mod alarm;
pub mod app;
pub mod assemble;
pub mod bus;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection;
pub mod console;
pub mod desk;
pub mod eventbridge;
pub mod face;
pub mod journal;
pub mod lambda;
pub mod logs;
pub mod mail;
pub mod perform;
pub mod poll;
pub mod provider;
mod registry;
pub mod states;
pub mod store;
pub mod third_party;
pub mod topic;
pub mod vault;
pub mod webhook;
pub mod yaml;
