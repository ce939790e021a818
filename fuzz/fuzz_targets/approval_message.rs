//! See `targets::approval_message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::approval_message(bytes));
