//! See `targets::states_definition`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::states_definition(bytes));
