//! See `harness::targets::check_parameters`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::targets::check_parameters(bytes));
