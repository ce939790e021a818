//! See `harness::targets::publish_parameters`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::targets::publish_parameters(bytes));
