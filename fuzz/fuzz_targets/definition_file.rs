//! See `harness::targets::definition_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::targets::definition_file(bytes));
