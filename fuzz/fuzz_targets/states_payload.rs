//! See `targets::states_payload`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::states_payload(bytes));
