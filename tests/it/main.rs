//! Whole-system tests in one binary.

mod asked;
mod browser;
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
mod images;
mod infra;
mod library;
mod matrix;
mod python;
mod remote;
mod rules;
mod scenarios;
mod secrets;
mod states;
mod storm;
mod terminal;
mod threats;
mod tidy;
