//! Words, wire shapes, decisions and ports of Stagewright. Pure: no SDK, no environment, no clock, no randomness.
//! The one exception is `archive`, which touches the folder it is given.

pub mod action;
pub mod approval;
pub mod archive;
pub mod base_url;
pub mod config;
pub mod describe;
pub mod drive;
pub mod event;
pub mod fault;
pub mod follow;
pub mod host;
pub mod id;
pub mod job;
pub mod page_url;
pub mod port;
pub mod provider;
pub mod remembered;
pub mod results;
pub mod resume;
pub mod secret;
pub mod start;
pub mod wire;
