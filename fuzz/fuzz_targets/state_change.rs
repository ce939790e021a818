//! See `harness::targets::state_change`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::targets::state_change(bytes));
