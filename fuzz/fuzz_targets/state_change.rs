//! See `targets::state_change`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::state_change(bytes));
