//! See `harness::targets::buildspec_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::targets::buildspec_file(bytes));
