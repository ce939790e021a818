//! Whole-system tests in one binary.

mod clients;
mod example;
mod scenarios;
mod tidy;
