//! Whole-system tests in one binary.

mod clients;
mod conformance;
mod connectors;
mod descriptions;
mod events;
mod example;
mod faults;
mod garbage;
mod hooks;
mod hosts;
mod library;
mod python;
mod remote;
mod rules;
mod scenarios;
mod secrets;
mod storm;
mod terminal;
mod tidy;
