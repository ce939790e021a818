//! The whole function against the in-memory world: scanners, forgers, racers, crashes, and people. `threat_NN_` names
//! the row of `docs/threats.md`.

mod alone;
mod answered;
mod events;
mod forms;
mod levels;
mod links;
mod look;
mod machines;
mod pages;
mod races;
mod rules;
mod scene;
mod sign_in;
mod slack;
mod trace;
mod views;
