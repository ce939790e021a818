//! See `targets::build_report`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::build_report(bytes));
