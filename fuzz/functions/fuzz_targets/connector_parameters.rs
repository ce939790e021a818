//! See `harness::targets::connector_parameters`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::targets::connector_parameters(bytes));
