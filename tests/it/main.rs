//! Whole-system tests in one binary.

mod clients;
mod example;
mod library;
mod scenarios;
mod tidy;
