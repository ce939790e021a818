//! See `targets::buildspec_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::buildspec_file(bytes));
