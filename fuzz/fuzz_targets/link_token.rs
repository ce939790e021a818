//! See `targets::link_token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::link_token(bytes));
