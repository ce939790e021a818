//! See `harness::targets::definition`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::targets::definition(bytes));
