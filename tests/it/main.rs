//! Whole-system tests in one binary.

mod clients;
mod tidy;
