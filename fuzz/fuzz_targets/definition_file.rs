//! See `targets::definition_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::definition_file(bytes));
