//! Whole-system tests in one binary.

mod clients;
mod example;
mod library;
mod remote;
mod scenarios;
mod tidy;
